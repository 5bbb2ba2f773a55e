"""Checkpoints, and small operations on modules and their parameters."""

import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import init
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from .tools import mkdir_if_missing, tolist_if_not, write_whole

BEST_MODEL = "model-best.pth.tar"


def save_checkpoint(
    state: dict[str, Any],
    save_dir: str | Path,
    is_best: bool = False,
    remove_module_from_keys: bool = True,
    model_name: str = "",
) -> None:
    """Write `state` to save_dir/model.pth.tar-<state["epoch"]>, or save_dir/model_name.

    The file save_dir/checkpoint then names it. `remove_module_from_keys` strips nn.DataParallel's prefix from
    the names in state["state_dict"]; with `is_best` there is a copy, model-best.pth.tar.
    """
    mkdir_if_missing(save_dir)
    if remove_module_from_keys:
        state = {**state, "state_dict": _without_module_prefix(state["state_dict"])}
    path = os.path.join(save_dir, model_name or f"model.pth.tar-{state['epoch']}")
    content = io.BytesIO()
    torch.save(state, content)
    write_whole(path, content.getbuffer())
    print(f"Checkpoint saved to {path}")
    write_whole(os.path.join(save_dir, "checkpoint"), os.path.basename(path).encode() + b"\n")
    if is_best:
        best = os.path.join(save_dir, BEST_MODEL)
        write_whole(best, content.getbuffer())
        print(f'Best checkpoint saved to "{best}"')


def load_checkpoint(fpath: str | Path) -> dict[str, Any]:
    """Return the content of a checkpoint, with its tensors on the CPU.

    Nothing is unpickled but tensors and plain containers; blocks/engine/patches.py adds, in Dassl too, the classes
    that Dassl's checkpoints hold. Raises FileNotFoundError, or torch.load's error.
    """
    if not os.path.isfile(fpath):
        raise FileNotFoundError(f'There is no checkpoint "{fpath}"')
    return torch.load(fpath, map_location="cpu", weights_only=True)


def resume_from_checkpoint(
    fdir: str | Path,
    model: nn.Module,
    optimizer: Optimizer | None = None,
    scheduler: LRScheduler | None = None,
) -> int:
    """Restore all three from the checkpoint that the file fdir/checkpoint names; return its epoch."""
    name = Path(fdir, "checkpoint").read_text(encoding="utf-8").strip()
    path = os.path.join(fdir, name)
    print(f'Loading checkpoint from "{path}"')
    checkpoint = load_checkpoint(path)
    model.load_state_dict(checkpoint["state_dict"])
    print("Loaded model weights")
    for key, target in (("optimizer", optimizer), ("scheduler", scheduler)):
        if target is not None and checkpoint.get(key) is not None:
            target.load_state_dict(checkpoint[key])
            print(f"Loaded {key}")
    print(f"Previous epoch: {checkpoint['epoch']}")
    return checkpoint["epoch"]


def load_pretrained_weights(model: nn.Module, weight_path: str | Path) -> None:
    """Copy into `model` the weights of a checkpoint or state dict that fit by name and shape; print the rest.

    Raises ValueError if none fits.
    """
    loaded = load_checkpoint(weight_path)
    weights = _without_module_prefix(loaded.get("state_dict", loaded))
    own = model.state_dict()
    fitting = {k: v for k, v in weights.items() if k in own and own[k].shape == v.shape}
    if not fitting:
        raise ValueError(f"No weight in {weight_path} fits the model by name and shape")
    model.load_state_dict(own | fitting)
    print(f"Loaded pretrained weights from {weight_path}")
    left_out = [name for name in weights if name not in fitting]
    if left_out:
        print(f"Weights left out, as their names or shapes do not fit: {', '.join(left_out)}")


def count_num_param(model: nn.Module | None = None, params: Iterable | None = None) -> int:
    """Return how many numbers the parameters of `model`, or `params` (tensors or optimizer groups), hold."""
    if model is None and params is None:
        raise ValueError("count_num_param needs a model or parameters")
    if model is not None:
        return sum(p.numel() for p in model.parameters())
    total = 0
    for entry in params:
        total += sum(p.numel() for p in entry["params"]) if isinstance(entry, dict) else entry.numel()
    return total


def open_all_layers(model: nn.Module) -> None:
    """Let all parameters learn, in train mode."""
    model.train()
    model.requires_grad_(True)


def open_specified_layers(model: nn.Module, open_layers: str | list[str]) -> None:
    """Let the children of `model` that are named learn, in train mode; freeze the others, in eval mode."""
    if isinstance(model, nn.DataParallel):
        model = model.module
    names = tolist_if_not(open_layers)
    children = dict(model.named_children())
    unknown = [name for name in names if name not in children]
    if unknown:
        raise ValueError(f"The model has no layer {', '.join(unknown)}; it has {', '.join(children)}")
    for name, child in children.items():
        child.train(name in names)
        child.requires_grad_(name in names)


def init_network_weights(model: nn.Module, init_type: str = "normal", gain: float = 0.02) -> None:
    """Initialize convolutions and linear layers (normal, xavier, kaiming, orthogonal) and norms (1, 0)."""
    weight_init = {
        "normal": lambda w: init.normal_(w, 0.0, gain),
        "xavier": lambda w: init.xavier_normal_(w, gain=gain),
        "kaiming": lambda w: init.kaiming_normal_(w, a=0, mode="fan_in"),
        "orthogonal": lambda w: init.orthogonal_(w, gain=gain),
    }
    if init_type not in weight_init:
        raise ValueError(f"init_type {init_type!r} is not one of {', '.join(weight_init)}")
    for module in model.modules():
        if isinstance(module, (nn.modules.conv._ConvNd, nn.Linear)):
            weight_init[init_type](module.weight)
        elif isinstance(module, (nn.modules.batchnorm._NormBase, nn.GroupNorm)) and module.weight is not None:
            init.ones_(module.weight)
        else:
            continue
        if module.bias is not None:
            init.zeros_(module.bias)


def _without_module_prefix(state_dict: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix("module."): value for name, value in state_dict.items()}
