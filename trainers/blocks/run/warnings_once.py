"""Warnings of libraries, each shown once in a run, however many processes give it."""

import hashlib
import os
import re
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHOWN = "SHIP_WARNINGS_SHOWN"  # environment variable by which the processes of a run find what has been shown


@contextmanager
def warnings_once() -> Iterator[None]:
    """Shows a warning of the same words and kind once, numbers aside, in this process and those that it starts.

    What has been shown is known by files in a temporary folder: workers, which are new in every epoch, share it.
    """
    show = warnings.showwarning
    with folder_of_run() as shown:

        def show_once(message, category, filename, lineno, file=None, line=None) -> None:
            words = re.sub(r"\d+", "0", f"{category.__name__} {message}")  # a process may have fewer workers, say
            mark = Path(shown, hashlib.sha256(words.encode()).hexdigest())
            try:
                os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return
            except OSError:
                pass
            show(message, category, filename, lineno, file, line)

        warnings.showwarning = show_once
        try:
            yield
        finally:
            warnings.showwarning = show


@contextmanager
def folder_of_run() -> Iterator[str]:
    """The folder of the run that started this process; else a new one, while entered."""
    if SHOWN in os.environ:
        yield os.environ[SHOWN]
        return
    with tempfile.TemporaryDirectory(prefix="warnings-", ignore_cleanup_errors=True) as folder:
        os.environ[SHOWN] = folder
        try:
            yield folder
        finally:
            del os.environ[SHOWN]
