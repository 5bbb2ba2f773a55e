"""The benchmark of SHIP against the plain path, on a tiny CLIP."""

import json

import pytest
from bench import machine
from bench.architectures import random_clip
from bench.commands import parts
from bench.measure import Row

TINY = ("--backbone", "tiny", "--repeats", "1")


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    """Measured once for all tests; that both ways agree is checked in it."""
    return parts.measure(random_clip("tiny"), repeats=1)


@pytest.fixture
def printed(rows, monkeypatch, capsys):
    """What the command prints of these."""
    monkeypatch.setattr(parts, "measure", lambda backbone, repeats: rows)
    monkeypatch.setattr(machine, "peak_flops", lambda: 1e11)

    def printed(*words: str) -> str:
        parts.main([*TINY, *words])
        return capsys.readouterr().out

    return printed


def test_ours_does_less_for_the_same_values(rows):
    steps = ["stage 1, 256", "stage 1, 48", "stage 2, 256", "stage 2, 48"]
    assert {"images", *steps, "evaluation"} <= set(rows)
    for name in steps:
        assert rows[name].ours.tokens < rows[name].plain.tokens / 5
        assert rows[name].ours.operations < rows[name].plain.operations / 4
    assert (rows["evaluation"].plain.images, rows["evaluation"].ours.images) == (8, 0)


@pytest.mark.parametrize("images", [256, 48])
def test_steps_have_the_prompts_of_the_recipe(images, rows):
    assert rows[f"stage 1, {images}"].plain.tokens == 77 * images
    assert rows[f"stage 2, {images}"].plain.tokens == 77 * (images + 37)  # synthesized ones, and those of all classes


def test_the_tables_have_a_line_for_each_part(rows, printed):
    lines = printed().splitlines()
    titles = ["8 training images", "stage-1 step, 256", "stage-2 step, 48 + 48", "evaluation, 8 images"]
    titles += ["training image", "test or validation image", "one seed", "seeds 1 2 3, test images encoded once"]
    assert all(any(line.startswith(f"{title} ") for line in lines) for title in titles)
    assert any(line.startswith("Not measured, but computed from the steps above") for line in lines)


def test_the_json_has_the_machine_the_parts_and_what_is_computed(rows, printed):
    record = json.loads(printed("--json"))
    assert list(record["measured"]) == list(rows)
    assert record["measured"]["stage 1, 48"]["ours"]["tokens"] == rows["stage 1, 48"].ours.tokens
    assert set(record["computed"]["hours"]["one seed"]) == {"plain", "ours", "reference"}
    assert len(record["computed"]["steps"]) == 6
    assert {"threads", "versions", "code"} <= set(record["machine"])


def test_nothing_is_printed_where_the_two_ways_disagree(monkeypatch, capsys):
    def wrong(backbone):
        other = random_clip("tiny")
        other.text.text_projection.data.neg_()
        return other

    monkeypatch.setattr(parts, "plain_path", wrong)
    monkeypatch.setattr(machine, "peak_flops", lambda: 1e11)
    with pytest.raises(SystemExit, match="stage-1 step, 256: losses of the two ways differ"):
        parts.main(TINY)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "words, message",
    [
        (("--backbone", "ViT-B16"), "Did you mean ViT-B/16?"),
        (("--repeats", "0"), "--repeats and --threads are at least 1"),
    ],
)
def test_bad_arguments_get_a_message(words, message, capsys):
    with pytest.raises(SystemExit) as error:
        parts.main(words)
    assert error.value.code == 2
    assert message in capsys.readouterr().err


def test_the_peak_is_that_of_a_matrix_product():
    assert machine.peak_flops(((64, 64, 64),)) > 0
