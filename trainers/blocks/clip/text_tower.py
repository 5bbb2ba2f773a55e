"""What text encoders have in common, whichever way they run their tower."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..run.randomness import to_go_back
from .chunks import Chunks, Made
from .tokenizer import Tokenizer


class TextTower(nn.Module):
    """A text tower, fed with token embeddings; its `encode_tokens` takes token numbers."""

    path: str  # how it runs, for the log
    dtype: torch.dtype  # of embeddings and features
    device: torch.device
    width: int  # of embeddings

    def __init__(self, token_embedding: nn.Module, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.token_embedding, self.tokenizer = token_embedding, tokenizer
        self.chunks = Chunks()  # how many prompts are encoded at once

    @property
    def window(self) -> int:
        """The longest prompt in tokens, marks of start and end included."""
        return self.tokenizer.window

    def cast(self, dtype: torch.dtype) -> None:
        """Has products in this type from here on; raises InputError where it cannot be."""
        raise NotImplementedError

    def use_graphs(self) -> None:
        """Has passes whose shapes repeat as CUDA graphs; raises InputError where it cannot be."""
        raise InputError("TRAINER.TEXT_GRAPHS is for text towers that run short, and this backbone's runs whole.")

    def embed(self, tokens: Tensor) -> Tensor:
        """Token numbers (..., S) to embeddings (..., S, W)."""
        return self.token_embedding(tokens).type(self.dtype)

    def within_memory(self, run: Callable[[], Made]) -> Made:
        """run(), which encodes prompts, and has their gradients too.

        Where memory is out in that, and the number of prompts at once is not the user's, once more with half as many
        and the same random numbers.
        """
        self.chunks, go_back = replace(self.chunks, seen=0), to_go_back()
        try:
            return run()
        except (RuntimeError, MemoryError) as error:
            if not self.chunks.can_halve(self.chunks.seen, error):
                raise
        self.chunks = self.chunks.halved(self.chunks.seen)  # from here on nothing holds what had been computed
        self.let_go()
        go_back()
        return run()

    def let_go(self) -> None:
        """Frees memory that is taken for speed alone."""
