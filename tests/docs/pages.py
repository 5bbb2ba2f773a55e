"""The pages of the documentation, taken apart: links, headings, commands, code."""

import re
from pathlib import Path

from tests.conftest import CHECKOUT

PAGES = sorted([*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").glob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
COMMAND = re.compile(r"(?:[A-Z_]+=\S+ )*(?:bash|python|pip|mkdir) \S.*")


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return FENCE.sub("", read(page))


def links(page: Path) -> list[str]:
    return [first or second for first, second in LINK.findall(prose(page))]


def anchors(page: Path) -> set[str]:
    """Those of the page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def blocks(page: Path, language: str) -> list[str]:
    return [code for name, code in FENCE.findall(read(page)) if name == language]


def commands(page: Path) -> list[str]:
    """Every command of the page, in blocks and in running text, each as one line without its comment."""
    lines = []
    for block in blocks(page, "bash"):
        lines += re.sub(r"\\\n\s*", "", block).splitlines()
    lines += [" ".join(words.split()) for words in re.findall(r"`([^`]+)`", prose(page))]
    stripped = (re.sub(r"\s+#.*$", "", line).strip() for line in lines)
    return [line for line in dict.fromkeys(stripped) if COMMAND.fullmatch(line)]
