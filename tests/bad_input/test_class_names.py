"""Class names that CLIP cannot read: name, words of the message; and those that are taken with a note."""

import re

import pytest

from trainers.blocks.clip.class_names import check_class_names
from trainers.blocks.clip.tokenizer import clip_tokenizer

EMPTY = "class names are empty, or no text that CLIP could read"
CASES = [
    ("", EMPTY),
    (" ", EMPTY),
    ("_", EMPTY),
    ("\t\n", EMPTY),
    ("&nbsp;", EMPTY),
    ("a <|endoftext|> b", EMPTY),
    ("<|StartOfText|>", EMPTY),
    ("\ud800", "is not a readable split file"),
    (5, "is not a readable split file"),
    (None, "is not a readable split file"),
    (["boxer"], "is not a readable split file"),
    ("very " * 80 + "boxer", "tokens)"),
    ("1234567890" * 8, "tokens)"),
    ("狗" * 80, "tokens)"),
    ("🐶" * 80, "tokens)"),
]


@pytest.mark.parametrize(("name", "words"), CASES, ids=[repr(case[0])[:20] for case in CASES])
def test_bad_class_name_is_refused(name, words, world):
    def rename(parts: dict) -> None:
        for rows in parts.values():
            rows[:] = [[path, label, name if old == "boxer" else old] for path, label, old in rows]

    world.change_split(rename)
    world.refused(words)


@pytest.mark.parametrize(
    ("names", "note"),
    [
        (["cat", "missile", "dog", "missile"], "1 names are of several classes.*missile \\(classes 1, 3\\)"),
        (["Guinea_pig", "guinea pig"], "guinea pig \\(classes 0, 1\\)"),
        (["café", "cat"], "1 class names are not ASCII.*café \\(\\d tokens\\)"),
        (["cat", "dog"], None),
    ],
)
def test_doubtful_names_are_taken_with_a_note(names, note, capsys):
    check_class_names(names, clip_tokenizer())
    printed = capsys.readouterr().out
    assert re.search(note, printed) if note else not printed
