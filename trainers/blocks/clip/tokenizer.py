"""What a text tower takes for text: token numbers between marks of start and end, and padding."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from clip.simple_tokenizer import SimpleTokenizer
from torch import Tensor

WINDOW = 77  # of OpenAI's models


@dataclass(frozen=True)
class Tokenizer:
    """A backbone's tokenizer: `start`, what `encode` makes of a text, `eot`, then `pad` up to the window."""

    encode: Callable[[str], list[int]]
    start: tuple[int, ...]
    eot: int
    pad: int
    window: int  # the longest prompt in tokens, start and end included
    marks: tuple[str, ...] = ()  # words that it would take for start or end
    filler: str = "X"  # a word of one token, which stands where a learned context goes
    byte_level: bool = True  # whether letters that it does not know come to tokens of single bytes

    def numbers(self, text: str) -> list[int]:
        """Token numbers of a text with its marks, however long."""
        return [*self.start, *self.encode(text), self.eot]

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Token numbers (N, window); raises ValueError for texts that do not fit."""
        rows = [self.numbers(text) for text in texts]
        if any(len(row) > self.window for row in rows):
            raise ValueError(f"there are texts of more than {self.window} tokens")
        return torch.tensor([row + [self.pad] * (self.window - len(row)) for row in rows])

    def ends(self, tokens: Tensor) -> Tensor:
        """Where the text ends in token numbers (N, S): the position of the first EOT, (N,)."""
        return (tokens == self.eot).int().argmax(dim=-1)


@cache
def clip_tokenizer(window: int = WINDOW) -> Tokenizer:
    """CLIP's own, of OpenAI."""
    own = byte_pairs()
    marks = ("<|startoftext|>", "<|endoftext|>")
    start, end = (own.encoder[mark] for mark in marks)
    return Tokenizer(own.encode, (start,), end, 0, window, marks)


@cache
def byte_pairs() -> SimpleTokenizer:
    """It takes a while to build."""
    return SimpleTokenizer()
