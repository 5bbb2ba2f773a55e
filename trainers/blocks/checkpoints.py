"""Checkpoints of what is learned: finding them and loading them; CoOp's and CoCoOp's are taken too."""

import pickle
from pathlib import Path

from dassl.utils import load_checkpoint
from torch import nn

from .errors import InputError

UPSTREAM_BUFFERS = ("token_prefix", "token_suffix")  # CoOp stores parts of its prompts that follow from class names


def load_state(module: nn.Module, path: Path) -> int:
    """Loads a checkpoint's weights into what is learned and returns its epoch; CoOp's checkpoints are taken too.

    Raises InputError where the file is missing, no checkpoint, or does not fit.
    """
    try:
        checkpoint = load_checkpoint(str(path))
        state = {name: value for name, value in checkpoint["state_dict"].items() if name not in UPSTREAM_BUFFERS}
        missing = module.load_state_dict(state, strict=False).missing_keys
    except InputError as error:
        raise InputError(f"{path} does not fit this run. {error}") from error
    except RuntimeError as error:
        raise InputError(f"{path} is damaged, or does not fit this run: {error}") from error
    except (OSError, EOFError, pickle.UnpicklingError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} cannot be read as a checkpoint ({type(error).__name__}: {error}).") from error
    missing = [name for name in missing if not name.endswith("_extra_state")]
    if missing:
        raise InputError(f"{path} was made by another method: it has no {', '.join(missing)}.")
    return checkpoint["epoch"]


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
        name = newest.read_text(encoding="utf-8").strip()
    if (folder / name).is_file():
        return folder / name
    present = sorted(path.name for path in folder.glob("model*")) if folder.is_dir() else []
    raise InputError(
        f"Checkpoint {folder / name} not found; "
        + (f"the folder has {', '.join(present)}." if present else f"there is no checkpoint in {folder}.")
        + " See --model-dir and --load-epoch."
    )
