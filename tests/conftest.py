"""What all tests share: the engine, the golden inputs, and train.py started as a user would."""

import io
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest

if os.environ.get("SHIP_TEST_DEVICE") != "cuda":  # that of tests/gpu
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # golden figures and tolerances are the CPU's; read when CUDA starts

import compat  # noqa: E402

compat.ensure()
os.environ.setdefault("PYTHON", sys.executable)  # for scripts: the tests' own, if no environment is active

import trainers.blocks.training  # noqa: E402, F401 - patches the engine, for tests that look at the engine alone too
from tests import wheel  # noqa: E402
from tests.golden import make_inputs  # noqa: E402

CHECKOUT = wheel.CHECKOUT


class Finished(NamedTuple):
    """A run of train.py that has ended: exit status, its output, and results.json where it wrote one."""

    status: int
    stdout: str
    stderr: str
    folder: Path
    results: dict | None


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory) -> Path:
    """A cache of features for each test, instead of the user's."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SHIP_CACHE", str(folder))
    return folder


@pytest.fixture
def foreground_signals():
    """A shell starts what runs in the background with SIGINT ignored, and the tests with it; undoes what they set."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """A folder with what the wheel installs, and nothing else."""
    return wheel.install(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def golden() -> dict:
    """Figures measured on Dassl and CoOp; see tests/golden/README.md."""
    return json.loads((CHECKOUT / "tests/golden/upstream.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory) -> Path:
    """The small random CLIP behind the golden figures, as a state dict."""
    path = tmp_path_factory.mktemp("backbone") / "tiny_clip.pt"
    make_inputs.make_clip(path)
    return path


@pytest.fixture
def pets(tmp_path) -> Path:
    """A DATA folder with the tiny OxfordPets behind the golden figures: six classes of 6, 2 and 4 images each."""
    root = tmp_path / "data"
    make_inputs.make_pets(root)
    return root


def in_process(before: tuple, arguments: list) -> tuple[int, str, str]:
    """Exit status and what train.py prints, run by an interpreter of its own."""
    command = [str(word) for word in (sys.executable, *before, CHECKOUT / "train.py", *arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


def in_this_process(arguments: list) -> tuple[int, str, str]:
    """The same, called."""
    import train

    status, out, error = 0, io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(error):
        try:
            train.main([str(word) for word in arguments])
        except SystemExit as ended:
            status = ended.code
        except Exception:
            status = 1
            traceback.print_exc()
        if log := getattr(sys.stdout, "file", None):  # of the logger that stands for standard output
            log.close()
    return status, out.getvalue(), error.getvalue()


def starter(clip: Path, data: Path, place: Path) -> Callable[..., Finished]:
    """Starts train.py, four shots of OxfordPets in `data` unless told otherwise, with this CLIP; folders in `place`.

    It runs in this process, unless arguments of Python's come `before` it: PyTorch takes seconds to import.
    """

    def start(
        trainer: str,
        name: str,
        *pairs: object,
        flags: tuple = (),
        recipe: str = "vit_b16",
        seed: int = 1,
        classes: str = "base",
        before: tuple = (),
    ) -> Finished:
        folder = place / name
        recipe_file = CHECKOUT / f"configs/trainers/{trainer}/{recipe}.yaml"
        arguments = [
            *("--root", data, "--seed", seed, "--trainer", trainer, "--output-dir", folder),
            *("--dataset-config-file", CHECKOUT / "configs/datasets/oxford_pets.yaml", "--config-file", recipe_file),
            *("--backbone", clip, *flags, "DATASET.NUM_SHOTS", 4, "DATASET.SUBSAMPLE_CLASSES", classes),
            *("DATALOADER.NUM_WORKERS", 0, *pairs),
        ]
        ended = in_process(before, arguments) if before else in_this_process(arguments)
        results = folder / "results.json"
        record = json.loads(results.read_text(encoding="utf-8")) if results.is_file() else None
        return Finished(*ended, folder, record)

    return start


@pytest.fixture
def train_py(tiny_clip, pets, tmp_path):
    """Starts train.py on the tiny OxfordPets; folders of runs are in tmp_path."""
    return starter(tiny_clip, pets, tmp_path)
