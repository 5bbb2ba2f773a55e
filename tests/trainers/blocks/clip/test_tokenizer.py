"""Tokens of prompts."""

import clip
import pytest
import torch

from trainers.blocks.clip.libraries import tokenizer_of
from trainers.blocks.clip.tokenizer import clip_tokenizer
from trainers.blocks.errors import InputError

TEXTS = ["a cat.", "A photo of a long-haired Airedale", "x " * 75]
WORDS = "x a photo of cat art bad the large dog in video game"
NUMBERS = {word: number for number, word in enumerate(WORDS.split(), 5)}
START, END, PAD, CLASS, WINDOW = 1, 2, 3, 4, 16


def words(text: str) -> list[int]:
    return [NUMBERS.get(word, 50) for word in text.replace(".", "").lower().split()]


def rows(before: list[int], behind: list[int], last: list[int] = []):  # noqa: B006 - it stays empty
    def row(text: str) -> list[int]:
        found = [*before, *words(text), *behind]
        return found + [PAD] * (WINDOW - len(found) - len(last)) + last

    return lambda texts: torch.tensor([row(text) for text in texts])


def test_clips_own_gives_what_clip_gives():
    assert torch.equal(clip_tokenizer()(TEXTS), clip.tokenize(TEXTS))


def test_ends_are_where_the_first_mark_of_the_end_stands():
    assert clip_tokenizer().ends(clip.tokenize(TEXTS)).tolist() == clip.tokenize(TEXTS).argmax(dim=-1).tolist()


def test_a_text_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="more than 77 tokens"):
        clip_tokenizer()(["x " * 76])


@pytest.mark.parametrize("before", [[], [START], [CLASS, START]])
def test_marks_of_a_library_are_read_off_its_rows(before):
    tokenizer = tokenizer_of(rows(before, [END]), words, ["<End>"])
    assert (tokenizer.start, tokenizer.eot, tokenizer.pad, tokenizer.window) == (tuple(before), END, PAD, WINDOW)
    assert (tokenizer.filler, tokenizer.marks) == ("X", ("<end>",))
    assert torch.equal(tokenizer(["a cat", "art"]), rows(before, [END])(["a cat", "art"]))


def test_a_mark_behind_the_padding_is_refused():
    with pytest.raises(InputError, match="no telling where a learned context would go"):
        tokenizer_of(rows([START], [END], [CLASS]), words, [])


def test_a_tokenizer_that_knows_no_words_is_refused():
    with pytest.raises(InputError, match="does not tell words apart"):
        tokenizer_of(rows([START], [END]), lambda text: [END] * len(text.split()), [])
