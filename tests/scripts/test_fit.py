"""Learning from a folder of pictures and names without any, then predicting: what is read and said, bad input."""

import json
from collections import Counter
from pathlib import Path

import fit
import numpy as np
import predict
import pytest
from PIL import Image

SHORT = ("OPTIM.MAX_EPOCH", 1, "TRAINER.SHIP.OPTIM.MAX_EPOCH", 1, "TRAINER.FEATURES.VIEWS", 1)
SMALL = (*SHORT, "TRAINER.SHIP.ENCODER_DIM", 8, "TRAINER.SHIP.GENERATOR_DIM", 8)
COUNTS = {"blue jay": 6, "crow": 2, "owl": 1}


def picture(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def birds(tmp_path) -> Path:
    for name, count in COUNTS.items():
        for number in range(count):
            picture(tmp_path / "birds" / name / f"{number}.png", seed=len(name) + number)
    return tmp_path / "birds"


@pytest.fixture
def opened(monkeypatch) -> set[str]:
    """Every picture file that is opened from now on."""
    paths, plain = set(), Image.open

    def noted(path, *args, **kwargs):
        paths.add(str(path))
        return plain(path, *args, **kwargs)

    monkeypatch.setattr(Image, "open", noted)
    return paths


@pytest.fixture
def run(tiny_clip, tmp_path, capfd):
    """Calls fit.py with the tiny CLIP; gives exit status, output and errors."""

    def call(folder: Path, *words: object, name: str = "run") -> tuple[int, str, str]:
        status, output = 0, tmp_path / name
        own = ["--backbone", tiny_clip, "--output", output]
        try:
            fit.main([str(word) for word in (folder, *own, *words)])
        except SystemExit as ended:
            status = ended.code
        return status, *capfd.readouterr()

    return call


def test_three_classes_with_pictures_and_two_names_are_learned_and_told_apart(birds, run, tmp_path, opened):
    status, out, err = run(birds, "--without-pictures", "fox, hoopoe", *SMALL)
    assert status == 0, err
    report = out[out.index("class  ") :]
    rows = {line[:10].strip(): line[10:].split(maxsplit=2) for line in report.splitlines()[2:7]}
    assert {name: [*map(int, row[:2])] for name, row in rows.items()} == {
        "blue jay": [5, 1],
        "crow": [2, 0],
        "owl": [1, 0],
        "fox": [0, 0],
        "hoopoe": [0, 0],
    }
    assert [row[2].startswith("no pictures to judge by") for row in rows.values()] == [False, True, True, True, True]
    assert "python " in report
    assert "PICTURES…" in report
    assert opened == {str(path) for path in birds.rglob("*.png")}
    record = json.loads((tmp_path / "run/results.json").read_text())
    assert record["classnames"] == ["blue jay", "crow", "owl", "fox", "hoopoe"]

    pictures = [
        picture(tmp_path / "new" / f"{name}.png", seed=9 + at) for at, name in enumerate(record["classnames"])
    ]
    with pytest.raises(SystemExit) as ended:
        predict.main([str(tmp_path / "run"), *map(str, pictures), "--json", str(tmp_path / "p.json")])
    assert ended.value.code == 0
    assert opened == {str(path) for path in (*birds.rglob("*.png"), *pictures)}
    found = json.loads((tmp_path / "p.json").read_text())
    assert [{one["name"] for one in row["classes"]} for row in found] == [set(record["classnames"])] * 5


def test_again_it_reports_without_training(birds, run):
    words = (birds, "--without-pictures", "fox", *SMALL)
    run(*words)
    status, out, _ = run(*words)
    assert (status, "has this run, complete" in out, "blue jay" in out) == (0, True, True)


def test_where_no_class_has_enough_nothing_is_judged(birds, run, tmp_path):
    for number in range(2, 6):
        (birds / f"blue jay/{number}.png").unlink()
    status, out, err = run(birds, "--method", "coop", *SHORT)
    assert (status, "none is held back" in out, "held-back pictures:" in out) == (0, True, False), err
    assert json.loads((tmp_path / "run/results.json").read_text())["metrics"] == {}


def test_without_any_picture_it_is_zero_shot_and_says_so(run, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "names.txt").write_text("fox\nhoopoe\n")
    status, out, err = run(tmp_path / "empty", "--without-pictures", tmp_path / "names.txt")
    assert (status, "this is zero-shot CLIP among 2 names" in out) == (0, True), err
    some = picture(tmp_path / "some.png", 3)
    with pytest.raises(SystemExit) as ended:
        predict.main([str(tmp_path / "run"), str(some)])
    assert ended.value.code == 0


def test_bad_input_ends_in_a_line(birds, run, tmp_path):
    lone, hollow, blocked = tmp_path / "lone", tmp_path / "hollow", tmp_path / "file"
    picture(lone / "owl/1.png", 1)
    picture(hollow / "owl/1.png", 1)
    (hollow / "crow").mkdir()
    (tmp_path / "empty").mkdir()
    blocked.touch()
    for folder, words, said in (
        (lone, (), "one class only, owl"),
        (birds, ("--without-pictures", "fox, Blue_Jay"), "names Blue_Jay, of which"),
        (birds, ("--without-pictures", "fox, FOX"), "names a class twice"),
        (birds, ("--without-pictures", "<|endoftext|>, fox"), "no text that CLIP could read"),
        (birds, ("--without-pictures", "names.txt"), "names.txt cannot be read"),
        (birds, ("--method", "shipp"), "no method 'shipp'"),
        (birds, ("--method", "tip_adapter", "--without-pictures", "fox"), "train SHIP on it"),
        (birds, ("--output", blocked / "run"), "cannot be read or written: Not a directory"),
        (hollow, (), "crow has no images"),
        (tmp_path / "empty", (), "has no class folders with pictures"),
        (tmp_path / "nowhere", (), "There is no folder"),
    ):
        status, _, err = run(folder, *words)
        assert (status, said in err, "Traceback" in err) == (2, True, False), (said, err)


def test_of_many_classes_the_table_has_the_first_ones(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(fit, "SHOWN", 2)

    class Known:
        names = ["ant", "bee", "crow"]
        train, held_back = Counter(dict.fromkeys(names, 4)), Counter()

    fit.report(tmp_path, Known, ["fox", "hoopoe", "jay", "owl"])
    printed = capsys.readouterr().out
    assert [name for name in ("ant", "bee", "crow", "fox", "hoopoe", "jay", "owl") if f"\n{name} " in printed] == [
        *("ant", "bee"),
        *("fox", "hoopoe"),
    ]
    assert "… and 3 more classes" in printed and "results.json" in printed
