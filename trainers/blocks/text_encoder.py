"""CLIP's frozen text tower, fast and exact: trimmed to the longest prompt, the shared prefix run once.

Both savings rest on causal attention. Nothing behind the EOT token can reach it, so positions behind the last EOT
of the batch are not run. And a prefix that prompts have in common (SOS and CoOp's context) sees nothing of what
follows it, so it is run once, and every prompt attends to its keys and values; gradients flow through them.
In the last block only the EOT's row is read, so only that row is computed.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TextEncoder(nn.Module):
    """The text tower of a `clip.model.CLIP`, fed with token embeddings instead of token numbers.

    Shapes: G prefixes of P tokens, N prompts of S further tokens, width W, feature dimension D.
    Equal to `CLIP.encode_text` up to rounding.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.token_embedding = model.token_embedding
        self.positional_embedding = model.positional_embedding
        self.blocks = model.transformer.resblocks
        self.ln_final = model.ln_final
        self.text_projection = model.text_projection

    @property
    def dtype(self) -> torch.dtype:
        return self.text_projection.dtype

    @property
    def device(self) -> torch.device:
        return self.text_projection.device

    @property
    def width(self) -> int:
        return self.text_projection.shape[0]

    @property
    def window(self) -> int:
        """The longest prompt in tokens, SOS and EOT included."""
        return self.positional_embedding.shape[0]

    def embed(self, tokens: Tensor) -> Tensor:
        """Token numbers (..., S) to embeddings (..., S, W)."""
        return self.token_embedding(tokens).type(self.dtype)

    def encode_tokens(self, tokens: Tensor) -> Tensor:
        """Features (N, D) of token numbers (N, S) as `clip.tokenize` gives them; EOT is the highest number."""
        prefix, suffix = self.embed(tokens[:1, :1]), self.embed(tokens[:, 1:])
        return self(prefix, suffix, tokens.argmax(dim=-1) - 1)[0]

    def forward(self, prefix: Tensor, suffix: Tensor, eot: Tensor) -> Tensor:
        """Features (G, N, D), not normalized, of every suffix behind every prefix.

        prefix (G, P, W) starts with SOS; suffix (N, S, W); eot (N,) is the EOT's position in its suffix.
        """
        shared, length = prefix.shape[1], int(eot.max()) + 1
        position = self.positional_embedding.type(self.dtype)
        head = prefix.type(self.dtype) + position[:shared]
        tail = suffix[:, :length].type(self.dtype) + position[shared : shared + length]
        tail = tail.expand(len(head), *tail.shape).flatten(0, 1)  # (G * N, S, W)
        causal = torch.ones(shared + length, shared + length, dtype=torch.bool, device=tail.device).tril()

        for block in self.blocks[:-1]:
            head, tail = _both(block, head, tail, causal)
        tail = _at_eot(self.blocks[-1], head, tail, causal, eot.repeat(len(head)))
        features = self.ln_final(tail).type(self.dtype) @ self.text_projection
        return features.unflatten(0, (len(head), len(suffix)))


def _both(block: nn.Module, head: Tensor, tail: Tensor, causal: Tensor) -> tuple[Tensor, Tensor]:
    """One residual block over prefixes (G, P, W) and what follows them (G * N, S, W)."""
    shared = head.shape[1]
    head_in, tail_in = block.ln_1(head), block.ln_1(tail)
    past = _keys_values(block.attn, head_in)
    present = _with_past(past, _keys_values(block.attn, tail_in))
    new_head = _residual(block, head, _attend(block.attn, head_in, past, causal[:shared, :shared]))
    new_tail = _residual(block, tail, _attend(block.attn, tail_in, present, causal[shared:]))
    return new_head, new_tail


def _at_eot(block: nn.Module, head: Tensor, tail: Tensor, causal: Tensor, eot: Tensor) -> Tensor:
    """The last block, for the EOT's rows alone: (G * N, W)."""
    shared, rows = head.shape[1], torch.arange(len(tail), device=tail.device)
    tail_in = block.ln_1(tail)
    present = _with_past(_keys_values(block.attn, block.ln_1(head)), _keys_values(block.attn, tail_in))
    visible = causal[shared + eot][:, None, None]  # (G * N, heads, 1 query, P + S)
    attended = _attend(block.attn, tail_in[rows, eot][:, None], present, visible)
    return _residual(block, tail[rows, eot], attended[:, 0])


def _heads(attn: nn.MultiheadAttention, x: Tensor) -> Tensor:
    """(B, S, W) to (B, heads, S, W / heads)."""
    return x.unflatten(-1, (attn.num_heads, -1)).transpose(1, 2)


def _keys_values(attn: nn.MultiheadAttention, x: Tensor) -> tuple[Tensor, Tensor]:
    width = x.shape[-1]
    keys, values = F.linear(x, attn.in_proj_weight[width:], attn.in_proj_bias[width:]).chunk(2, dim=-1)
    return _heads(attn, keys), _heads(attn, values)


def _with_past(past: tuple[Tensor, Tensor], present: tuple[Tensor, Tensor]) -> list[Tensor]:
    """Keys and values of G prefixes put before those of the G * N suffixes that follow them."""
    return [
        torch.cat([old[:, None].expand(-1, len(new) // len(old), -1, -1, -1).flatten(0, 1), new], dim=2)
        for old, new in zip(past, present, strict=True)
    ]


def _attend(attn: nn.MultiheadAttention, x: Tensor, keys_values, visible: Tensor) -> Tensor:
    """Attention of x's rows (B, S, W) over given keys and values, before the output projection."""
    width = x.shape[-1]
    queries = _heads(attn, F.linear(x, attn.in_proj_weight[:width], attn.in_proj_bias[:width]))
    return F.scaled_dot_product_attention(queries, *keys_values, attn_mask=visible).transpose(1, 2).flatten(2)


def _residual(block: nn.Module, x: Tensor, attended: Tensor) -> Tensor:
    x = x + block.attn.out_proj(attended)
    return x + block.mlp(block.ln_2(x))
