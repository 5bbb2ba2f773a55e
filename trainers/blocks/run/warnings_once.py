"""Warnings of libraries, each shown once in a run, however many loader workers give it."""

import hashlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def warnings_once() -> Iterator[None]:
    """Shows a warning of the same words and kind once, in this process and those that it forks.

    What has been shown is known by files in a temporary folder: workers, which are new in every epoch, share it.
    """
    show = warnings.showwarning
    with tempfile.TemporaryDirectory(prefix="warnings-", ignore_cleanup_errors=True) as shown:

        def show_once(message, category, filename, lineno, file=None, line=None) -> None:
            mark = Path(shown, hashlib.sha256(f"{category.__name__} {message}".encode()).hexdigest())
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
