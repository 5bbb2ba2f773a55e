"""Keyword arguments to the trainers' configuration."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import Any

from dassl.config import get_cfg_default
from yacs.config import CfgNode

from ..blocks.errors import InputError, did_you_mean
from ..blocks.run.randomness import restored_random_state
from ..blocks.training.keys import check_values, extend_cfg

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


@contextmanager
def fitting(verbose: bool) -> Iterator[None]:
    """While a trainer works: the user's random numbers go on as if it did not, and it prints only if asked to."""
    with restored_random_state(), nullcontext() if verbose else redirect_stdout(io.StringIO()):
        yield
