"""One command for all benchmarks."""

import benchmark
import pytest
from bench.commands import memory


def test_help_names_the_benchmarks_with_an_example(capsys):
    benchmark.main(["--help"])
    printed = capsys.readouterr().out
    assert all(f"\n{name} " in printed for name in benchmark.BENCHMARKS)
    assert "python scripts/benchmark.py growth --plot plots" in printed


@pytest.mark.parametrize("name", benchmark.BENCHMARKS)
def test_each_benchmark_says_more_with_an_example(name, capsys):
    with pytest.raises(SystemExit) as ended:
        benchmark.main([name, "--help"])
    assert ended.value.code == 0
    assert "python scripts/benchmark.py " in capsys.readouterr().out


def test_the_parts_are_the_default(capsys):
    with pytest.raises(SystemExit) as ended:
        benchmark.main(["--repeats", "0"])
    assert ended.value.code == 2
    assert "benchmark.py parts: error: --repeats" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["grwoth"], "Did you mean growth?"),
        (["memory", "--batch", "0"], "at least 1"),
        (["loading", "--images", "2", "--classes", "3"], "--images at least --classes"),
        (["images", "--images", "nowhere"], "no pictures"),
        (["reading", "--pictures", "0"], "0 is not above 0"),
        (["reading", "--backbone", "ViT-B16"], "Did you mean ViT-B/16?"),
        (["encodings", "--methods", "copo"], "Did you mean coop?"),
        (["images", "--backbone", "ViT-B16"], "Did you mean ViT-B/16?"),
    ],
)
def test_bad_input_gets_a_message(words, message, capsys):
    with pytest.raises(SystemExit) as ended:
        benchmark.main(words)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_memory_is_measured_in_a_process_of_its_own(capsys):
    memory.main(["--classes", "2", "--context", "2", "--batch", "2", "--json"])
    assert '"classes": 2' in capsys.readouterr().out
