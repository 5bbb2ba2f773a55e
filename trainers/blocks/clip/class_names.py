"""Whether CLIP can read the names of classes, and tell the classes apart by them."""

from collections import defaultdict
from collections.abc import Sequence

from ..errors import InputError
from .tokenizer import Tokenizer

NAMED = 5  # how many names a message has


def check_class_names(classnames: Sequence[str], tokenizer: Tokenizer) -> None:
    """Raises InputError for names that are no text for CLIP; prints a line about those that are doubtful.

    No text: what comes to no token at all, what cannot be encoded, and what holds CLIP's marks of a prompt's start
    and end, behind which it reads nothing. Doubtful: names of several classes, which have the same prompt; names
    that are not ASCII, of which CLIP reads the bytes, and of which it has seen few.
    """
    unreadable = [repr(name) for name in classnames if not is_readable(name, tokenizer)]
    if unreadable:
        raise InputError(
            f"{len(unreadable)} class names are empty, or no text that CLIP could read: {first(unreadable)}.\n"
            "Name these classes in the dataset's split file or classnames.txt."
        )
    shared = [f"{name} (classes {', '.join(map(str, labels))})" for name, labels in repeated(classnames).items()]
    if shared:
        print(f"Note: {len(shared)} names are of several classes, which CLIP cannot tell apart: {first(shared)}")
    foreign = [f"{name} ({len(tokenizer.encode(name))} tokens)" for name in classnames if not name.isascii()]
    if foreign and tokenizer.byte_level:
        print(f"Note: {len(foreign)} class names are not ASCII; CLIP reads them byte by byte: {first(foreign)}")


def is_readable(name: object, tokenizer: Tokenizer) -> bool:
    if not isinstance(name, str) or any(mark in name.lower() for mark in tokenizer.marks):
        return False
    try:
        return bool(tokenizer.encode(name.replace("_", " ")))
    except UnicodeEncodeError:
        return False


def spoken(name: str) -> str:
    """The name as far as CLIP reads it: case, spaces and underscores make no difference to it."""
    return " ".join(name.replace("_", " ").lower().split())


def repeated(classnames: Sequence[str]) -> dict[str, list[int]]:
    """Labels of the names that occur more than once, for CLIP."""
    labels = defaultdict(list)
    for label, name in enumerate(classnames):
        labels[spoken(name)].append(label)
    return {name: found for name, found in labels.items() if len(found) > 1}


def first(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
