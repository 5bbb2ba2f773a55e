"""Figures on disk."""

from collections.abc import Iterator
from pathlib import Path


def save(drawn: Iterator[tuple[str, object]], folder: Path) -> list[Path]:
    """Writes each of the named figures (matplotlib's) as PNG and PDF; the folder is made with the first."""
    written = []
    for name, figure in drawn:
        folder.mkdir(parents=True, exist_ok=True)
        for ending in ("png", "pdf"):
            written.append(folder / f"{name}.{ending}")
            figure.savefig(written[-1], dpi=300)
    return written
