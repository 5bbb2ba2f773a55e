"""A frozen text tower, fast and exact: trimmed to the longest prompt, the shared prefix run once.

Both savings rest on causal attention. Nothing behind the EOT token can reach it, so positions behind the last EOT
of the batch are not run. And a prefix that prompts have in common (SOS and CoOp's context) sees nothing of what
follows it, so it is run once, and every prompt attends to its keys and values; gradients flow through them.
In the last block only the EOT's row is read, so only that row is computed.
"""

import gc
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import Block, described
from .chunks import cuts, kept_of, recomputed
from .graphs import TextGraphs
from .packing import Layouts, Packed, Padded, padded
from .precision import cast_weights
from .products import fast_products
from .text_tower import TextTower
from .tokenizer import Tokenizer, clip_tokenizer

KeysValues = tuple[Tensor, Tensor]
# About how many numbers, in units of the width, a block keeps for the backward pass (measured, CPU, fp32):
BY_TOKEN = 24  # of each token up to the EOT
BY_PLACE = 8  # of each token up to the longest EOT: queries, keys and values are padded
LIKE = 256  # prompts at once on a CPU: beyond, those of like length run by themselves, with less padding in attention
HALF = 2.3  # bytes of one where products are in 16 bits, on average: norms keep theirs in fp32 (measured, CPU, bf16)


class TextEncoder(TextTower):
    """A text tower, fed with token embeddings instead of token numbers.

    Shapes: G prefixes of P tokens, N prompts of S further tokens, width W, feature dimension D.
    Equal to the model's own `encode_text` up to rounding.
    """

    path = "exact and short: a shared beginning runs once, prompts end at their EOT"

    def __init__(self, model: nn.Module, tokenizer: Tokenizer | None = None, reads_last: bool = False) -> None:
        """`model` has its parts by the names that they have in `clip.model.CLIP`; it can be one.

        The tokenizer is CLIP's unless it is given. `reads_last`: the feature is that of the window's last token,
        behind padding, and not that of EOT. Raises UnknownLayout for blocks that are none of those in blocks.py.
        """
        super().__init__(model.token_embedding, tokenizer or clip_tokenizer(len(model.positional_embedding)))
        self.positional_embedding = model.positional_embedding
        self.blocks = model.transformer.resblocks
        self.ln_final = model.ln_final
        self.text_projection = model.text_projection  # a matrix (W, D), a linear layer or None
        self.reads_last = reads_last
        self._parts: list[Block] = [described(block) for block in self.blocks]
        self.autocast: torch.dtype | None = None  # in which products are, where what passes the blocks is fp32
        self._layout = Layouts()
        self._kept: tuple[tuple, list[KeysValues]] | None = None  # what SOS alone comes to, and when that holds
        self.graphs: TextGraphs | None = None  # of passes whose shapes repeat

    @property
    def _projection(self) -> Tensor:
        """A tensor whose type is that of the features."""
        if self.text_projection is None:
            return self.positional_embedding
        return getattr(self.text_projection, "weight", self.text_projection)

    @property
    def dtype(self) -> torch.dtype:
        """Of embeddings and features; the blocks may compute in another."""
        return self._projection.dtype

    @property
    def blocks_dtype(self) -> torch.dtype:
        """Of what passes the blocks."""
        return torch.float32 if self.autocast else self._parts[0].attention.weight.dtype

    def cast(self, dtype: torch.dtype) -> None:
        """Has products in this type from here on, as PyTorch's autocast has them, but casts weights once.

        Norms and what passes from block to block are in fp32, whatever the weights were in before.
        """
        self.autocast = dtype
        cast_weights(self.blocks.float(), dtype)
        self.ln_final.float()
        self._projection.data = self._projection.data.float()

    @property
    def device(self) -> torch.device:
        return self.positional_embedding.device

    @property
    def width(self) -> int:
        return self.positional_embedding.shape[1]

    def encode_tokens(self, tokens: Tensor) -> Tensor:
        """Features (N, D) of token numbers (N, S) as the tokenizer gives them."""
        eot, start = self.tokenizer.ends(tokens), len(self.tokenizer.start)
        prefix, suffix = self.embed(tokens[:1, :start]), self.embed(tokens[:, start : int(eot.max()) + 1])
        return self(prefix, suffix, eot - start)[0]

    def forward(self, prefix: Tensor, suffix: Tensor, eot: Tensor) -> Tensor:
        """Features (G, N, D), not normalized, of every suffix behind every prefix.

        prefix (G, P, W) starts with SOS; suffix (N, S, W); eot (N,) is the EOT's position in its suffix. A GPU waits
        for nothing where eot is on the CPU, and else once.
        """
        if self.reads_last:
            suffix, eot = self.up_to_the_window(suffix, eot, self.window - prefix.shape[1])
        if self.autocast:
            with torch.autocast(prefix.device.type, self.autocast):
                return self.encoded(prefix, suffix, eot.tolist())
        return self.encoded(prefix, suffix, eot.tolist())

    def encoded(self, prefix: Tensor, suffix: Tensor, ends: Sequence[int]) -> Tensor:
        """The same, as many prompts at once as memory has room for."""
        suffix = suffix[:, : max(ends) + 1]
        typical, longest = sum(ends) / len(ends) + 1, suffix.shape[1]
        bytes_each = [self.bytes_each(prefix, suffix, tokens) for tokens in (typical, longest)]
        count = len(prefix) * len(suffix)
        planned = min(count, self.chunks.prompts(count, *bytes_each))
        if self.graphs and planned == count and not torch.is_autocast_enabled(prefix.device.type):
            features = self.graphs(prefix, suffix, tuple(ends))
            if features is not None:
                self.chunks = self.chunks.after(count)
                return features
        past = self.past_of(prefix)

        def run(size: int) -> Tensor:
            together = LIKE if self.device.type == "cpu" else size
            if count <= min(size, together):
                return self.run_suffix(past, suffix, ends)
            fits, as_planned = size >= count, size == planned  # it is less where memory was out
            room = math.inf if fits else self.chunks.room if as_planned else 0
            return self.run_parts(min(size, together), room, past, suffix, ends)

        features, self.chunks = self.chunks.run(run, planned)
        return features

    def up_to_the_window(self, suffix: Tensor, eot: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Suffixes with padding behind their EOT, of so many tokens, and the last of these for each (N,)."""
        pad = self.embed(torch.tensor(self.tokenizer.pad, device=self.device))
        return padded(suffix, eot, length, pad), torch.full_like(eot, length - 1)

    def run_parts(
        self, size: int, room: float, past: list[KeysValues], suffix: Tensor, ends: Sequence[int]
    ) -> Tensor:
        """What `run_suffix` gives, `size` prompts at a time.

        The backward pass runs again those for which `room`, in bytes, is not enough.
        """
        order = torch.tensor(ends).argsort(stable=True)  # prompts of like length together
        ends, order, rows = [ends[row] for row in order.tolist()], order.to(suffix.device), []
        suffix, inputs = suffix[order], []
        for group, part in cuts(len(past[0][0]), len(suffix), size):
            some = [(keys[group], values[group]) for keys, values in past]
            inputs.append((some, suffix[part, : ends[part][-1] + 1], ends[part]))
        kept = kept_of([self.bytes_of(*one) for one in inputs], room)
        for number, one in enumerate(inputs):
            again = number < len(inputs) - kept
            rows.append((recomputed(self.run_suffix, *one) if again else self.run_suffix(*one)).flatten(0, 1))
        return torch.cat(rows).unflatten(0, (-1, len(suffix)))[:, order.argsort()]

    def bytes_of(self, past: list[KeysValues], suffix: Tensor, ends: Sequence[int]) -> int:
        """About how much memory `run_suffix` takes for these."""
        keys = past[0][0].transpose(1, 2)  # (G, P, …), as prefixes are
        return len(keys) * len(suffix) * self.bytes_each(keys, suffix, sum(ends) / len(ends) + 1)

    def bytes_each(self, prefix: Tensor, suffix: Tensor, tokens: float) -> int:
        """About how much memory a prompt of so many tokens takes, of suffixes (N, S, W) behind prefixes (G, P, …)."""
        learning = torch.is_grad_enabled() and (suffix.requires_grad or prefix.requires_grad)
        layers = len(self.blocks) if learning else 1
        numbers = BY_TOKEN * tokens + BY_PLACE * suffix.shape[1] + 2 * prefix.shape[1]
        size = (self.autocast or self.blocks_dtype).itemsize
        return int(layers * self.width * numbers * (HALF if size == 2 else size))

    def past_of(self, prefix: Tensor) -> list[KeysValues]:
        """What `run_prefix` gives; of the same SOS alone, in which nothing is learned, it is kept."""
        if prefix.shape[:2] != (1, 1) or prefix.requires_grad:
            return self.run_prefix(prefix)
        weights, autocast = self._parts[0].attention.weight, torch.is_autocast_enabled(prefix.device.type)
        state = (prefix._version, weights.data_ptr(), weights._version, weights.dtype, autocast)
        if self._kept is None or self._kept[0][0] is not prefix or self._kept[0][1] != state:
            past = self.run_prefix(prefix)
            if any(part.requires_grad for pair in past for part in pair):
                return past  # of a tower that is trained
            self._kept = (prefix, state), past
        return self._kept[1]

    def run_prefix(self, prefix: Tensor) -> list[KeysValues]:
        """Keys and values (G, heads, P, W / heads) of prefixes (G, P, W) in every block."""
        x = self.placed(prefix, 0)
        visible, past = _causal(0, x, self.autocast), []
        with fast_products(x.device):
            for block in self._parts:
                x_in, attention = block.norm_1(x), block.attention
                past.append(_heads(attention.heads, attention.keys_values(x_in)))
                if block is not self._parts[-1]:
                    x = block.after_attention(x, _attend(attention.heads, attention.queries(x_in), past[-1], visible))
        return past

    def run_suffix(self, past: list[KeysValues], suffix: Tensor, ends: Sequence[int]) -> Tensor:
        """Features (G, N, D) of suffixes (N, S, W), which attend to their own tokens and the prefixes'."""
        tokens = self._layout((*ends,) * len(past[0][0]), suffix.shape[1], suffix.device)
        with fast_products(suffix.device):  # here, since the backward pass may run it again
            return self.run_tokens(past, suffix, tokens)

    def run_whole(self, prefix: Tensor, suffix: Tensor, tokens: Padded | Packed) -> Tensor:
        """`run_tokens` of prefixes (G, P, W), which nothing is kept of: it needs nothing from the CPU."""
        return self.run_tokens(self.run_prefix(prefix), suffix, tokens)

    def use_graphs(self) -> None:
        """Has passes whose shapes repeat as CUDA graphs.

        Under autocast, which TRAINER.TEXT_PREC and PREC amp are, none is made.
        """
        self.graphs = TextGraphs(self.run_whole, self._layout)

    def let_go(self) -> None:
        if self.graphs:
            self.graphs.graphs.clear()
            gc.collect()  # they refer to themselves

    def run_tokens(self, past: list[KeysValues], suffix: Tensor, tokens: Padded | Packed) -> Tensor:
        """`run_suffix` with the tokens of its G * N prompts laid out."""
        groups, _, shared, _ = past[0][0].shape
        x = self.placed(suffix, shared)
        x = x.expand(groups, *x.shape).flatten(0, 1)  # (G * N, S, W)
        visible = _causal(shared, x, self.autocast)
        x = tokens.pack(x)
        for block, before in zip(self._parts, past, strict=True):
            attention, x_in = block.attention, block.norm_1(x)
            present = _heads(attention.heads, tokens.unpack(attention.keys_values(x_in)))
            present = _with_past(before, present)
            if block is self._parts[-1]:  # the EOT's row alone
                queries, rows = attention.queries(tokens.last(x_in))[:, None], visible[tokens.eot][:, None, None]
                attended = _attend(attention.heads, queries, present, rows)[:, 0]
                x = block.after_attention(tokens.last(x), attended)
            else:
                queries = tokens.unpack(attention.queries(x_in))
                x = block.after_attention(x, tokens.pack(_attend(attention.heads, queries, present, visible)))
        features = self.projected(self.ln_final(x.type(self.dtype)).type(self.dtype))
        return features.unflatten(0, (groups, len(suffix)))

    def projected(self, x: Tensor) -> Tensor:
        """(…, W) to (…, D)."""
        if isinstance(self.text_projection, nn.Module):
            return self.text_projection(x)
        return x if self.text_projection is None else x @ self.text_projection

    def placed(self, embeddings: Tensor, first: int) -> Tensor:
        """Embeddings (..., S, W) with those of their positions, which begin with `first`; as the blocks take them."""
        positions = self.positional_embedding[first : first + embeddings.shape[-2]]
        return (embeddings.type(self.dtype) + positions.type(self.dtype)).type(self.blocks_dtype)


def _causal(shared: int, x: Tensor, autocast: torch.dtype | None) -> Tensor:
    """What is added to scores of `shared` tokens and x's own (B, S, W), by each of x's: (S, shared + S).

    0 for those that it may see and −∞ for the others; made of truth values, it would be made anew in every block.
    """
    length = x.shape[1]
    nowhere = torch.full((length, shared + length), float("-inf"), dtype=autocast or x.dtype, device=x.device)
    return nowhere.triu(shared + 1)


def _heads(heads: int, x: Tensor) -> KeysValues:
    """Keys and values (B, S, 2 W) to (B, heads, S, W / heads) each."""
    return tuple(_split(heads, part) for part in x.chunk(2, dim=-1))


def _split(heads: int, x: Tensor) -> Tensor:
    """(B, S, W) to (B, heads, S, W / heads)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _with_past(past: KeysValues, present: KeysValues) -> KeysValues:
    """Keys and values of G prefixes put before those of the G * N suffixes that follow them."""
    return tuple(
        torch.cat([old[:, None].expand(-1, len(new) // len(old), -1, -1, -1).flatten(0, 1), new], dim=2)
        for old, new in zip(past, present, strict=True)
    )


def _attend(heads: int, queries: Tensor, keys_values: KeysValues, visible: Tensor) -> Tensor:
    """Attention of queries (B, S, W) over given keys and values, before the output projection."""
    queries = _split(heads, queries)
    slow = queries.device.type == "cpu" and queries.dtype.itemsize == 2
    attend = _attend_in_products if slow else F.scaled_dot_product_attention
    return attend(queries, *keys_values, attn_mask=visible).transpose(1, 2).flatten(2)


def _attend_in_products(queries: Tensor, keys: Tensor, values: Tensor, attn_mask: Tensor) -> Tensor:
    """PyTorch's scaled_dot_product_attention, spelled out: on a CPU its own takes seven times as long in 16 bits.

    The softmax is in fp32.
    """
    scores = (queries @ keys.transpose(-1, -2)).float() * queries.shape[-1] ** -0.5
    return (scores + attn_mask).softmax(dim=-1).type(values.dtype) @ values
