"""What can go wrong while fetching."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FetchError(Exception):
    """A step that failed; the message says what failed and, where there is one, the way out."""


class DiskFullError(FetchError):
    """No space is left, so that further steps are not worth trying."""


@contextmanager
def writing(path: Path, full: str) -> Iterator[None]:
    """Turns the errors of writing at `path` into messages; `full` says what has become of things on a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(f"the disk of {path} is full; {full}") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise FetchError(f"{error.filename or path} cannot be written ({error.strerror})") from error
        raise
