"""Pickles that would run a command, in each place where a file is read: refused, and the command is not run."""

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch


class Payload:
    """Unpickled the ordinary way, it runs a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def plain(content: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(content, 2))


def zipped(content: object, path: Path) -> None:
    torch.save(content, path)


def legacy(content: object, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def scripted(content: object, path: Path) -> None:
    """A zip that looks like TorchScript's."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("data.pkl", "constants.pkl"):
            archive.writestr(f"archive/{name}", pickle.dumps(content, 2))
        archive.writestr("archive/version", "3")


def run_by(read: Callable[[], object], mark: Path) -> None:
    """Shows that the payload works where nothing stops it."""
    read()
    assert mark.exists()
    mark.unlink()


FORMS = {"pickle": plain, "zip": zipped, "legacy": legacy, "TorchScript": scripted}
PLACES = {
    "alone": lambda payload: payload,
    "weight": lambda payload: {"weight": payload},
    "state": lambda payload: {"state_dict": {"ctx": payload}, "epoch": 1},
    "key": lambda payload: {payload: 1},
}


@pytest.fixture
def spoil(world):
    """Writes a payload into a file, in some form and place, and gives the file that shows whether it was run."""

    def write(path: Path, form: str, place: str) -> Path:
        mark = world.folder / "ran"
        path.parent.mkdir(parents=True, exist_ok=True)
        content = PLACES[place](Payload(f"touch {mark}"))
        run_by(lambda: pickle.loads(pickle.dumps(content, 2)), mark)
        FORMS[form](content, path)
        return mark

    return write


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("form", FORMS)
def test_clip_file_does_not_run_it(form, place, world, spoil):
    mark = spoil(world.folder / "evil.pt", form, place)
    world.arguments["--backbone"] = world.folder / "evil.pt"
    world.refused("evil.pt")
    assert not mark.exists()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("form", FORMS)
def test_checkpoint_does_not_run_it(form, place, world, spoil):
    mark = spoil(world.folder / "made/prompt_learner/model-best.pth.tar", form, place)
    world.only_evaluate(world.folder / "made")
    world.refused("model-best.pth.tar cannot be read as a checkpoint")
    assert not mark.exists()


@pytest.mark.parametrize("form", FORMS)
def test_weights_to_start_from_do_not_run_it(form, world, spoil):
    mark = spoil(world.folder / "evil.pth", form, "state")
    world.refused("evil.pth cannot be read as a checkpoint", "MODEL.INIT_WEIGHTS", world.folder / "evil.pth")
    assert not mark.exists()


@pytest.mark.parametrize("place", PLACES)
def test_few_shot_sample_does_not_run_it(place, world, spoil):
    mark = spoil(world.pets / "split_fewshot/shot_1-seed_1.pkl", "pickle", place)
    world.refused("which has no place in few-shot data: it was not loaded", "DATASET.NUM_SHOTS", 1)
    assert not mark.exists()


def test_shown_by_a_file_that_is_written(world, spoil):
    """What the tests above rely on: torch.load without its guard would run the payload."""
    mark = spoil(world.folder / "evil.pt", "zip", "state")
    run_by(lambda: torch.load(world.folder / "evil.pt", weights_only=False), mark)
