"""What a run is: the part of its configuration that decides its figures, and the code that ran it."""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

PATHS = ("OUTPUT_DIR", "RESUME", "DATASET.ROOT")  # where things lie, not what they are
PRINTING = ("VERBOSE", "TRAIN.PRINT_FREQ", "MODEL.BACKBONE.TITLE")
STORAGE = ("TRAINER.FEATURES.RESUME_EVERY", "TRAINER.FEATURES.CACHE")  # what is stored beside the results
PARALLELISM = ("TRAINER.FEATURES.DEVICES",)  # how many GPUs share the work
WORKERS = "DATALOADER.NUM_WORKERS"
SOURCE, INIT_WEIGHTS = "TRAINER.SHIP.SOURCE", "MODEL.INIT_WEIGHTS"  # other runs' output, which may be moved
BACKBONE = "MODEL.BACKBONE.NAME"
DESCRIPTIONS = "DATASET.DESCRIPTIONS"  # a file, which may be moved too
LABEL_ONLY = "DATASET.LABEL_ONLY"  # names, or a file


class Difference(NamedTuple):
    """A key with its values in two runs."""

    key: str
    there: Any
    here: Any

    def __str__(self) -> str:
        return f"{self.key}: {self.there!r} there, {self.here!r} here"


def to_plain(node: object) -> Any:
    """A configuration as dictionaries, lists and values, as JSON can hold them."""
    if isinstance(node, dict):
        return {key: to_plain(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [to_plain(value) for value in node]
    return node


def flatten(config: Mapping, above: str = "") -> dict[str, Any]:
    """Values by their dotted keys."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        found |= flatten(value, f"{above}{name}.") if isinstance(value, Mapping) else {above + name: to_plain(value)}
    return found


def result_settings(config: Mapping, defaults: Mapping | None = None) -> dict[str, Any]:
    """The keys that decide a run's figures, as they are compared; what is not there is as in `defaults`.

    How many workers load images does not matter, whether there are any may: images that are augmented anew in every
    epoch get their random numbers as Dassl has it without workers, and numbers of their own with some.
    """
    values = flatten(defaults or {}) | flatten(config)
    keys = {key: value for key, value in values.items() if key not in (*PATHS, *PRINTING, *STORAGE, *PARALLELISM)}
    fresh = not keys.get("TRAINER.FEATURES.VIEWS", 0) and keys.get("TRAINER.FEATURES.AUGMENT", True)
    workers = keys.pop(WORKERS, 0)
    if fresh:
        keys[WORKERS] = min(workers, 1)
    for key in (SOURCE, INIT_WEIGHTS, DESCRIPTIONS):
        if keys.get(key):
            keys[key] = path_end(keys[key])
    return keys


def path_end(folder: str | Path) -> str:
    """The last four parts of a path, by which runs are compared whose records say no more of what they began with."""
    return "/".join(Path(folder).absolute().parts[-4:])


def config_hash(config: Mapping, sources: Mapping[str, Mapping] | None = None) -> str:
    """SHA-256 of what decides a run's figures, in hexadecimal; `sources` say what it begins with."""
    keys = result_settings({**flatten(config), **(sources or {})})
    return hashlib.sha256(json.dumps(keys, sort_keys=True, default=str).encode()).hexdigest()


def differences(there: Mapping, here: Mapping, defaults: Mapping | None = None) -> list[Difference]:
    """Keys that decide and differ; a key that one of them lacks has there the value that it has in `defaults`."""
    one, other = result_settings(there, defaults), result_settings(here, defaults)
    keys = sorted(one.keys() | other.keys())
    return [Difference(key, one.get(key), other.get(key)) for key in keys if one.get(key) != other.get(key)]


def code_version() -> dict[str, Any]:
    """The commit of the checkout that this file belongs to and whether files differ from it; else the version."""
    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.SubprocessError):
        pass
    try:
        return {"version": metadata.version("ship-dassl")}
    except metadata.PackageNotFoundError:
        return {"version": None}


def git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
