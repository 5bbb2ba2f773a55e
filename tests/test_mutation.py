"""The tool that seeds faults: what it changes, which tests it runs, and when it says that they notice."""

import ast
from pathlib import Path

import pytest

pytest.importorskip("cosmic_ray", reason="comes with the extra dev")

from tests import mutation  # noqa: E402

SOURCE = """
def area(width: int | None, height: float = 1.0) -> float:
    total = scale(width, height, unit=2, exact=True)
    total += 1
    total.check()
    print(total)
    return total
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A project of one module and two files of tests, of which one notices a fault."""
    for name, text in {
        "plant/__init__.py": "",
        "plant/sums.py": "def double(number):\n    return number * 2\n",
        "plant/other.py": "from .sums import double\n",
        "tests/plant/test_sums.py": "from plant.sums import double\n\n\ndef test_it():\n    assert double(3) == 6\n",
        "tests/test_other.py": "import plant.other\n\n\ndef test_nothing():\n    pass\n",
        "tests/test_far.py": "def test_nothing():\n    pass\n",
        "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\n',
    }.items():
        (tmp_path / "from" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "from" / name).write_text(text)
    monkeypatch.setattr(mutation, "CHECKOUT", tmp_path / "from")
    monkeypatch.setattr(mutation, "COPIED", ("plant", "tests"))
    cached_ones = (mutation.imports, mutation.parsed, mutation.nodes_of)
    for cached in cached_ones:
        cached.cache_clear()
    yield tmp_path / "from"
    for cached in cached_ones:
        cached.cache_clear()


def faulty(operator: str) -> list[str]:
    """What is left of SOURCE's function for each place that an operator changes."""
    whole = ast.unparse(ast.parse(SOURCE)).splitlines()
    found = []
    while (changed := mutation.mutate_code(SOURCE, mutation.operator_named(operator), len(found))) is not None:
        lines = ast.unparse(ast.parse(changed)).splitlines()
        found.append(next(line.strip() for line, before in zip(lines, whole, strict=True) if line != before))
    return found


def test_arguments_are_left_out_one_at_a_time():
    assert faulty("LeaveOutArgument") == [
        "total = scale(width, height, exact=True)",
        "total = scale(width, height, unit=2)",
    ]


def test_statements_that_do_something_are_left_out_and_prints_are_not():
    assert faulty("LeaveOutStatement") == ["pass", "pass"]


def test_types_are_not_changed(checkout):
    (checkout / "plant/sums.py").write_text(SOURCE)
    found = mutation.places(Path("plant/sums.py"))
    assert found
    assert not [names for _, names, _ in found if "BitOr" in str(names)]


def test_every_fault_drawn_changes_the_line_that_it_names(checkout):
    source = "def sign(x):\n    return -1 if not x > 0 else +1\n\n\ndef other(x):\n    return x is None or not -x\n"
    (checkout / "plant/sums.py").write_text(source)
    faults = mutation.draw(["plant/sums.py"], 100, 1)
    assert len(faults) > 8
    for fault in faults:
        pairs = zip(source.splitlines(), fault.applied(source).splitlines(), strict=True)
        assert [line for line, (one, other) in enumerate(pairs, start=1) if one != other] == [fault.line]


def test_faults_follow_from_the_seed(checkout):
    assert mutation.draw(["plant"], 5, 1) == mutation.draw(["plant"], 5, 1)
    assert mutation.draw(["plant"], 5, 1) != mutation.draw(["plant"], 5, 2)


def test_nearest_tests_are_a_files_own_and_then_those_that_import_it_in_more_steps(checkout):
    found = mutation.nearest_tests(Path("plant/sums.py"))
    assert found == [Path("tests/plant/test_sums.py"), Path("tests/test_other.py")]


def test_fault_that_a_test_sees_is_noticed_and_another_survives(checkout, tmp_path):
    trials = mutation.Trials(tmp_path / "to", seconds=30)
    trials.tree.mkdir()
    trials.copy()
    name = "core/ReplaceBinaryOperator_Mul_Add"
    fault = mutation.Fault(Path("plant/sums.py"), name, 0, 2)
    assert trials.seed(fault) == mutation.NOTICED
    assert "-    return number * 2" in fault.diff() and "+    return number + 2" in fault.diff()
    (trials.tree / "tests/plant/test_sums.py").write_text("def test_it():\n    pass\n")
    assert trials.seed(fault) == mutation.SURVIVED
    assert (trials.tree / "plant/sums.py").read_text() == (checkout / "plant/sums.py").read_text()
