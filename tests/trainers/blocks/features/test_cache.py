"""Features on disk: read bit for bit, never where something they depend on has changed."""

import errno
import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from trainers.blocks.features.cache import FeatureCache, hash_of_weights, shrink

CPU = torch.device("cpu")


@pytest.fixture
def items(tmp_path) -> list[SimpleNamespace]:
    paths = [tmp_path / f"{index}.jpg" for index in range(4)]
    for path in paths:
        path.write_bytes(b"image")
    return [SimpleNamespace(impath=str(path), label=index % 2) for index, path in enumerate(paths)]


class Encoder:
    """Gives other features each time that it is asked."""

    def __init__(self, items: list) -> None:
        self.items, self.calls = items, 0

    def __call__(self) -> tuple[torch.Tensor, torch.Tensor]:
        self.calls += 1
        draw = torch.Generator().manual_seed(self.calls)
        return torch.randn(len(self.items), 8, generator=draw), torch.tensor([item.label for item in self.items])


@pytest.fixture
def ask(tmp_path, items):
    """Features from a new cache, with the encoder that counts."""
    encoder = Encoder(items)

    def ask(items=items, about="", what="test", common=None, folder=tmp_path / "cache"):
        return FeatureCache(folder, "Pets", common).batch(what, items, about, CPU, encoder)

    ask.encoder, ask.folder = encoder, tmp_path / "cache/Pets"
    return ask


def test_second_time_reads_the_same_bits_and_encodes_nothing(ask):
    (first, labels), (second, again) = ask(), ask()
    assert torch.equal(first, second) and torch.equal(labels, again)
    assert ask.encoder.calls == 1
    assert [path.suffix for path in ask.folder.iterdir()] == [".npy"]


def test_labels_are_those_of_the_dataset(ask, items):
    ask()
    renamed = [SimpleNamespace(impath=item.impath, label=7) for item in items]
    assert ask(renamed)[1].tolist() == [7] * 4
    assert ask.encoder.calls == 1


def test_what_is_read_can_be_written_to_without_changing_the_file(ask):
    first = ask()[0].clone()
    ask()[0].zero_()
    assert torch.equal(ask()[0], first)


def changed_image(items: list) -> dict:
    with open(items[1].impath, "wb") as file:
        file.write(b"other")  # of the same size
    os.utime(items[1].impath, ns=(1, 1))
    return {}


@pytest.mark.parametrize(
    "change",
    [
        changed_image,
        lambda items: {"items": items[::-1]},
        lambda items: {"items": items[:3]},
        lambda items: {"about": "val"},
        lambda items: {"common": {"weights": "others"}},
    ],
)
def test_other_images_transform_or_weights_are_encoded(ask, items, change):
    ask()
    ask(**change(items))
    assert ask.encoder.calls == 2


def flip(path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        lambda path: path.write_bytes(path.read_bytes()[:-8]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"not an array"),
        lambda path: np.save(path, np.zeros((4, 8), dtype=np.float64)),
        lambda path: np.save(path, np.zeros((3, 8), dtype=np.float32)),
    ],
)
def test_damaged_file_is_replaced_with_a_notice(ask, damage, capsys):
    ask()
    damage(next(ask.folder.iterdir()))
    features = ask()[0]
    assert "is damaged" in capsys.readouterr().out
    assert torch.equal(ask()[0], features)
    assert ask.encoder.calls == 2
    assert len(list(ask.folder.iterdir())) == 1


def test_full_disk_costs_the_cache_and_not_the_run(ask, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    assert ask()[0].shape == ask()[0].shape == (4, 8)
    assert capsys.readouterr().out.count("No space left on device") == 2
    assert (ask.encoder.calls, list(ask.folder.iterdir())) == (2, [])


def test_folder_that_cannot_be_made_costs_the_cache_and_not_the_run(ask, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert ask(folder=tmp_path / "file")[0].shape == (4, 8)
    assert "the run goes on" in capsys.readouterr().out


def test_without_a_folder_nothing_is_kept(ask, tmp_path):
    before = sorted(tmp_path.iterdir())
    ask(folder=None)
    ask(folder=None)
    assert (ask.encoder.calls, sorted(tmp_path.iterdir())) == (2, before)


def test_files_read_last_survive_the_limit(tmp_path):
    (tmp_path / "Pets").mkdir()
    for age, name in enumerate("abcd"):
        path = tmp_path / "Pets" / f"{name}.npy"
        path.write_bytes(b"0" * 10)
        os.utime(path, (1000 - age, 1000 - age))
    shrink(tmp_path, 25)
    assert sorted(path.stem for path in tmp_path.glob("*/*")) == ["a", "b"]


def test_weights_have_another_hash_where_one_of_them_differs():
    model = torch.nn.Linear(3, 2)
    before = hash_of_weights(model)
    assert hash_of_weights(model) == before
    assert hash_of_weights(model.bfloat16()) != before
    model.float().weight.data[0, 0] += 1
    assert hash_of_weights(model) != before
