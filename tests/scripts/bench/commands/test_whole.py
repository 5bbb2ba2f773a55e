"""The benchmark of a whole run in both ways, on a tiny CLIP."""

import json

import pytest
from bench import full_size, machine
from bench.architectures import random_clip
from bench.commands import parts, whole
from bench.measure import Cost, Row
from bench.whole_run import QUICK

QUICKLY = ("--quick", "--backbone", "tiny")


@pytest.fixture(scope="module")
def measured():
    """Measured once for all tests, but for the steps; that both ways agree is checked in it."""
    cost = Cost(1.0, 1, 1, 1, None)
    keys = ["images", *(full_size.step(stage, images) for stage in (1, 2) for images in (256, 48, 4))]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parts, "measure", lambda *args: {key: Row(key, cost, cost) for key in keys})
        patched.setattr(parts, "measured_steps", lambda *args: {})
        return whole.measure(random_clip("tiny"), QUICK, repeats=1)


@pytest.fixture
def printed(measured, monkeypatch, capsys):
    """What the command prints of these."""
    monkeypatch.setattr(whole, "measure", lambda *args: measured)
    monkeypatch.setattr(machine, "peak_flops", lambda: 1e11)

    def printed(*words: str) -> str:
        whole.main([*QUICKLY, *words])
        return capsys.readouterr().out

    return printed


def test_each_procedure_encodes_as_many_images_as_is_computed_for_it(measured):
    found, rows = measured
    train, test, *_ = full_size.parts(rows, size=QUICK)
    assert found.images == {name: train.times[name] + test.times[name] for name in ("reference", "ours")}
    assert found.steps == sum(QUICK.epochs)


def test_the_plain_path_is_the_reference_without_what_ours_does_not_do(measured):
    found, _ = measured
    assert list(found.parts) == ["images encoded beforehand", "stage 1", "stage 2", "tests", "the rest", "all"]
    for title, part in found.parts.items():
        more = part["reference"] > part["plain"]
        assert more == (title not in ("stage 1", "the rest"))
    assert found.parts["images encoded beforehand"]["plain"] == 0


def test_measured_and_computed_stand_beside_each_other(measured, printed):
    lines = printed().splitlines()
    titles = ["stage 1", "stage 2", "tests", "all", "measured", "computed", "computed, OxfordPets in full"]
    assert all(any(line.startswith(f"{title} ") for line in lines) for title in titles)
    assert any(line.startswith(f"The losses of {sum(QUICK.epochs)} steps differ by at most") for line in lines)
    assert "Measured: a whole run, base2new, 4 classes, 2 of them base" in "\n".join(lines)


def test_the_json_has_the_machine_the_parts_and_the_hours(measured, printed):
    found, rows = measured
    record = json.loads(printed("--json"))
    assert record["whole"]["parts"] == found.parts
    assert list(record["measured"]) == list(rows)
    times = record["whole_hours"]
    assert times["computed, OxfordPets in full"] == record["computed"]["hours"]["one seed"]
    assert times["measured"]["ours"] == found.parts["all"]["ours"] / 3600
    assert record["machine"]["device"] == machine.device().type


def test_nothing_is_printed_where_the_two_ways_disagree(monkeypatch, capsys):
    def wrong(backbone):
        other = random_clip("tiny")
        other.text.text_projection.data.neg_()
        return other

    monkeypatch.setattr(machine, "peak_flops", lambda: 1e11)
    monkeypatch.setattr(parts, "measure", lambda *args: {})
    monkeypatch.setattr(parts, "measured_steps", lambda *args: {})
    monkeypatch.setattr(whole, "plain_path", wrong)
    with pytest.raises(SystemExit, match="whole run: losses of the two ways differ"):
        whole.main(QUICKLY)
    assert capsys.readouterr().out == ""
