"""What has been done in a dataset's folder, and who may work there."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from trainers.blocks.run.files import write_whole


class State:
    """Finished steps, stored in the folder as .download.json."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / ".download.json"
        self.fetched: list[str] = []  # files that this program brought, and so may delete
        self.done: dict[str, int] = {}  # archives that have been unpacked ─▶ images of theirs missing right after
        try:
            stored = json.loads(self.path.read_text(encoding="utf-8"))
            self.fetched, self.done = list(stored["fetched"]), dict(stored["done"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # there is none yet, or it was damaged: then what is there decides alone

    def add_fetched(self, name: str) -> None:
        self.fetched = [*(other for other in self.fetched if other != name), name]
        self.write()

    def add_done(self, name: str, missing: int) -> None:
        self.done[name] = missing
        self.write()

    def forget_fetched(self, name: str) -> None:
        """The file is gone: one that is put there by hand under its name is not to be deleted."""
        self.fetched = [other for other in self.fetched if other != name]
        self.write()

    def write(self) -> None:
        write_whole(self.path, json.dumps({"fetched": self.fetched, "done": self.done}).encode())


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lets one process at a time work in `folder`; the others wait, and say so."""
    lock = FileLock(folder / ".download.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"  another download is at work in {folder}: waiting for it", file=sys.stderr, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
