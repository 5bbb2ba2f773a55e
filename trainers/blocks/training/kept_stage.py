"""Stages that one run has trained, in the cache: a run that would train the same takes them from there, bit for bit.

A file, `<dataset>/<stage>-<key>.stage`, is as those of states.py: the weights that the stage ended with, what its
last epoch came to, and the random numbers that come next. The key is a hash of all that these follow from, the code
of this package and of Dassl among it. Files are written whole or not at all; any can be deleted at any time.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import dassl
from torch import nn

from ..features.cache import HASH, LIMIT, digest, hash_of_tensors, hash_of_weights, shrink
from ..run.files import write_whole
from ..run.randomness import restore_random_state, stored_random_state
from ..run.states import DamagedError, SavedState, parts_of, read


def code_of(*packages: Path) -> str:
    """A hash of the Python files in these folders."""
    files = (path for package in packages for path in sorted(package.rglob("*.py")))
    return digest(part for path in files for part in (path.name.encode(), path.read_bytes()))


CODE = code_of(Path(__file__).resolve().parents[2], Path(dassl.__file__).resolve().parent)  # as it is when imported


def hash_of_random_state() -> str:
    state = stored_random_state()
    devices = {"cpu": state["torch"], **{str(number): some for number, some in enumerate(state["cuda"])}}
    return digest([repr((state["python"], state["numpy"])).encode(), hash_of_tensors(devices).encode()])


class KeptStage:
    """The end of a stage, by its module's weights and the random numbers as they are now, and by `about`, JSON.

    Without a folder nothing is read or written. What goes wrong with the disk costs time, not the run.
    """

    def __init__(self, folder: Path | None, title: str, module: nn.Module, about: object) -> None:
        self.title, self.module, self.path = title, module, None
        if folder is not None:
            decides = [CODE, hash_of_weights(module), hash_of_random_state(), about]
            key = digest([json.dumps(decides, sort_keys=True).encode()])[:HASH]
            self.path = folder / f"{title}-{key}.stage"

    def take(self) -> dict[str, Any] | None:
        """Goes on from the end of the stage: what was kept of it beside weights. None where it is not there."""
        if self.path is None or not self.path.is_file():
            return None
        try:
            about, state = read(self.path)
        except (OSError, DamagedError) as error:
            print(f"Warning: {self.path} cannot be used ({error}); {self.title} is trained again")
            return None
        with suppress(OSError):
            os.utime(self.path)  # files that were not read for longest are deleted first
        self.module.load_state_dict(state["weights"])
        restore_random_state(state["random"])
        return about

    def keep(self, **about: object) -> None:
        """Keeps the end of the stage, which is now, with what JSON is to be kept of it."""
        if self.path is None:
            return
        state = {"weights": self.module.state_dict(), "random": stored_random_state()}
        try:
            write_whole(self.path, *parts_of(SavedState(about, state)))
        except OSError as error:
            reason = error.strerror or error
            print(f"Warning: {self.title} is not kept in {self.path.parent} ({reason}); the run goes on")
        shrink(self.path.parent.parent, LIMIT)
