"""Configuration and errors of train.py, in this process."""

import json
import sys

import pytest
import torch

import train
from tests.conftest import CHECKOUT


@pytest.fixture
def arguments(tiny_clip, pets, tmp_path):
    """Arguments of a run that works, for tests to spoil."""
    return {
        "--root": pets,
        "--seed": 1,
        "--trainer": "CoOp",
        "--output-dir": tmp_path / "run",
        "--dataset-config-file": CHECKOUT / "configs/datasets/oxford_pets.yaml",
        "--config-file": CHECKOUT / "configs/trainers/CoOp/vit_b16.yaml",
        "--backbone": tiny_clip,
    }


PAIRS = ["DATALOADER.NUM_WORKERS", "0", "DATASET.NUM_SHOTS", "1", "OPTIM.MAX_EPOCH", "1"]


def command(arguments: dict, *pairs: object) -> list[str]:
    words = [word for option, value in arguments.items() for word in (option, *str(value).split(" "))]
    return words + PAIRS + [str(pair) for pair in pairs]


@pytest.fixture
def message(arguments, capsys, monkeypatch):
    """Runs train.py, expects exit status 2, and returns the message."""
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # the logger replaces it

    def run(*pairs: object) -> str:
        with pytest.raises(SystemExit) as caught:
            train.main(command(arguments, *pairs))
        assert caught.value.code == 2
        assert not (arguments["--output-dir"] / "results.json").exists()
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert "Traceback" not in error
        return error

    return run


def test_later_sources_override_earlier_ones(arguments, tmp_path):
    dataset, recipe = tmp_path / "dataset.yaml", tmp_path / "recipe.yaml"
    dataset.write_text("DATASET: {NAME: A, NUM_SHOTS: 2}\nSEED: 5\nTRAINER: {NAME: X}\nTEST: {SPLIT: val}")
    recipe.write_text("DATASET: {NUM_SHOTS: 3}\nSEED: 6\nTRAINER: {NAME: Y}\nINPUT:\n  SIZE: (32, 32)")
    arguments |= {"--dataset-config-file": dataset, "--config-file": recipe, "--seed": 7}
    cfg = train.setup_cfg(train.parse_args(command(arguments, "DATASET.NUM_SHOTS", 9)))
    assert (cfg.DATASET.NAME, cfg.TEST.SPLIT, cfg.INPUT.SIZE) == ("A", "val", (32, 32))
    assert (cfg.TRAINER.NAME, cfg.SEED, cfg.DATASET.NUM_SHOTS) == ("CoOp", 7, 9)


def test_arguments_not_given_leave_the_files_alone():
    cfg = train.setup_cfg(train.parse_args(["--config-file", str(CHECKOUT / "configs/trainers/SHIP/vit_b16.yaml")]))
    assert (cfg.SEED, cfg.MODEL.BACKBONE.NAME, cfg.TRAINER.COOP.CTX_INIT) == (-1, "ViT-B/16", "a photo of a")


@pytest.mark.parametrize("path", sorted((CHECKOUT / "configs").glob("*/**/*.yaml")), ids=lambda path: path.stem)
def test_shipped_configuration_files_merge(path):
    train.setup_cfg(train.parse_args(["--config-file", str(path)]))


def test_unknown_trainer_is_named_with_the_nearest(arguments, message):
    arguments["--trainer"] = "Coop"
    assert "'Coop'" in (error := message())
    assert "Did you mean CoOp?" in error


def test_unknown_dataset_is_named_with_the_nearest(message):
    assert "Did you mean OxfordPets?" in message("DATASET.NAME", "OxfordPet")


@pytest.mark.parametrize("argument", ["--config-file", "--dataset-config-file"])
def test_missing_configuration_file_is_named(argument, arguments, message):
    arguments[argument] = arguments[argument].with_name("vit_b61.yaml")
    assert "vit_b61.yaml not found" in message()


def test_malformed_configuration_file_is_named(arguments, message, tmp_path):
    arguments["--config-file"] = tmp_path / "bad.yaml"
    arguments["--config-file"].write_text("TRAINER: [unclosed")
    assert "bad.yaml" in message()


@pytest.mark.parametrize(
    ("pairs", "part"),
    [
        (("OPTIM.LRR", 1), "Did you mean OPTIM.LR?"),
        (("OPTIM.LR",), "do not pair up"),
        (("OPTIM.MAX_EPOCH", "many"), "OPTIM.MAX_EPOCH many"),
        (("DATASET.SUBSAMPLE_CLASSES", "bse"), "Did you mean base?"),
        (("TRAINER.COOP.CLASS_TOKEN_POSITION", "centre"), "end, middle, front"),
        (("TRAINER.COOP.PREC", "fp8"), "fp16"),
        (("INPUT.SIZE", "(96, 96)"), "takes images of 224 by 224"),
        (("TRAINER.COOP.N_CTX", 75), "longer than CLIP's window of 77 tokens"),
    ],
)
def test_bad_value_is_named(pairs, part, message):
    assert part in message(*pairs)


def test_missing_dataset_folder_says_what_is_expected_where(arguments, message, tmp_path):
    arguments["--root"] = tmp_path / "elsewhere"
    error = message()
    assert str(tmp_path / "elsewhere" / "oxford_pets") in error
    assert "images/" in error
    assert "--root" in error


@pytest.mark.parametrize("workers", [0, 1])
def test_corrupt_image_is_named(workers, pets, message):
    for path in (pets / "oxford_pets/images").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    assert ".jpg" in message("DATALOADER.NUM_WORKERS", workers)


def test_missing_backbone_file_is_named(arguments, message):
    arguments["--backbone"] = "nowhere/clip.pt"
    assert "nowhere/clip.pt" in (error := message())
    assert "ViT-B/16" in error


def test_truncated_backbone_is_named(arguments, message, tiny_clip, tmp_path):
    arguments["--backbone"] = tmp_path / "short.pt"
    arguments["--backbone"].write_bytes(tiny_clip.read_bytes()[:5000])
    assert "short.pt" in (error := message())
    assert "truncated" in error


def test_backbone_that_is_no_clip_is_named(arguments, message, tmp_path):
    arguments["--backbone"] = tmp_path / "other.pt"
    torch.save({"weight": torch.zeros(3)}, arguments["--backbone"])
    assert "other.pt is not a CLIP" in message()


def test_class_name_beyond_the_window_is_named(pets, message):
    split = pets / "oxford_pets/split_zhou_OxfordPets.json"
    long = " ".join(["very"] * 80) + " boxer"
    parts = json.loads(split.read_text())
    for rows in parts.values():
        rows[:] = [[path, label, long if name == "boxer" else name] for path, label, name in rows]
    split.write_text(json.dumps(parts))
    assert "tokens)" in (error := message())
    assert "boxer" in error


def test_nothing_to_synthesize_for_is_said(arguments, message):
    arguments |= {"--trainer": "SHIP", "--config-file": CHECKOUT / "configs/trainers/SHIP/vit_b16.yaml"}
    assert "trains on the base classes or on all" in message("DATASET.SUBSAMPLE_CLASSES", "new")


def test_missing_checkpoint_is_named_with_what_is_there(arguments, message, tmp_path):
    folder = tmp_path / "made/prompt_learner"
    folder.mkdir(parents=True)
    (folder / "model.pth.tar-7").touch()
    arguments |= {"--model-dir": tmp_path / "made", "--load-epoch": "9 --eval-only"}
    error = message()
    assert "model.pth.tar-9 not found" in error
    assert "the folder has model.pth.tar-7" in error


def test_image_that_is_no_image_ends_training_by_name(pets, message):
    for path in (pets / "oxford_pets/images").iterdir():
        path.write_text("not an image")
    assert "oxford_pets/images" in message()


def test_no_cache_turns_features_on_disk_off(arguments):
    cfgs = [train.setup_cfg(train.parse_args([*flag, *command(arguments)])) for flag in ([], ["--no-cache"])]
    assert [cfg.TRAINER.FEATURES.CACHE for cfg in cfgs] == [True, False]


@pytest.mark.parametrize(
    ("key", "value"),
    [("TRAINER.TEXT_CHUNK", -2), ("TRAINER.FEATURES.IMAGE_PREC", "fp8"), ("TRAINER.TEXT_PREC", "fp8")],
)
def test_numbers_of_prompts_and_precisions_that_are_none_are_named(message, key, value):
    assert f"{key} is {value!r}" in message(key, value)
