"""Arguments of train.py and of the scripts: what is given, words of the message."""

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

import train
from tests.conftest import CHECKOUT

CHANGES = [
    ("unknown trainer", {"--trainer": "Coop"}, "Did you mean CoOp?"),
    ("no trainer", {"--trainer": "", "--config-file": ""}, "--trainer is ''"),
    ("unknown method", {"--trainer": "MaPLe"}, "CLIPAdapter, CoCoOp, CoOp"),
    ("missing root", {"--root": "nowhere"}, "oxford_pets not found"),
    ("empty root", {"--root": ""}, "oxford_pets not found"),
    ("seed is text", {"--seed": "one"}, "invalid int value: 'one'"),
    ("seed is a fraction", {"--seed": "1.5"}, "invalid int value"),
    ("negative seed", {"--seed": "-5"}, "SEED is -5"),
    ("huge seed", {"--seed": str(2**40)}, "SEED is 1099511627776"),
    ("transforms", {"--transforms": "flip"}, "Did you mean random_flip?"),
    ("undecodable", {"--head": "\udcff"}, "which is no text"),
    ("test-only dataset", {"--dataset-config-file": "configs/datasets/imagenet_a.yaml"}, "has test images only"),
    ("epoch is text", {"--load-epoch": "last"}, "invalid int value: 'last'"),
    ("unknown option", {"--sead": "3"}, "error: "),
]


@pytest.mark.parametrize(("changes", "words"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES])
def test_bad_argument_is_refused(changes, words, world, monkeypatch):
    monkeypatch.chdir(CHECKOUT)
    world.arguments |= changes
    world.refused(words)


def blocked(world) -> Path:
    """A file where a folder is asked for."""
    (world.folder / "file").write_text("precious")
    return world.folder / "file"


@pytest.mark.parametrize("below", ["", "run"])
def test_output_folder_that_is_a_file_is_named(below, world):
    world.arguments["--output-dir"] = blocked(world) / below
    world.refused(f"{world.folder / 'file'}")


def test_root_that_is_a_file_is_named(world):
    world.arguments["--root"] = blocked(world)
    world.refused("oxford_pets not found")


@pytest.mark.parametrize("reason", ["Read-only file system", "No space left on device", "Permission denied"])
def test_output_folder_that_cannot_be_written_is_named(reason, world, monkeypatch):
    def refuse(path: str, *args: object, **kwargs: object) -> None:
        raise OSError(30, reason, str(path))

    monkeypatch.setattr("os.makedirs", refuse)
    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    world.refused(f"Cannot write {world.output}: {reason}")


def test_few_shot_samples_beside_read_only_data_go_to_the_users_cache(world):
    """As far as samples go: permissions would not stop root, and a file in the place of the folder does."""
    (world.pets / "split_fewshot").touch()
    world.only_evaluate()
    train.main(world.command("DATASET.NUM_SHOTS", 1))
    (kept,) = (world.folder / "home/.cache/ship-dassl").glob("oxford_pets-*/split_fewshot/shot_1-seed_1.json")
    assert f"Kept in {kept}" in (world.output / "log.txt").read_text()


def script(name: str) -> Callable[[list[str]], None]:
    return importlib.import_module(name).main


SCRIPTS = [
    ("run", "", "arguments are required: METHOD"),
    ("run", "ship base2new", "arguments are required: DATASET"),
    ("run", "ship base2nwe shapes", "invalid choice: 'base2nwe'"),
    ("run", "shipp base2new shapes", "Did you mean ship?"),
    ("run", "ship base2new shape", "Did you mean shapes?"),
    ("run", "ship base2new shapes --recipe nothing", "no recipe"),
    ("run", "ship base2new shapes 1 OPTIM.LR", "do not pair up: OPTIM.LR"),
    ("run", "ship base2new shapes 1 nothing 2", "'nothing' stands where"),
    ("run", "zsclip2 base2new shapes", "no recipe for shapes"),
    ("tables", "--protocol nothing", "invalid choice: 'nothing'"),
    ("tables", "nowhere --format nothing", "invalid choice: 'nothing'"),
    ("tables", "nowhere", "no base2new runs under nowhere"),
    ("tables", "nowhere --seeds one", "invalid int value: 'one'"),
    ("compare", "shapes --shots many", "many is no number of images"),
    ("compare", "nothing", "no dataset 'nothing'"),
    ("compare", "shapes --methods nothing", "no method 'nothing'"),
    ("plots", "nowhere", "no base2new runs under nowhere"),
    ("ablate", "nothing shapes", "invalid choice: 'nothing'"),
    ("download", "imagenett", "Did you mean imagenet?"),
    ("download", "", "arguments are required: DATASET"),
    ("download", "imagenet --tries 0", "--tries is at least 1"),
    ("doctor", "nothing", "no dataset 'nothing'"),
]


@pytest.mark.parametrize(("name", "words_given", "words"), SCRIPTS)
def test_bad_argument_of_a_script_is_refused(name, words_given, words, world, monkeypatch):
    monkeypatch.chdir(world.folder)
    world.refused_by(script(name), words_given.split(), words)
