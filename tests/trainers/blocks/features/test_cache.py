"""Features on disk: read bit for bit, never where something they depend on has changed."""

import errno
import os
import threading
from collections.abc import Sequence
from functools import partial
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
    """Gives other features each time that it is asked, and notes for which rows it is."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    @property
    def calls(self) -> int:
        return len(self.asked)

    def __call__(self, items: list, rows: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        self.asked.append(list(rows))
        draw = torch.Generator().manual_seed(self.calls)
        return torch.randn(len(rows), 8, generator=draw), torch.tensor([items[row].label for row in rows])


@pytest.fixture
def ask(tmp_path, items):
    """Features from a new cache, with the encoder that counts."""
    encoder = Encoder()

    def ask(items=items, about="", what="test", common=None, folder=tmp_path / "cache", marks=()):
        cache = FeatureCache(folder, "Pets", common)
        return cache.batch(what, items, about, CPU, partial(encoder, items), marks)

    ask.encoder, ask.folder = encoder, tmp_path / "cache/Pets"
    return ask


def test_second_time_reads_the_same_bits_and_encodes_nothing(ask):
    (first, labels), (second, again) = ask(), ask()
    assert torch.equal(first, second) and torch.equal(labels, again)
    assert ask.encoder.calls == 1
    assert [path.suffix for path in ask.folder.iterdir()] == [".npz"]


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
        lambda items: {"about": "val"},
        lambda items: {"common": {"weights": "others"}},
    ],
)
def test_other_images_transform_or_weights_are_encoded(ask, items, change):
    ask()
    ask(**change(items))
    assert ask.encoder.calls == 2


def test_images_that_other_lists_have_too_are_encoded_once(ask, items):
    """Whichever list comes first, and in whatever order."""
    first, _ = ask(items=items[1:3])
    whole, labels = ask()
    assert torch.equal(whole[1:3], first)
    assert labels.tolist() == [0, 1, 0, 1]
    assert torch.equal(ask(items=[items[3], items[0], items[3]])[0], whole[[3, 0, 3]])
    assert ask.encoder.asked == [[0, 1], [0, 3]]


def test_what_is_made_of_the_same_image_is_told_apart_by_its_marks(ask, items):
    """Whatever else is asked for beside it."""
    whole, _ = ask(items=items * 2, marks=[f"-{number}" for number in range(8)])
    assert len(whole.unique(dim=0)) == 8
    assert torch.equal(ask(items=[items[1]] * 2, marks=["-5", "-1"])[0], whole[[5, 1]])
    ask(items=items[2:], marks=["-1", "-5"])  # the same marks, of other images
    assert ask.encoder.asked == [[*range(8)], [0, 1]]


def test_writers_at_once_leave_whole_files(ask, items):
    """Lists that overlap, from several threads, as from several processes: no lock is held."""
    lists = [items[:2], items[1:3], items[2:], items] * 3
    threads = [threading.Thread(target=ask, kwargs={"items": some}) for some in lists]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    before = ask.encoder.calls
    assert torch.equal(ask()[0][2:], ask(items=items[2:])[0])
    assert ask.encoder.calls == before
    assert {path.suffix for path in ask.folder.iterdir()} == {".npz"}


def test_what_a_killed_writer_left_is_passed_over(ask):
    ask.folder.mkdir(parents=True)
    (ask.folder / "tmpabc.unfinished").write_bytes(b"half a file")
    first = ask()[0]
    assert torch.equal(ask()[0], first)
    assert ask.encoder.calls == 1


def test_file_that_another_run_deletes_while_it_is_looked_for_is_no_damage(ask, monkeypatch, capsys):
    ask()

    def gone(path):
        path.unlink(missing_ok=True)
        raise FileNotFoundError(path)

    monkeypatch.setattr(np, "load", gone)
    assert ask()[0].shape == (4, 8)
    assert "damaged" not in capsys.readouterr().out


def flip(path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def rewrite(path, **parts) -> None:
    """The file with some of its parts replaced."""
    with np.load(path) as file:
        parts = {**file, **parts}
    np.savez(path, **parts)


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        lambda path: path.write_bytes(path.read_bytes()[:-8]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"not an array"),
        lambda path: rewrite(path, features=np.zeros((4, 8), dtype=np.float64)),
        lambda path: rewrite(path, features=np.zeros((3, 8), dtype=np.float32)),
        lambda path: rewrite(path, images=np.zeros(0, dtype="S32")),
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
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
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


def test_an_image_is_looked_at_once_in_a_run(tmp_path, items, monkeypatch):
    looked = []
    stat = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **how: looked.append(str(path)) or stat(path, **how))
    cache = FeatureCache(tmp_path / "cache", "Pets", None)
    for some in (items[:3], items, items[::-1]):
        cache.batch("test", some, "", CPU, partial(Encoder(), some))
    assert sorted(path for path in looked if path.endswith(".jpg")) == sorted(item.impath for item in items)
