"""Which activation a CLIP's blocks have: OpenAI's were trained with QuickGELU, others with GELU.

Weights in OpenAI's layout do not say which, and with the wrong one a model runs, and is worse.
"""

import json
from pathlib import Path
from typing import Any

from clip.model import ResidualAttentionBlock
from torch import nn

from ..errors import InputError

QUICK_GELU, GELU = "quick_gelu", "gelu"
ACTIVATIONS = (QUICK_GELU, GELU)
CONFIGS = ("open_clip_config.json", "config.json")  # what open_clip and transformers put beside their weights


def activation_beside(weights: Path) -> str:
    """What a configuration beside the file of weights says, in open_clip's or transformers' form; else OpenAI's.

    Looked at are `<file>.json`, open_clip_config.json and config.json. Raises InputError where one is no JSON.
    """
    for path in (weights.with_suffix(".json"), *(weights.parent / name for name in CONFIGS)):
        if path.is_file() and (found := stated(read(path))):
            return found
    return QUICK_GELU


def read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} lies beside the backbone and cannot be read as its configuration ({error}); "
            "MODEL.BACKBONE.ACTIVATION would say which activation it has."
        ) from error


def stated(config: Any) -> str | None:
    """The activation that a configuration states; None where it is none of a CLIP.

    open_clip's has `quick_gelu` in `model_cfg` where it is not GELU, transformers' has `hidden_act` by tower.
    """
    if not isinstance(config, dict):
        return None
    model = config.get("model_cfg", config)
    if isinstance(model, dict) and {"embed_dim", "text_cfg"} <= model.keys():
        return QUICK_GELU if model.get("quick_gelu") else GELU
    text = config.get("text_config")
    found = text.get("hidden_act") if isinstance(text, dict) else None
    return found if found in ACTIVATIONS else None


def set_activation(model: nn.Module, activation: str) -> None:
    """Gives it to all transformer blocks of a CLIP, which come with QuickGELU."""
    if activation == GELU:
        for block in model.modules():
            if isinstance(block, ResidualAttentionBlock):
                block.mlp.gelu = nn.GELU()
