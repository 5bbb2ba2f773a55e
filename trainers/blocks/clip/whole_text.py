"""A frozen text tower run whole: for those that cannot be run short without changing what they compute.

Where every token sees all others, padding among them, or a mask follows from token numbers, nothing can be trimmed
or shared. Prompts are padded as the model was trained, and the model's own code runs on token numbers that stand in
for the prompt's, with the embeddings put in where it looks them up.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..errors import InputError
from .chunks import cuts, kept_of, recomputed
from .packing import padded
from .products import fast_products
from .text_tower import TextTower
from .tokenizer import Tokenizer

# About how many numbers, in units of the width, a block has of each token at once: 10 it keeps for the backward pass
# (measured on SigLIP's and BERT's), the others it makes on its way.
BY_TOKEN = 16


class WholeTextEncoder(TextTower):
    """The same as TextEncoder to those that use it, in shapes and results; each prompt runs by itself, as a whole.

    `encode` is the model's own way from token numbers (N, window) to features (N, D), `embedding` the module in which
    it looks up embeddings, and nothing but these may come from it.
    """

    path = "whole: every prompt runs over the whole window, padded as the model was trained"

    def __init__(
        self, encode: Callable[[Tensor], Tensor], embedding: nn.Embedding, tokenizer: Tokenizer, layers: int
    ) -> None:
        super().__init__(embedding, tokenizer)
        self.layers, self._encode = layers, encode

    @property
    def dtype(self) -> torch.dtype:
        return self.token_embedding.weight.dtype

    @property
    def device(self) -> torch.device:
        return self.token_embedding.weight.device

    @property
    def width(self) -> int:
        return self.token_embedding.embedding_dim

    def cast(self, dtype: torch.dtype) -> None:
        raise InputError("TRAINER.TEXT_PREC is for text towers that run short, and this backbone's runs whole.")

    def encode_tokens(self, tokens: Tensor) -> Tensor:
        """Features (N, D) of token numbers (N, window) as the tokenizer gives them."""
        return self.in_chunks(
            self.planned(len(tokens), learning=False),
            lambda size: torch.cat([self._encode(some) for some in tokens.split(size)]),
        )

    def forward(self, prefix: Tensor, suffix: Tensor, eot: Tensor) -> Tensor:
        """Features (G, N, D), not normalized, of every suffix behind every prefix.

        prefix (G, P, W) starts with the mark of a start, where the tokenizer has one; suffix (N, S, W); eot (N,) is
        the EOT's position in its suffix.
        """
        shared, pad = prefix.shape[1], self.embed(torch.tensor(self.tokenizer.pad, device=self.device))
        suffix, tokens = padded(suffix, eot, self.window - shared, pad), self.stand_ins(shared + eot)
        learning = torch.is_grad_enabled() and (prefix.requires_grad or suffix.requires_grad)
        count, each = len(prefix) * len(suffix), self.bytes_each(learning)
        planned = self.planned(count, learning)

        def encode(size: int) -> Tensor:
            parts = cuts(len(prefix), len(suffix), size)
            inputs, rows = [(prefix[group], suffix[part], tokens[part]) for group, part in parts], []
            room = math.inf if size >= count else self.chunks.room if size == planned else 0  # 0: memory was out
            kept = kept_of([each * len(some) * len(few) for some, few, _ in inputs], room)
            for number, one in enumerate(inputs):
                run = self.run if number >= len(inputs) - kept else self.run_again
                rows.append(run(*one).flatten(0, 1))
            return torch.cat(rows).unflatten(0, (len(prefix), len(suffix)))

        return self.in_chunks(planned, encode)

    def planned(self, count: int, learning: bool) -> int:
        """How many of `count` prompts at once memory should have room for."""
        each = self.bytes_each(learning)
        return min(count, self.chunks.prompts(count, each, each))

    def in_chunks(self, size: int, encode: Callable[[int], Tensor]) -> Tensor:
        """encode(size), or of fewer prompts at once where memory has no room for so many."""
        features, self.chunks = self.chunks.run(encode, size)
        return features

    def stand_ins(self, eot: Tensor) -> Tensor:
        """Token numbers (N, window) with EOT and padding where the prompts have theirs, and any word elsewhere."""
        word = self.tokenizer.encode(self.tokenizer.filler)[0]
        tokens = torch.full((len(eot), self.window), word)
        tokens[:, : len(self.tokenizer.start)] = torch.tensor(self.tokenizer.start, dtype=tokens.dtype)
        places = torch.arange(self.window)
        eot = eot.cpu()[:, None]
        tokens[places > eot] = self.tokenizer.pad
        tokens[places == eot] = self.tokenizer.eot
        return tokens.to(self.device)

    def run(self, prefix: Tensor, suffix: Tensor, tokens: Tensor) -> Tensor:
        """Features (G, N, D) of whole prompts, whose token numbers (N, window) are those that stand in."""
        groups, prompts = len(prefix), len(suffix)
        before = prefix[:, None].expand(-1, prompts, -1, -1).type(suffix.dtype)
        x = torch.cat([before, suffix.expand(groups, -1, -1, -1)], dim=2).flatten(0, 1)
        with _giving(self.token_embedding, x), fast_products(self.device):
            return self._encode(tokens.repeat(groups, 1)).unflatten(0, (groups, prompts))

    def run_again(self, *inputs: Tensor) -> Tensor:
        """What `run` gives; the backward pass runs it again, and memory is that of one part."""
        return recomputed(self.run, *inputs)

    def bytes_each(self, learning: bool) -> int:
        """About how much memory a prompt takes."""
        layers = self.layers if learning else 1
        return int(layers * self.width * BY_TOKEN * self.window * self.dtype.itemsize)


@contextmanager
def _giving(embedding: nn.Module, x: Tensor) -> Iterator[None]:
    """The module gives x (N, S, W) whatever it is asked for."""
    handle = embedding.register_forward_hook(lambda *_: x)
    try:
        yield
    finally:
        handle.remove()
