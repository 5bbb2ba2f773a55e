"""The plain path that the fast text encoder is compared with: CLIP's own modules over all 77 positions."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from trainers.blocks.text_encoder import TextEncoder


class PlainTextEncoder(TextEncoder):
    """Pads every prompt to the window, and runs each by itself, whatever it shares with others."""

    def __init__(self, model) -> None:
        super().__init__(model)
        self.model = model

    def encode_tokens(self, tokens: Tensor) -> Tensor:
        return self.model.encode_text(tokens)

    def forward(self, prefix: Tensor, suffix: Tensor, eot: Tensor) -> Tensor:
        groups, prompts = len(prefix), len(suffix)
        before = prefix[:, None].expand(-1, prompts, -1, -1).flatten(0, 1)
        x = torch.cat([before, suffix.expand(groups, *suffix.shape).flatten(0, 1)], dim=1)[:, : self.window]
        x = pad(x, (0, 0, 0, self.window - x.shape[1])).type(self.dtype) + self.positional_embedding.type(self.dtype)
        x = self.model.transformer(x.permute(1, 0, 2)).permute(1, 0, 2)
        x = self.ln_final(x).type(self.dtype)
        ends = (prefix.shape[1] + eot).repeat(groups)
        return (x[torch.arange(len(x)), ends] @ self.text_projection).unflatten(0, (groups, prompts))
