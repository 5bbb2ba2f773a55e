"""Copy what is printed into a file."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Logger:
    """A stand-in for stdout that also writes to `path`, line by line; all else passes through to stdout.

    Where the disk is full the run goes on without a log, and stderr says so once.
    """

    def __init__(self, path: str | Path) -> None:
        self.console = sys.stdout
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self.file = open(path, "x", encoding="utf-8", buffering=1)  # noqa: SIM115 - open until the process ends
        self.failed = False

    def write(self, text: str) -> int:
        self._log(lambda: self.file.write(text))
        return self.console.write(text)

    def flush(self) -> None:
        self.console.flush()
        self._log(self.file.flush)

    def close(self) -> None:
        self._log(self.file.close)

    def _log(self, action: Callable[[], object]) -> None:
        try:
            if not self.failed:
                action()
        except OSError as error:
            self.failed = True
            print(f"warning: no more lines go to {self.file.name}: {error.strerror}", file=sys.stderr)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.console, name)


def setup_logger(output: str | Path | None = None) -> None:
    """Print also to `output`/log.txt, or to `output` if it ends in .txt or .log; None changes nothing.

    A file of that name is kept: the new one gets the time behind its name. A second call moves the log.
    """
    if output is None:
        return
    path = Path(output)
    if path.suffix not in (".txt", ".log"):
        path = path / "log.txt"
    while path.exists():
        path = path.with_name(path.name + time.strftime("-%Y-%m-%d-%H-%M-%S"))
    if isinstance(sys.stdout, Logger):
        sys.stdout.close()
        sys.stdout = sys.stdout.console
    sys.stdout = Logger(path)
