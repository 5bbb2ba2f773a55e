"""Figures on disk."""

from collections.abc import Iterable
from pathlib import Path

from common.errors import fail


def save(drawn: Iterable[tuple[str, object]], folder: Path) -> list[Path]:
    """Writes each of the named figures (matplotlib's) as PNG and PDF; the folder is made with the first.

    Ends the program with status 2 where matplotlib, which draws as the figures are asked for, is not there, or a file
    cannot be written.
    """
    written = []
    try:
        for name, figure in drawn:
            folder.mkdir(parents=True, exist_ok=True)
            for ending in ("png", "pdf"):
                written.append(folder / f"{name}.{ending}")
                figure.savefig(written[-1], dpi=300)
    except ModuleNotFoundError as missing:
        if not (missing.name or "").startswith("matplotlib"):
            raise
        fail("plots need matplotlib: pip install matplotlib")
    except OSError as error:
        fail(f"cannot write to {folder}: {error}")
    return written
