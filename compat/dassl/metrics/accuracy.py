"""Top-k accuracy of a batch."""

from collections.abc import Sequence

import torch


def compute_accuracy(
    output: torch.Tensor | Sequence[torch.Tensor], target: torch.Tensor, topk: Sequence[int] = (1,)
) -> list[torch.Tensor]:
    """Return for each k the share in % of rows whose label is among the k highest logits.

    `output` is (B, C), or a sequence of which the first entry is; `target` is (B,); each result has shape
    (1,).
    """
    if isinstance(output, (tuple, list)):
        output = output[0]
    ranked = output.topk(max(topk), dim=1).indices
    hits = ranked == target.view(-1, 1)
    return [hits[:, :k].float().sum().view(1) * (100.0 / len(target)) for k in topk]
