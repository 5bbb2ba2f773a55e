"""CLIP's published weights and files of the user's, as named tensors; nothing in a file is run.

Published weights are told by their SHA-256, which is part of their address.
"""

import os
import urllib.request
import warnings
from pathlib import Path

import clip.clip
import torch
from torch import Tensor

from ..errors import InputError, did_you_mean
from ..run.files import backbone_file, sha256_of
from ..run.memory import is_out_of_memory
from ..run.progress import progress
from .torchscript import is_torchscript, read_tensors

CHUNK = 1 << 20  # bytes read at a time
SECONDS = 60  # without an answer, after which a download is given up


def read_clip(name: str) -> dict[str, Tensor]:
    """Weights by one of CLIP's names (downloaded the first time) or by the path of a file in OpenAI's layout.

    A file is a TorchScript archive or a state dict; a relative path is looked up in the working directory, then in
    the checkout. Raises InputError where there is none, it cannot be read, or holds anything but named tensors.
    """
    path = fetched(name) if name in clip.available_models() else find(name)
    try:
        state = read_state(path)
    except Exception as error:  # a damaged or forged file makes its readers raise almost anything
        if is_out_of_memory(error):
            raise
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(
            f"{path} cannot be read as a checkpoint: it is truncated, or not a PyTorch file of weights ({reason})."
        ) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{path} is not a CLIP checkpoint: it holds {type(state).__name__}, not named tensors.")
    return dict(state)


def check_weights(name: str) -> None:
    """Downloads published weights that are not there yet; raises InputError where there are none of that name."""
    if name not in clip.available_models():
        find(name)
    elif not place_of(name).is_file():
        fetched(name)


def file_of(name: str) -> Path | None:
    """The file of a backbone that is given by its path; None for one of CLIP's names, or where there is no file."""
    return None if name in clip.available_models() else backbone_file(name)


def find(name: str) -> Path:
    """The file that a path names; raises InputError where there is none."""
    path = backbone_file(name)
    if path:
        return path
    raise InputError(
        f"MODEL.BACKBONE.NAME is {name!r}: neither an existing file nor one of CLIP's models "
        f"({', '.join(clip.available_models())}).{did_you_mean(name, clip.available_models())}"
    )


def read_state(path: Path) -> object:
    """What the file holds. A TorchScript archive's own code is run for OpenAI's published files alone."""
    if not is_torchscript(path):
        return torch.load(path, map_location="cpu", weights_only=True)
    if sha256_of(path) not in map(published_sha256, clip.available_models()):
        return read_tensors(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # TorchScript is deprecated; CLIP's archives stay
        return torch.jit.load(path, map_location="cpu").state_dict()


# --- published weights


def address(name: str) -> str:
    return clip.clip._MODELS[name]


def published_sha256(name: str) -> str:
    return address(name).split("/")[-2]


def place_of(name: str) -> Path:
    """Where the clip package keeps the file of one of CLIP's models."""
    return Path("~/.cache/clip").expanduser() / os.path.basename(address(name))


def fetched(name: str) -> Path:
    """The file of one of CLIP's models, downloaded if need be.

    Raises InputError where it cannot be downloaded, or is not what was published.
    """
    path = place_of(name)
    damaged = path.is_file() and sha256_of(path) != published_sha256(name)
    if path.is_file() and not damaged:
        return path
    fault = f"{path} is truncated or another file: its SHA-256 is not the published one. " if damaged else ""
    print(f"{fault}Downloading CLIP's weights {name} to {path}")
    try:
        download(address(name), path, published_sha256(name))
    except OSError as error:
        raise InputError(
            f"{fault}CLIP's weights {name} could not be downloaded ({error}).\n"
            "With a network connection they come by themselves. By hand: download the file from\n"
            f"  {address(name)}\nand put it there:\n  {path}\n"
            "Or name a checkpoint file that you have with MODEL.BACKBONE.NAME /path/to/file.pt."
        ) from error
    return path


def download(url: str, path: Path, expected: str) -> None:
    """Downloads to a file of this process, which takes the path's place when it is whole; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as source, unfinished.open("wb") as target:
            total = int(source.headers.get("Content-Length") or 0)
            with progress(total, path.name, unit="B", unit_scale=True, unit_divisor=1024) as bar:
                while chunk := source.read(CHUNK):
                    target.write(chunk)
                    bar.update(len(chunk))
        if sha256_of(unfinished) != expected:
            raise OSError("what came has another SHA-256 than the published one; it was not kept")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
