"""Learning from a folder of pictures and names without any, then predicting: what is read and said, bad input."""

import json
from collections import Counter
from pathlib import Path

import clip.model
import fit
import numpy as np
import predict
import pytest
import torch
import yaml
from PIL import Image
from protocols import backbones

from tests.record_opens import recorded
from trainers.blocks.clip import openai

SHORT = ("OPTIM.MAX_EPOCH", 1, "TRAINER.SHIP.OPTIM.MAX_EPOCH", 1, "TRAINER.FEATURES.VIEWS", 1)
SMALL = (*SHORT, "TRAINER.SHIP.ENCODER_DIM", 8, "TRAINER.SHIP.GENERATOR_DIM", 8)
LONG = 300 * "x"  # no file system has so long a name
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


def inside(folder: Path, opened: set[str]) -> set[str]:
    """Files of a folder among those that were opened."""
    return {file for file in opened if Path(file).is_relative_to(folder)}


def test_three_classes_with_pictures_and_two_names_are_learned_and_told_apart(birds, run, tmp_path):
    """Every file that is read is written down: training reads the pictures, and predicting those that it is given."""
    with recorded() as opened:
        status, out, err = run(birds, "--without-pictures", "fox, hoopoe", *SMALL)
    assert status == 0, err
    assert inside(birds, opened) == {str(path) for path in birds.rglob("*.png")}
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
    record = json.loads((tmp_path / "run/results.json").read_text())
    assert record["classnames"] == ["blue jay", "crow", "owl", "fox", "hoopoe"]

    pictures = [
        picture(tmp_path / "new" / f"{name}.png", seed=9 + at) for at, name in enumerate(record["classnames"])
    ]
    with recorded() as opened, pytest.raises(SystemExit) as ended:
        predict.main([str(tmp_path / "run"), *map(str, pictures), "--json", str(tmp_path / "p.json")])
    assert ended.value.code == 0
    assert not inside(birds, opened)
    assert inside(tmp_path / "new", opened) == set(map(str, pictures))
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


def test_a_backbones_file_says_what_pictures_it_takes(birds, run, tiny_clip, tmp_path, monkeypatch):
    own = {"SIZE": "(224, 224)", "INTERPOLATION": "bilinear", "PIXEL_MEAN": [0.5] * 3, "PIXEL_STD": [0.5] * 3}
    settings = {"INPUT": own, "MODEL": {"BACKBONE": {"NAME": str(tiny_clip)}}}
    (tmp_path / "backbones").mkdir()
    (tmp_path / "backbones/mine.yaml").write_text(yaml.safe_dump(settings))
    monkeypatch.setattr(backbones, "FOLDER", tmp_path / "backbones")
    status, _, err = run(birds, "--method", "coop", "--backbone", "mine", *SHORT)
    assert status == 0, err
    config = json.loads((tmp_path / "run/results.json").read_text())["config"]
    assert (config["MODEL"]["BACKBONE"]["NAME"], config["INPUT"]["PIXEL_MEAN"]) == (str(tiny_clip), [0.5] * 3)


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
        (birds, ("--backbone", "datacomp_b61"), "Did you mean datacomp_b16?"),
        (birds, ("--method", "tip_adapter", "--without-pictures", "fox"), "train SHIP on it"),
        (birds, ("--output", blocked / "run"), "cannot be read or written: Not a directory"),
        (birds, ("--output", tmp_path / LONG), "cannot be read or written: File name too long"),
        (tmp_path / LONG, (), "cannot be read or written: File name too long"),
        (hollow, (), "crow has no images"),
        (tmp_path / "empty", (), "has no class folders with pictures"),
        (tmp_path / "nowhere", (), "There is no folder"),
    ):
        status, _, err = run(folder, *words)
        assert (status, said in err, "Traceback" in err) == (2, True, False), (said, err)


@pytest.mark.parametrize("layers", [2, (1, 1, 1, 1)])
def test_the_size_of_pictures_is_read_off_the_shapes_of_the_weights(layers, tmp_path, monkeypatch):
    width, patch = (64, 16) if layers == 2 else (8, None)
    model = clip.model.CLIP(32, 96, layers, width, patch, 77, 99, 16, 1, 1)
    torch.save(model.state_dict(), tmp_path / "clip.pt")
    monkeypatch.setattr(openai, "read_clip", lambda name: pytest.fail("the weights are read"))
    assert fit.resolution_of(str(tmp_path / "clip.pt")) == model.visual.input_resolution == 96


def test_of_clips_own_models_the_size_is_known_before_they_are_downloaded():
    sizes = {name: fit.resolution_of(name) for name in ("RN50", "ViT-B/16", "RN50x16", "ViT-L/14@336px")}
    assert sizes == {"RN50": 224, "ViT-B/16": 224, "RN50x16": 384, "ViT-L/14@336px": 336}


def test_a_checkpoint_around_the_weights_is_loaded_for_its_size(tiny_clip, tmp_path):
    torch.save({"state_dict": torch.load(tiny_clip, weights_only=True)}, tmp_path / "wrapped.pt")
    assert fit.resolution_of(str(tmp_path / "wrapped.pt")) == 224


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no backbone '"), (b"no weights", "cannot be read as a checkpoint")],
)
def test_a_backbone_that_is_none_is_named(content, said, birds, run, tmp_path):
    path = tmp_path / "other.pt"
    if content:
        path.write_bytes(content)
    status, _, err = run(birds, "--backbone", path)
    assert (status, said in err, "Traceback" in err) == (2, True, False), err


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
