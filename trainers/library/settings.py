"""Keyword arguments to the trainers' configuration."""

import io
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from typing import Any

import numpy as np
import torch
from dassl.config import get_cfg_default
from torch import Tensor
from yacs.config import CfgNode

from ..blocks.errors import InputError, did_you_mean
from ..blocks.training.keys import check_values, extend_cfg

Features = Tensor | np.ndarray
OPTIM = {  # settings of a stage's optimizer
    "optimizer": "NAME",
    "lr": "LR",
    "weight_decay": "WEIGHT_DECAY",
    "momentum": "MOMENTUM",
    "epochs": "MAX_EPOCH",
    "scheduler": "LR_SCHEDULER",
}


def base_config(**pairs: object) -> CfgNode:
    """Dassl's defaults and this project's, with nothing that touches the disk, and these keys on top."""
    cfg = get_cfg_default()
    cfg.DATASET.SUBSAMPLE_CLASSES = "all"
    extend_cfg(cfg)
    quiet = {"TEST.NO_TEST": True, "TRAINER.FEATURES.RESUME_EVERY": 0, "TRAINER.FEATURES.CACHE": False}
    for key, value in {
        **quiet,
        "TRAINER.FEATURES.AUGMENT": False,
        "INPUT.TRANSFORMS": ("normalize",),
        **pairs,
    }.items():
        node, _, name = key.rpartition(".")
        section = cfg
        for part in node.split(".") if node else ():
            section = section[part]
        section[name] = value
    return cfg


def keys_of(settings: Mapping[str, object], section: str, optim: str, batch_size: str, known: CfgNode) -> dict:
    """Keys of the configuration by settings in small letters; raises InputError for one that is not known."""
    names = {name.lower(): f"{section}.{name}" for name in known if not isinstance(known[name], CfgNode)}
    names |= {setting: f"{optim}.{name}" for setting, name in OPTIM.items()} | {"batch_size": batch_size}
    unknown = [name for name in settings if name not in names]
    if unknown:
        raise InputError(f"There is no setting {unknown[0]!r}.{did_you_mean(unknown[0], names)}")
    return {names[name]: value for name, value in settings.items()}


def checked(cfg: CfgNode) -> CfgNode:
    """The same, frozen; raises InputError for a value that breaks its rule."""
    check_values(cfg)
    cfg.freeze()
    return cfg


def run_keys(clip: Any, trainer: str, seed: int) -> dict[str, object]:
    """What a run on features of this CLIP, a Clip, has in common with all others."""
    size = clip.backbone.resolution
    keys = {"SEED": seed, "MODEL.BACKBONE.NAME": clip.name, "INPUT.SIZE": (size, size), "TRAINER.NAME": trainer}
    return {**keys, "USE_CUDA": clip.backbone.device.type == "cuda"}


def as_tensor(features: Features) -> Tensor:
    """Features as fp32, not normalized again."""
    return torch.as_tensor(features, dtype=torch.float32)


def quiet(verbose: bool) -> AbstractContextManager:
    """Keeps what training prints from standard output, unless it is asked for."""
    return nullcontext() if verbose else redirect_stdout(io.StringIO())
