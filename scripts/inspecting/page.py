"""Pages as files: one of HTML that needs nothing else, the same numbers as JSON, and the figures as PNG and PDF."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from trainers.blocks.errors import InputError
from trainers.blocks.run.files import replace_file

from .drawing import as_bytes, as_svg
from .thumbnails import Thumbnails

ENDINGS = ("png", "pdf")


@dataclass
class Page:
    """One page: the name of its template, its numbers, its figures, and what else the template needs."""

    template: str
    numbers: Mapping[str, Any]
    figures: Mapping[str, Figure] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


def templates() -> Environment:
    """All values are escaped, whatever they are, and one that is missing is an error."""
    loader = FileSystemLoader(Path(__file__).with_name("templates"))
    made = Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    made.filters |= {"fixed": fixed, "signed": signed, "short": short, "duration": duration}
    return made


def fixed(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def short(value: float | None) -> str:
    """Four significant digits."""
    return "–" if value is None else f"{value:.4g}".replace("-", "−")


def signed(value: float | None, digits: int = 1) -> str:
    if value is None or not round(value, digits):
        return fixed(None if value is None else 0.0, digits)
    return f"{value:+.{digits}f}".replace("-", "−")


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"


def write_page(page: Page, path: Path) -> list[Path]:
    """Writes the page, its numbers beside it, and its figures into a folder beside it; gives the files.

    All is made before the first file is written, each is written whole or not at all, and the page comes last.
    Raises InputError where that fails.
    """
    thumbnails = Thumbnails()
    drawings = {name: Markup(as_svg(figure)) for name, figure in page.figures.items()}  # matplotlib escapes
    values = {"numbers": page.numbers, "drawings": drawings, "thumbnail": thumbnails.of, **page.more}
    text = templates().get_template(page.template).render(values)
    files = {
        figure_folder(path) / f"{name}.{ending}": as_bytes(figure, ending)
        for name, figure in page.figures.items()
        for ending in ENDINGS
    }
    files[path.with_suffix(".json")] = json.dumps(page.numbers, indent=1).encode()
    files[path] = text.encode("utf-8", "replace")
    for file, content in files.items():
        replace_file(file, content)
    return list(files)


def figure_folder(path: Path) -> Path:
    return path.with_suffix("")


def check_writable(path: Path) -> None:
    """Raises InputError, before anything is computed, where the page could not be written."""
    if path.suffix not in (".html", ".htm"):
        raise InputError(f"{path} should end in .html; the numbers and figures beside it are named after it.")
    if path.is_dir():
        raise InputError(f"{path} cannot be written: it is a folder.")
    if figure_folder(path).is_file():
        raise InputError(
            f"{path} cannot be written: {figure_folder(path)} is a file, and its figures go to a folder there."
        )
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise InputError(f"{path} cannot be written: {above} is no folder that can be written to.")
