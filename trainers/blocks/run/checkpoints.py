"""Checkpoints of what is learned: finding them and loading them; CoOp's and CoCoOp's are taken too."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from dassl.utils import load_checkpoint
from torch import Tensor, nn

from ..errors import InputError
from .made_by import KEY, check
from .memory import is_of_gpu, is_out_of_memory

UPSTREAM_BUFFERS = ("token_prefix", "token_suffix")  # CoOp stores parts of its prompts that follow from class names


def load_state(module: nn.Module, path: Path, made_by: Mapping[str, str], whole: bool = True) -> int:
    """Loads a checkpoint's weights into what is learned and returns its epoch; CoOp's checkpoints are taken too.

    With `whole` False the checkpoint may hold more than the module. Raises InputError where the file is missing, no
    checkpoint, made by something else, or does not fit.
    """
    try:
        checkpoint = load_checkpoint(str(path))
        state = {name: value for name, value in checkpoint["state_dict"].items() if name not in UPSTREAM_BUFFERS}
        check(state.pop(KEY, {}), made_by)
        check_finite(state)
        keys = fill(module, state)
        epoch = int(checkpoint["epoch"])
    except InputError as error:
        raise InputError(f"{path} does not fit this run. {error}") from error
    except Exception as error:  # a damaged or forged file makes its readers raise almost anything
        if is_out_of_memory(error) or is_of_gpu(error):
            raise
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{path} cannot be read as a checkpoint ({type(error).__name__}: {reason}).") from error
    missing = [name for name in keys.missing_keys if not name.endswith("_extra_state")]
    if missing:
        raise InputError(f"{path} was made by another method: it has no {', '.join(missing)}.")
    if whole and keys.unexpected_keys:
        raise InputError(f"{path} was made by another method: it also has {', '.join(keys.unexpected_keys)}.")
    return epoch


def check_finite(state: Mapping[str, object]) -> None:
    """Raises InputError for weights that are NaN or infinite."""
    bad = [name for name, value in state.items() if isinstance(value, Tensor) and not torch.isfinite(value).all()]
    if bad:
        raise InputError(f"It has values that are NaN or infinite: {', '.join(bad)}.")


def fill(module: nn.Module, state: Mapping[str, object]) -> NamedTuple:
    """Loads what fits by name, and returns what is missing and what is left; raises InputError naming odd shapes."""
    own = {name: value.shape for name, value in module.state_dict().items() if isinstance(value, Tensor)}
    try:
        return module.load_state_dict(state, strict=False)
    except RuntimeError as error:
        if is_out_of_memory(error) or is_of_gpu(error):
            raise
        odd = [
            f"{name} is {tuple(state[name].shape)} there, and {tuple(shape)} in this run"
            for name, shape in own.items()
            if name in state and state[name].shape != shape
        ]
        raise InputError(f"{'; '.join(odd) or error}. The configuration or the backbone differs.") from error


def checkpoint_path(folder: Path, epoch: int | None) -> Path:
    """The checkpoint file of an epoch; without one the best on validation, else the newest.

    Raises InputError, with what is there, where there is none.
    """
    newest = folder / "checkpoint"
    if epoch is not None:
        name = f"model.pth.tar-{epoch}"
    elif (folder / "model-best.pth.tar").is_file() or not newest.is_file():
        name = "model-best.pth.tar"
    else:
        name = newest.read_text(encoding="utf-8", errors="replace").strip()
    if (folder / name).is_file():
        return folder / name
    present = sorted(path.name for path in folder.glob("model*")) if folder.is_dir() else []
    raise InputError(
        f"Checkpoint {folder / name} not found; "
        + (f"the folder has {', '.join(present)}." if present else f"there is no checkpoint in {folder}.")
        + " See --model-dir and --load-epoch."
    )
