"""The account of what runs encode: by what they say and what they leave in a cache."""

from types import SimpleNamespace

import pytest
import torch
from bench.encoded import Count, Encoded

from trainers.blocks.features.cache import FeatureCache

CPU = torch.device("cpu")
FEATURES = torch.nn.functional.normalize(torch.randn(6, 8, generator=torch.Generator().manual_seed(0)), dim=-1)


@pytest.fixture
def items(tmp_path) -> list[SimpleNamespace]:
    paths = [tmp_path / f"{index}.jpg" for index in range(3)]
    for path in paths:
        path.write_bytes(b"image")
    return [SimpleNamespace(impath=str(path), label=0) for path in paths]


@pytest.fixture
def account(tmp_path, items):
    """An account of a dataset with one training picture and two to test on."""
    return Encoded(tmp_path / "cache/Pets", {"train": [items[0].impath], "test": [item.impath for item in items[1:]]})


@pytest.fixture
def run(tmp_path, account):
    """Adds a run of a method that takes features of pictures from the cache, or encodes them."""

    def run(
        method: str, title: str, items: list, about: object = "", shift: float = 0.0, marks=(), kept=True
    ) -> None:
        encoded: list[int] = []

        def encode(rows):
            encoded.extend(rows)
            return FEATURES[list(rows)] + shift, torch.zeros(len(rows))

        cache = FeatureCache(tmp_path / "cache" if kept else None, "Pets", None)
        cache.batch(title, items, about, CPU, encode, marks)
        read = len(items) - len(encoded)
        account.add(method, {title: {"encoded": len(encoded), "read": read}})

    return run


def test_what_is_read_is_not_encoded_again(account, items, run):
    run("coop", "test", items[1:])
    run("ship", "test", items[1:])
    assert account.counts == {"test": Count(runs=2, read=2, encoded=2, distinct=2)}


def test_a_part_that_lacks_pictures_is_encoded_in_part(account, items, run):
    run("coop", "test", items[2:])
    run("ship", "test", items[1:])
    assert account.counts == {"test": Count(runs=2, read=1, encoded=2, distinct=2)}


@pytest.mark.parametrize(("shift", "again"), [(1e-7, {("ship", "coop"): 2}), (0.1, {})])
def test_features_that_two_runs_kept_apart_are_of_one_view_if_they_are_equal(account, items, run, shift, again):
    run("coop", "test", items[1:])
    run("ship", "test", items[1:], about="another batch size", shift=shift)
    count = account.counts["test"]
    assert (count.encoded, count.distinct, dict(count.again)) == (4, 2 if again else 4, again)


def test_views_of_a_training_picture_are_told_apart(account, items, run):
    run("coop", "views", [items[0]] * 2, marks=["-0-0", "-0-1"])
    run("clap", "views", [items[0]] * 3, marks=["-0-0", "-0-1", "-0-2"])
    run("linear_probe", "train", items[:1])
    assert account.counts["views"] == Count(runs=2, read=2, encoded=3, distinct=3)
    assert account.counts["train"] == Count(runs=1, read=0, encoded=1, distinct=1)


def test_what_nobody_keeps_is_named(account, items, run):
    run("coop", "test", items[1:], kept=False)
    assert account.counts["test"].again == {("coop", "nobody kept them"): 2}
    assert account.counts["test"].as_plain()["again"] == [{"by": "coop", "after": "nobody kept them", "views": 2}]
