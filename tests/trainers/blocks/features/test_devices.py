"""Images encoded by several processes: the features of one, and what is said where a process fails."""

import io
import multiprocessing
import os
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

import train
from trainers.blocks.engine.images import ImageError
from trainers.blocks.errors import InputError
from trainers.blocks.features import devices as sharing
from trainers.blocks.features.batches import ImageFeatures
from trainers.blocks.features.devices import extractor, shares, usable_devices

CPU = torch.device("cpu")
VIEWS = ("TRAINER.FEATURES.VIEWS", 2, "DATALOADER.TEST.BATCH_SIZE", 4)
TWO = ("TRAINER.FEATURES.DEVICES", 2)
NO_CACHE = ("TRAINER.FEATURES.CACHE", False)


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


@pytest.fixture
def as_from_train_py(monkeypatch):
    """New processes import what started this one: not pytest, but train.py, by which dassl can be imported."""
    monkeypatch.setitem(sys.modules, "__main__", train)


@pytest.fixture
def no_process(monkeypatch):
    monkeypatch.setattr(sharing, "RemoteEncoder", lambda device: pytest.fail("a process was started"))


def features_of(trainer) -> list[Tensor]:
    bank = trainer.bank()
    return [bank.features, bank.labels, *trainer.evaluation_features("test"), torch.rand(3)]


def test_features_and_errors_are_those_of_one_process(ship, as_from_train_py):
    """Bit for bit, view by view; the file of an image that cannot be read is named."""
    alone, shared = ship(*VIEWS, *NO_CACHE), ship(*VIEWS, *NO_CACHE, *TWO, "DATALOADER.NUM_WORKERS", 1)
    for trainer in (alone, shared):
        trainer.backbone.image.in_bf16 = True  # so that it shows whether the processes know
    torch.manual_seed(5)
    expected = features_of(alone)
    with shared.extractor(12) as extract:
        shared.extractor = lambda count: nullcontext(extract)
        torch.manual_seed(5)
        found = features_of(shared)
        assert len(multiprocessing.active_children()) == 1  # and this process
        broken = Path(shared.dm.dataset.test[7].impath)
        broken.write_text("not an image")
        with pytest.raises(ImageError) as raised:
            extract(shared.test_loader.dataset, "broken")
    assert [torch.equal(*pair) for pair in zip(expected, found, strict=True)] == [True] * 5
    assert str(broken) in str(raised.value).rsplit("ImageError: ", 1)[-1]  # which is what train.py shows
    assert multiprocessing.active_children() == []


def test_process_that_is_killed_is_an_error_that_says_how(as_from_train_py):
    images = [{"img": torch.full((3, 1, 1), float(index)), "label": index} for index in range(5)]
    with extractor(nn.Flatten(), [CPU, CPU], batch_size=2) as extract:
        features, labels = extract(images, "whole")
        assert features[:, 2].tolist() == labels.tolist() == [0, 1, 2, 3, 4]
        multiprocessing.active_children()[0].kill()
        with pytest.raises(InputError, match=r"on cpu was ended by SIGKILL.*DATALOADER\.NUM_WORKERS"):
            extract(images, "killed")
    assert multiprocessing.active_children() == []


class InThisProcess:
    """Stands in for RemoteEncoder: encodes when it is asked, and sends what it has as a pipe would."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.due, self.batches, self.sent = device, 0, [], []
        self.pipe, self.other = sharing.SPAWN.Pipe()
        OPENED.append(device)

    def send(self, what: bytes) -> None:
        self.encoder = torch.load(io.BytesIO(what), weights_only=False)

    def ask(self, images, loading) -> None:
        batches = ImageFeatures(self.encoder, DataLoader(images, shuffle=False, **loading), CPU)
        self.batches, self.sent = [], list(batches)
        self.due = len(self.sent)
        self.other.send("ready")

    def take(self) -> None:
        self.batches.append(self.sent.pop(0))
        self.due -= 1

    def end(self) -> None:
        self.pipe.close()


OPENED: list[torch.device] = []  # by processes


@pytest.mark.parametrize(("count", "opened"), [(9, "12"), (4, "1"), (2, "")])
def test_the_runs_own_device_is_opened_by_no_other_process(count, opened, monkeypatch):
    """Which in exclusive mode would fail: its share is encoded here, and features come in the order of the images."""
    monkeypatch.setattr(sharing, "RemoteEncoder", InThisProcess)
    OPENED.clear()
    others = [torch.device("meta", index) for index in (1, 2)]
    images = [{"img": torch.full((3, 1, 1), float(index)), "label": index} for index in range(count)]
    with extractor(nn.Flatten(), [CPU, *others], batch_size=2, num_workers=0) as extract:
        for _ in range(2):  # those that have been started are asked again
            features, labels = extract(images, "shared")
            assert features[:, 0].tolist() == labels.tolist() == list(range(count))
    assert [torch.device("meta", int(index)) for index in opened] == OPENED


def test_what_is_in_the_cache_starts_no_process(ship, no_process):
    """Which one process has filled: how many there are is no part of the key."""
    first, second = features_of(ship(*VIEWS)), features_of(ship(*VIEWS, *TWO))
    assert [torch.equal(*pair) for pair in zip(first[:4], second[:4], strict=True)] == [True] * 4


def test_neither_few_images_nor_one_batch_start_a_process(ship, no_process):
    trainer = ship(*VIEWS, *NO_CACHE, "TRAINER.FEATURES.DEVICES", 0)
    trainer.devices = [CPU, CPU]
    assert trainer.bank().features.shape[:2] == (2, 12)
    trainer = ship(*NO_CACHE, *TWO)  # all images are one batch
    assert len(trainer.evaluation_features("test")[1]) == 12


@pytest.mark.parametrize(
    ("count", "batch_size", "parts", "expected"),
    [
        (10, 2, 2, [(0, 4), (4, 10)]),
        (9, 4, 2, [(0, 4), (4, 9)]),
        (9, 4, 8, [(0, 4), (4, 8), (8, 9)]),
        (3, 4, 2, [(0, 3)]),
        (8, 1, 3, [(0, 2), (2, 5), (5, 8)]),
    ],
)
def test_shares_are_whole_batches(count, batch_size, parts, expected):
    assert [(part.start, part.stop) for part in shares(count, batch_size, parts)] == expected


def test_on_a_cpu_several_processes_are_started_only_where_they_are_asked_for():
    assert [usable_devices(wanted, CPU) for wanted in (0, 1, 2)] == [[CPU], [CPU], [CPU, CPU]]
    with pytest.raises(InputError, match="DEVICES is 3, but there are 2 CPU cores"):
        usable_devices(3, CPU)


@pytest.mark.parametrize(
    ("own", "wanted", "expected"),
    [("cuda", 1, [None]), ("cuda", 0, [1, 0, 3]), ("cuda", 2, [1, 0]), ("cuda:3", 0, [3, 0, 1]), ("cuda:2", 0, [2])],
)
def test_gpus_are_of_the_kind_of_the_runs_own_which_comes_first(own, wanted, expected, monkeypatch):
    kinds = ["A100", "A100", "V100", "A100"]
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(kinds))
    name = lambda device: kinds[device if isinstance(device, int) else device.index or 1]  # noqa: E731
    monkeypatch.setattr(torch.cuda, "get_device_name", name)
    assert [device.index for device in usable_devices(wanted, torch.device(own))] == expected
    with pytest.raises(InputError, match=r"DEVICES is 4, but there are \d visible GPUs of the run's kind, [AV]100"):
        usable_devices(4, torch.device(own))
