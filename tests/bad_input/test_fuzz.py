"""Any configuration file, pair or split file either is taken or gives an error of ours, never another one."""

import contextlib
import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from dassl.data.datasets import Datum
from hypothesis import given, settings
from hypothesis import strategies as st

import datasets
import train
from configuration import all_values, check
from datasets.splits import read_split
from trainers.blocks.errors import InputError

REFUSED = train.USER_ERRORS
BOUNDED = settings(max_examples=150, deadline=None, derandomize=True, database=None)
KEYS = [key for key, _ in all_values(train.setup_cfg(train.parse_args([])))]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def nested(key: str, value: object) -> dict:
    """A key such as OPTIM.LR as sections of a file."""
    for name in reversed(key.split(".")):
        value = {name: value}
    return value


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "file"


def configured(*arguments: object) -> None:
    """Sets a run up and checks it, as train.py does before anything is built."""
    args = train.parse_args([str(word) for word in (*arguments,)])
    with contextlib.suppress(REFUSED):
        check(train.setup_cfg(args), args)


@BOUNDED
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode(errors="surrogatepass")))
def test_any_bytes_as_a_configuration_file(content, file):
    file.write_bytes(content)
    configured("--config-file", file)


@BOUNDED
@given(content=st.builds(nested, st.sampled_from(KEYS), VALUES) | VALUES)
def test_any_value_in_a_configuration_file(content, file):
    file.write_text(yaml.safe_dump(content), encoding="utf-8", errors="surrogatepass")
    configured("--config-file", file, "--trainer", "SHIP", "DATASET.NAME", "OxfordPets")


@BOUNDED
@given(key=st.sampled_from(KEYS) | st.text(max_size=10), value=VALUES.map(repr) | st.text(max_size=20))
def test_any_pair(key, value):
    if not key.startswith("-"):  # else it is an option, which argparse answers for
        configured("--trainer", "SHIP", "DATASET.NAME", "OxfordPets", key, value)


FITTING = st.builds(
    lambda image, label: (image, label, "abc"[label]), st.text(min_size=1, max_size=6), st.integers(0, 2)
)
ODD = st.tuples(st.text(max_size=6), st.integers(-2, 6) | VALUES, st.sampled_from("abc") | VALUES)
ROWS = st.lists(FITTING, min_size=1, max_size=8) | st.lists(FITTING | ODD, max_size=8)


def check_split(path: Path) -> None:
    """Reads a split file and chooses from it, as a loader does."""
    with contextlib.suppress(datasets.DatasetError), contextlib.redirect_stdout(io.StringIO()):
        parts = read_split(path, path.parent / "images")
        assert all(type(item) is Datum for part in parts for item in part)
        loader = datasets.FewShotDataset.located(
            SimpleNamespace(DATASET=SimpleNamespace(ROOT=str(path.parent), NUM_SHOTS=1))
        )
        loader.class_split = 0
        loader.check_classes(*parts)
        loader.check_images(*loader.choose(*parts, 2, 1, "base"))


@BOUNDED
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode(errors="surrogatepass")))
def test_any_bytes_as_a_split_file(content, file):
    file.write_bytes(content)
    check_split(file)


@BOUNDED
@given(parts=st.fixed_dictionaries({"train": ROWS | VALUES, "val": ROWS, "test": ROWS}) | VALUES)
def test_any_content_of_a_split_file(parts, file):
    file.write_text(json.dumps(parts, default=str), encoding="utf-8")
    check_split(file)


def test_errors_are_told_apart():
    """What the tests above rely on: other errors than ours would come through."""
    assert not issubclass(ValueError, REFUSED) and issubclass(InputError, REFUSED)
