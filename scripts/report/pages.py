"""Puts what a command prints between two marks of a page, so that no figure of the documentation is typed by hand."""

import argparse
from pathlib import Path

from common.errors import fail

from trainers.blocks.errors import InputError
from trainers.blocks.run.files import replace_file


def add_into(parser: argparse.ArgumentParser) -> None:
    into = "put the table into this page, between its marks, instead of printing it"
    parser.add_argument("--into", metavar="PAGE", type=Path, help=into)
    parser.add_argument(
        "--section", metavar="NAME", help="the name in the page's marks (default: what the table is of)"
    )


def publish(text: str, page: Path | None, section: str, fenced: bool = True) -> None:
    """Prints the text, or puts it into the page, `fenced` as what a terminal shows; a fault ends the program."""
    if page is None:
        print(text)
        return
    try:
        replace_file(page, with_section(page, section, f"```\n{text}\n```" if fenced else text).encode())
    except InputError as error:
        fail(error)
    print(f"{page}: {section}")


def with_section(page: Path, section: str, text: str) -> str:
    """The page with this text between the section's marks. Raises InputError where it has no such marks."""
    first, last = (f"<!-- {word} {section} -->" for word in ("begin", "end"))
    try:
        whole = page.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{page} cannot be read: {error.strerror}.") from error
    before, begun, rest = whole.partition(first)
    _, ended, after = rest.partition(last)
    if not (begun and ended):
        raise InputError(f"{page} has no place for the table: put a line {first} into it, and below that {last}.")
    return f"{before}{first}\n{text}\n{last}{after}"
