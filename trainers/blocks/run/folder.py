"""A run's output folder: whether it holds a complete run, or another one; starting over; one process at a time."""

import errno
import os
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import InputError
from .checkpoints import checkpoint_path
from .files import sha256_of
from .identity import Difference, differences, path_end
from .results import CONFIG_NAME, EVALUATION, FILE_NAME, TRAINING, read_record
from .sources import Identity, comparable
from .states import FAILED, StateFolder

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOCK = ".lock"
HELD_OUT = "held_out"  # a run of its own, inside the one that takes its penalty from it
HELD = (errno.EACCES, errno.EAGAIN)


class RequestedRun(NamedTuple):
    """The run that a command asks for; `defaults` are the configuration's, `sources` what it begins with."""

    config: Mapping
    defaults: Mapping
    mode: str
    model: str = ""  # the folder of the run whose model is evaluated
    epoch: int | None = None  # of the model's checkpoint, if asked for
    sources: Mapping[str, Identity] = {}

    @property
    def folder(self) -> Path:
        return Path(self.config["OUTPUT_DIR"])

    def configs_with(self, record: Mapping) -> tuple[dict, dict]:
        """The configurations of the record's run and of this one, for comparison."""
        return comparable(record, {"config": self.config, "sources": self.sources})


def complete_record(requested: RequestedRun) -> dict | None:
    """What the folder's results.json says, if that is of the requested run; None where the run is to start.

    Raises InputError where the folder holds another run, complete or with states to go on from. A record of a model
    that has changed since is none.
    """
    record = read_record(requested.folder)
    if "config" in record and "metrics" in record:
        check_same_run(
            requested.folder, *requested.configs_with(record), requested.defaults, other_model(record, requested)
        )
        return None if model_has_changed(record, requested) else record
    about = StateFolder(requested.folder).about()
    if about is not None:
        other_mode = [Difference("mode", TRAINING, requested.mode)] if requested.mode != TRAINING else []
        check_same_run(requested.folder, *requested.configs_with(about), requested.defaults, other_mode)
    return None


def check_same_run(
    folder: str | Path,
    there: Mapping,
    here: Mapping,
    defaults: Mapping | None = None,
    others: Sequence[Difference] = (),
) -> None:
    """Raises InputError, with all keys and values that differ, where the folder's run is another one."""
    different = [*others, *differences(there, here, defaults)]
    if different:
        lines = "".join(f"\n  {difference}" for difference in different)
        raise InputError(
            f"{folder} holds another run:{lines}\n"
            "Choose another folder (--output-dir), or start over in this one: --force deletes the results, "
            "checkpoints and states in it."
        )


def other_model(record: Mapping, requested: RequestedRun) -> list[Difference]:
    """How a complete run differs from the requested one in what it evaluated."""
    model, epoch = record.get("model") or "", (record.get("checkpoint") or {}).get("asked_for")
    own = not model or path_end(model) == path_end(record["folder"])  # the best of its own epochs, say
    found = [Difference("mode", record.get("mode", requested.mode if own else EVALUATION), requested.mode)]
    if requested.mode == EVALUATION:
        if not same_model(record, requested.model):
            found.append(Difference("--model-dir", model, requested.model))
        found.append(Difference("--load-epoch", epoch, requested.epoch))
    return [difference for difference in found if difference.there != difference.here]


def same_model(record: Mapping, folder: str) -> bool:
    """Whether a complete run is of the model in a folder, which may have changed since.

    That is the one that was evaluated if it lies there or has its config hash, or, where no hash is known, if the
    ends of the paths are the same.
    """
    model = record.get("model") or ""
    there, here = (record.get("checkpoint") or {}).get("config_hash"), read_record(folder).get("config_hash")
    if model and folder and there and here:
        return there == here or Path(model).absolute() == Path(folder).absolute()
    return path_end(model) == path_end(folder)


def model_has_changed(record: Mapping, requested: RequestedRun) -> bool:
    """Whether the checkpoint that would be evaluated is not the one that was."""
    evaluated = record.get("checkpoint")
    if requested.mode != EVALUATION or not evaluated:
        return False
    try:
        path = checkpoint_path(Path(requested.model, evaluated["file"]).parent, requested.epoch)
        return sha256_of(path) != evaluated["sha256"]
    except (InputError, OSError):
        return True  # the run itself will say what is wrong


def summary(record: Mapping[str, Any]) -> str:
    """The figures of a complete run, in the form in which an evaluation prints them."""
    lines = [f"{Path(record['folder'], FILE_NAME)} has this run, complete; --force runs it again", "=> result"]
    lines += [f"* {name}: {record[name]:,}" for name in ("total", "correct") if name in record]
    lines += [f"* {name.removesuffix('_rate')}: {value:.1f}%" for name, value in record["metrics"].items()]
    return "\n".join(lines)


def start_over(folder: str | Path, needed: Sequence[str] = ()) -> None:
    """Deletes a run's results, configuration, checkpoints, states and curves; its logs stay.

    Raises InputError where the folder is one that the new run needs.
    """
    folder = Path(folder)
    if any(other and Path(other).resolve() == folder.resolve() for other in needed):
        raise InputError(f"--force would delete the checkpoints in {folder}, which this run needs to begin with.")
    for name in (FILE_NAME, CONFIG_NAME, "failed.txt"):
        (folder / name).unlink(missing_ok=True)
    for path in (StateFolder(folder).folder, folder / FAILED, folder / "tensorboard", folder / HELD_OUT):
        shutil.rmtree(path, ignore_errors=True)
    for path in (*folder.glob("*/model*.pth.tar*"), *folder.glob("*/checkpoint")):
        path.unlink()


@contextmanager
def locked(folder: str | Path) -> Iterator[None]:
    """Keeps other processes out of the folder; the lock falls with the process, however that ends.

    Raises InputError, with the other's host and number, where one is in it. Where files cannot be locked, goes on.
    The lock is the process's own: loader workers that outlive it do not hold it.
    """
    path = Path(folder, LOCK)
    with suppress(OSError):  # the run itself will say what is wrong with the folder
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115 - closed below, which gives the lock back
    except OSError:
        yield
        return
    with file:
        take(file)
        yield


def take(file: Any) -> None:
    if fcntl is None:
        print("Notice: files cannot be locked here; see to it that no other process uses the output folder")
        return
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in HELD:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise InputError(
                f"{Path(file.name).parent} is in use by {holder}.\n"
                "Wait for it to end, stop it, or choose another output folder (--output-dir)."
            ) from error
        print(f"Notice: {file.name} cannot be locked ({error.strerror}); no other process may use this folder")
        return
    with suppress(OSError):
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}")
        file.flush()
