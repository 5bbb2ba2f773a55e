"""What the project runs on: Python, PyTorch and its device, the engine, CLIP's weights."""

from __future__ import annotations  # so that an old Python gets as far as being told so

import sys
from dataclasses import dataclass
from pathlib import Path

from protocols.catalogue import CatalogueError, prepare_imports

OLDEST = (3, 10)
CLIP_CACHE = Path("~/.cache/clip").expanduser()  # where the clip package keeps what it downloads


@dataclass(frozen=True)
class Check:
    """One part of the environment, and the way out if it is at fault."""

    what: str
    found: str
    remedy: str = ""  # empty where all is well
    is_needed: bool = True  # whether nothing runs without it


def check_environment(deep: bool) -> list[Check]:
    """All parts; those that need an earlier one which is at fault are left out."""
    checks = [check_python()]
    for check in (check_torch, check_engine):
        if any(one.remedy for one in checks):
            return checks
        checks.append(check())
    return checks if checks[-1].remedy else [*checks, *check_weights(deep)]


def check_python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    remedy = "" if sys.version_info >= OLDEST else "install Python 3.10 or newer, then: bash scripts/quickstart.sh"
    return Check("Python", f"{version}, {sys.executable}", remedy)


def check_torch() -> Check:
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library that does not load
        return Check("PyTorch", f"cannot be imported: {error}", "pip install . (or bash scripts/quickstart.sh)")
    if not torch.cuda.is_available():
        return Check("PyTorch", f"{torch.__version__}, CPU ({torch.get_num_threads()} threads)")
    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return Check("PyTorch", f"{torch.__version__}, {', '.join(devices)}")


def check_engine() -> Check:
    try:
        return Check("engine", str(prepare_imports()))
    except CatalogueError as error:
        return Check("engine", f"none: {error}", "unset SHIP_ENGINE, or bash scripts/install_dassl.sh; pip install .")


def check_weights(deep: bool) -> list[Check]:
    """A line for each of CLIP's published weights in the cache. What is not there comes on first use."""
    from clip.clip import _MODELS

    found = [(name, url, CLIP_CACHE / Path(url).name) for name, url in _MODELS.items()]
    checks = [check_file(name, url, path, deep) for name, url, path in found if path.is_file()]
    none = f"none in {CLIP_CACHE}; downloaded there on first use (ViT-B/16: some 350 MB)"
    return checks or [Check("CLIP weights", none)]


def check_file(name: str, url: str, path: Path, deep: bool) -> Check:
    if not deep:
        return Check(f"CLIP {name}", str(path))
    from trainers.blocks.run.files import sha256_of  # which refuses an old Python

    if sha256_of(path) == url.split("/")[-2]:  # the checksum is part of the address
        return Check(f"CLIP {name}", f"{path}, checksum right")
    return Check(f"CLIP {name}", f"{path} is damaged", f"rm {path}  # it is downloaded anew on first use", False)
