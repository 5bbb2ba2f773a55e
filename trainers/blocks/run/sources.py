"""The files that a run begins with, such as checkpoints of other runs, identified by what they are."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from ..errors import InputError
from .checkpoints import checkpoint_path
from .files import backbone_file, sha256_of
from .identity import BACKBONE, DESCRIPTIONS, INIT_WEIGHTS, LABEL_ONLY, SOURCE, flatten
from .results import read_record

Identity = dict[str, str | None]  # config_hash, None where the run has no results.json, and sha256 of its checkpoint


def source_checkpoint(folder: str | Path) -> Path:
    """The checkpoint that is taken of TRAINER.SHIP.SOURCE; raises InputError where there is none."""
    folder = Path(folder, "ship")
    try:
        return checkpoint_path(folder, None)
    except InputError as error:
        raise InputError(
            f"{SOURCE}: there is no checkpoint in {folder}; the key names the output folder of a run of SHIP."
        ) from error


def file_of_names(names: str) -> Path | None:
    """The file that DATASET.LABEL_ONLY may be; None where it has the names themselves."""
    return Path(names) if os.path.isfile(names) else None


# None: the value says by itself what it is, as one of CLIP's names does.
FINDERS: dict[str, Callable[[str], Path | None]] = {
    SOURCE: source_checkpoint,
    INIT_WEIGHTS: Path,
    DESCRIPTIONS: Path,
    BACKBONE: backbone_file,
    LABEL_ONLY: file_of_names,
}


def sources_of(config: Mapping) -> dict[str, Identity]:
    """By key, what the files are that the configuration names; raises InputError where a checkpoint is not there."""
    values = flatten(config)
    paths = {key: find(values[key]) for key, find in FINDERS.items() if values.get(key)}
    return {key: identity_of(key, path) for key, path in paths.items() if path}


def identity_of(key: str, path: Path) -> Identity:
    """What a file is: its checksum, and the config hash of the run whose output folder it is in."""
    try:
        digest = sha256_of(path)
    except OSError as error:
        kind = "" if key == DESCRIPTIONS else " as a checkpoint"
        raise InputError(f"{key}: {path} cannot be read{kind} ({error.strerror}).") from error
    return {"config_hash": read_record(path.parent.parent).get("config_hash"), "sha256": digest}


def comparable(there: Mapping, here: Mapping) -> tuple[dict, dict]:
    """The configurations of two records, with what a source is in place of where it lies, if both records say that.

    Records of older versions do not.
    """
    both = there.get("sources", {}).keys() & here["sources"].keys()
    return tuple({**flatten(run["config"]), **{key: run["sources"][key] for key in both}} for run in (there, here))
