"""The state of a run after its newest epochs, on disk: written whole, checked when read, the last two of them.

A file is the SHA-256 of what follows in hexadecimal and a line feed; one line of JSON that says what state it is;
and the state, tensors and plain values, as torch.save writes them.
"""

import hashlib
import io
import json
import pickle
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ..errors import InputError
from .files import replace_file
from .memory import is_out_of_memory
from .state import copied

FOLDER, FAILED = "resume", "failed"  # under the output folder
FORMAT = 1
COUNT = 2  # states that are on disk at a time
SHARE = 0.1  # of the time, at most, that writing may take
APART = 1.0  # seconds between two states on disk, at least


class SavedState(NamedTuple):
    """A state, and what it is the state of: stage, epoch (finished ones), epochs, config, hash."""

    about: dict[str, Any]
    state: dict[str, Any]


class DamagedError(Exception):
    """A file that is not what was written."""


class StateFolder:
    """The newest states of the run whose output folder this is."""

    def __init__(self, output: str | Path) -> None:
        self.folder = Path(output, FOLDER)

    def files(self) -> list[Path]:
        """Oldest first."""
        return sorted(self.folder.glob("state-*"))

    def begun(self) -> bool:
        """Whether there are states, if only damaged ones."""
        return any(self.folder.glob("*state-*"))

    def write(self, saved: SavedState) -> None:
        """Adds a state and removes those before the last two; raises InputError where it cannot be written."""
        present = self.files()
        number = int(present[-1].name.partition("-")[2]) + 1 if present else 1
        replace_file(self.folder / f"state-{number:06d}", *parts_of(saved))
        killed_while_writing = self.folder.glob(".state-*")
        for path in (*present[: 1 - COUNT], *killed_while_writing):
            with suppress(OSError):
                path.unlink()

    def newest(self) -> SavedState | None:
        """The newest state that is whole; says which are not, and sets them aside."""
        present = self.files()
        for path in reversed(present):
            try:
                return read(path)
            except (OSError, DamagedError) as error:
                print(f"Warning: the state {path} cannot be used ({error}); taking the one before it")
                with suppress(OSError):
                    path.rename(path.with_name(f"damaged-{path.name}"))
        if present:
            print(f"Warning: no state in {self.folder} can be used; starting over")
        return None

    def about(self) -> dict[str, Any] | None:
        """What the newest state that says so is the state of; that it is whole has not been checked."""
        for path in reversed(self.files()):
            with suppress(OSError, ValueError), open(path, "rb") as file:
                file.readline()
                return dict(json.loads(file.readline()))
        return None

    def clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def parts_of(saved: SavedState) -> tuple[bytes | memoryview, ...]:
    """What the file of a state is made of, one behind the other."""
    head = json.dumps({"format": FORMAT, **saved.about}).encode() + b"\n"
    buffer = io.BytesIO()
    torch.save(saved.state, buffer)
    digest = hashlib.sha256(head)
    digest.update(buffer.getbuffer())
    return digest.hexdigest().encode() + b"\n", head, buffer.getbuffer()


def read(path: Path) -> SavedState:
    """A state from its file; raises DamagedError, OSError."""
    data = memoryview(path.read_bytes())
    digest, rest = bytes(data[:64]), data[65:]
    if hashlib.sha256(rest).hexdigest().encode() != digest:
        raise DamagedError("its checksum is wrong")
    head, _, _ = bytes(rest[: 1 << 20]).partition(b"\n")
    about = json.loads(head)
    if about["format"] != FORMAT:
        raise DamagedError(f"its format is {about['format']}, this version's {FORMAT}")
    try:
        return SavedState(about, torch.load(io.BytesIO(rest[len(head) + 1 :]), map_location="cpu", weights_only=True))
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        if is_out_of_memory(error):
            raise
        raise DamagedError(str(error)) from error


def write_failed(output: str | Path, saved: SavedState) -> str:
    """Leaves a state for inspection, a file for torch.load; its path, or why there is none."""
    path = Path(output, FAILED, "state.pt")
    buffer = io.BytesIO()
    torch.save(saved._asdict(), buffer)
    try:
        replace_file(path, buffer.getbuffer())
    except InputError as error:
        return f"no file ({error})"
    return str(path)


class StateSaver:
    """Saves the state after each epoch: on disk every so many, in memory in between.

    Writing takes at most a tenth of the time, and waits for a second after: an epoch that ends too soon is not
    written unless it is a stage's last. `flush` writes what is in memory.
    """

    def __init__(self, output: str | Path, every: int) -> None:
        self.folder, self.every = StateFolder(output), every
        self.unwritten: SavedState | None = None
        self.newest: dict[str, Any] | None = None  # which state a restart would go on from, once flushed
        self.not_before = 0.0

    def save(self, about: dict[str, Any], state: dict[str, Any]) -> None:
        if self.every < 1:
            return
        last = about["epoch"] == about["epochs"]
        if last or (about["epoch"] % self.every == 0 and time.monotonic() >= self.not_before):
            self.write(SavedState(about, state))
        else:
            self.unwritten, self.newest = SavedState(about, copied(state)), about

    def write(self, saved: SavedState) -> None:
        start = time.monotonic()
        self.folder.write(saved)
        self.unwritten, self.newest = None, saved.about
        end = time.monotonic()
        self.not_before = end + max(APART, (end - start) / SHARE)

    def flush(self) -> None:
        if self.unwritten:
            self.write(self.unwritten)

    def clear(self) -> None:
        self.unwritten = None
        self.folder.clear()
