"""Feature batches from images and from a bank."""

import multiprocessing
import os
import random
import threading
from functools import partial

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, Dataset

from trainers.blocks.engine.images import ImageError
from trainers.blocks.features.batches import (
    Extract,
    FeatureBank,
    ImageFeatures,
    KeptWorkers,
    extract_alone,
    read_once,
)
from trainers.blocks.run.randomness import OwnView, RenewedView, own_random_numbers

CPU = torch.device("cpu")


class Counted(Dataset):
    """Images whose pixels say which image and which view of it they are."""

    def __init__(self, count: int) -> None:
        self.views = [0] * count

    def __len__(self) -> int:
        return len(self.views)

    def __getitem__(self, index: int) -> dict:
        self.views[index] += 1
        image = torch.full((3, 1, 1), float(index))
        image[1] = self.views[index]
        return {"img": image, "label": index % 3}


def encode(images: torch.Tensor) -> torch.Tensor:
    return images.flatten(1)


def encoding(**loading) -> Extract:
    return partial(extract_alone, encode, CPU, loading)


def test_images_are_encoded_anew_in_every_epoch():
    images = Counted(5)
    batches = ImageFeatures(encode, DataLoader(images, 2), CPU)
    for epoch in (1, 2):
        features = torch.cat([features for features, _ in batches])
        assert features[:, 1].tolist() == [epoch] * 5
    assert len(batches) == 3


def test_bank_encodes_each_view_once_and_serves_all_of_them():
    images = Counted(5)
    bank = FeatureBank.of(encoding(batch_size=2), images, 4, seed=1)
    assert (bank.features.shape, images.views) == ((4, 5, 3), [4] * 5)
    batches = bank.batches(2, drop_last=False)
    seen = {tuple(row[:2].tolist()) for _ in range(60) for features, _ in batches for row in features}
    assert seen == {(image, view) for image in range(5) for view in (1, 2, 3, 4)}
    assert images.views == [4] * 5


def test_epoch_of_a_bank_is_every_image_once_with_its_label():
    bank = FeatureBank.of(encoding(batch_size=4), Counted(7), 2, seed=1)
    features, labels = zip(*bank.batches(3, drop_last=False), strict=True)
    index = torch.cat(features)[:, 0].long()
    assert sorted(index.tolist()) == list(range(7))
    assert torch.equal(torch.cat(labels), index % 3)


@pytest.mark.parametrize(("count", "drop_last", "sizes"), [(7, True, [3, 3]), (7, False, [3, 3, 1]), (2, True, [2])])
def test_incomplete_batch_is_dropped_as_in_dassl(count, drop_last, sizes):
    batches = FeatureBank.of(encoding(batch_size=4), Counted(count), 1, seed=1).batches(3, drop_last)
    assert [len(labels) for _, labels in batches] == sizes
    assert len(batches) == len(sizes)


class Noise(Dataset):
    """Images of random pixels."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> dict:
        return {"img": torch.rand(3, 1, 1) + random.random() + np.random.rand(), "label": 0}


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_views_depend_on_the_seed_alone(workers):
    """Neither on loader workers nor on what was drawn before; and what is drawn later does not depend on them."""
    plain = FeatureBank.of(encoding(batch_size=4), Noise(), 2, seed=1).features
    torch.manual_seed(7)
    bank = FeatureBank.of(encoding(batch_size=2, num_workers=workers), Noise(), 2, seed=1).features
    after = torch.rand(1)
    torch.manual_seed(7)
    assert torch.equal(after, torch.rand(1))
    assert torch.equal(bank, plain)
    assert len(bank.flatten(end_dim=1).unique(dim=0)) == 2 * 6
    assert not torch.equal(FeatureBank.of(encoding(batch_size=4), Noise(), 2, seed=2).features, plain)


@pytest.mark.parametrize("at_once", [1, 2, 3, 9])
def test_views_that_are_encoded_together_are_those_of_each_alone(at_once):
    alone = FeatureBank.of(encoding(batch_size=4), Noise(), 5, seed=1)
    together = FeatureBank.of(encoding(batch_size=4), Noise(), 5, 1, at_once)
    assert torch.equal(together.features, alone.features) and torch.equal(together.labels, alone.labels)


def test_views_can_come_from_elsewhere_in_part():
    plain, asked = FeatureBank.of(encoding(batch_size=4), Noise(), 3, seed=1).features, []

    def cached(views, encode):
        asked.append(views)
        features, labels = encode([1, 7])  # the second image in both views
        whole = torch.zeros(12, 3)
        whole[[1, 7]] = features
        return whole, labels.new_zeros(12)

    bank = FeatureBank.of(encoding(batch_size=4), Noise(), 2, 1, at_once=2, cached=cached)
    assert asked == [range(2)]
    assert torch.equal(bank.features[:, 1], plain[:2, 1])
    assert not bank.features[:, [0, *range(2, 6)]].any()


def random_batches(loader) -> tuple[list[torch.Tensor], torch.Tensor]:
    """A loader's batches, and the random number that comes after them."""
    with own_random_numbers(3):
        return [batch["img"] for batch in loader], torch.rand(1)


def test_reading_ahead_changes_neither_batches_nor_random_numbers():
    ahead, after = random_batches(read_once(Noise(), batch_size=4))
    plain, expected = random_batches(DataLoader(Noise(), 4))
    assert [len(batch) for batch in ahead] == [4, 2]
    assert all(map(torch.equal, ahead, plain)) and torch.equal(after, expected)


class Waited(Noise):
    """Images of which it can be waited for that the last one is read."""

    def __init__(self) -> None:
        self.read = threading.Event()

    def __getitem__(self, index: int) -> dict:
        if index == len(self) - 1:
            self.read.set()
        return super().__getitem__(index)


def test_the_next_batch_is_read_while_one_is_encoded():
    images, seen = Waited(), []

    def encode_when_all_is_read(batch: torch.Tensor) -> torch.Tensor:
        seen.append(images.read.wait(timeout=60))
        return batch.flatten(1)

    extract_alone(encode_when_all_is_read, CPU, {"batch_size": 3}, images, "test")
    assert seen == [True, True]


class Broken(Noise):
    """Images whose last one cannot be read."""

    def __getitem__(self, index: int) -> dict:
        if index == len(self) - 1:
            raise ImageError("no such image")
        return super().__getitem__(index)


def test_what_goes_wrong_while_reading_ahead_is_raised_and_leaves_no_thread():
    before = threading.active_count()
    with pytest.raises(ImageError, match="no such image"):
        encoding(batch_size=2)(Broken(), "test")
    assert threading.active_count() == before


def test_a_loop_that_is_left_early_leaves_no_thread_and_no_random_numbers_of_its_images():
    before = threading.active_count()
    torch.manual_seed(5)
    for _ in read_once(OwnView(Noise(), 1), batch_size=1):
        break
    assert threading.active_count() == before
    left = torch.rand(1)
    torch.manual_seed(5)
    list(DataLoader(OwnView(Noise(), 1)))
    assert torch.equal(torch.rand(1), left)


def marked_bank(views: int, count: int) -> FeatureBank:
    """Features that say which image and which view they are of."""
    view, image = torch.meshgrid(torch.arange(views), torch.arange(count), indexing="ij")
    return FeatureBank(torch.stack([image, view], dim=-1).float(), torch.arange(count) % 3)


def test_bank_is_shuffled_anew_in_every_epoch():
    torch.manual_seed(0)
    batches = marked_bank(1, 30).batches(7, drop_last=False)
    first, second = (torch.cat([features for features, _ in batches])[:, 0].tolist() for _ in range(2))
    assert first != second
    assert list(range(30)) not in (first, second)


def test_views_are_drawn_for_each_image_of_each_batch():
    torch.manual_seed(0)
    batches = marked_bank(8, 30).batches(6, drop_last=False)
    by_batch = [tuple(features[:, 1].tolist()) for _ in range(4) for features, _ in batches]
    assert len(set(by_batch)) == len(by_batch)
    assert all(len(set(views)) > 1 for views in by_batch)


def test_features_of_several_batches_come_in_the_images_order():
    features, labels = encoding(batch_size=2)(Counted(5), "test")
    assert features[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert labels.tolist() == [0, 1, 2, 0, 1]


class Views(Dataset):
    """Images that say which process has loaded them, and what random number it drew."""

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> dict:
        return {"img": torch.tensor([float(os.getpid()), random.random()]), "label": index}


def epochs(loader_of, count: int = 3) -> tuple[list[torch.Tensor], list[list[int]], set[float]]:
    """Numbers that were drawn for images, by epoch; the order of images; and the processes that loaded them."""
    torch.manual_seed(3)
    images = RenewedView(Views(), 7)
    loader = loader_of(images, 2, shuffle=True, num_workers=1)
    drawn, orders, processes = [], [], set()
    for epoch in range(count):
        images.key = (7, 0, epoch)
        loaded, labels = zip(*((batch["img"], batch["label"]) for batch in loader), strict=True)
        drawn.append(torch.cat(loaded)[:, 1])
        orders.append(torch.cat(labels).tolist())
        processes |= set(torch.cat(loaded)[:, 0].tolist())
    return [*drawn, torch.rand(3)], orders, processes


def test_workers_that_stay_give_what_workers_that_start_anew_would():
    """Views, order, and the random numbers that are drawn after it."""
    drawn, orders, processes = epochs(DataLoader)
    kept_drawn, kept_orders, kept_processes = epochs(KeptWorkers)
    assert all(map(torch.equal, kept_drawn, drawn)) and kept_orders == orders
    assert (len(kept_processes), len(processes)) == (1, 3)
    assert len({tuple(numbers.sort().values.tolist()) for numbers in drawn[:-1]}) == 3  # other views in every epoch


def test_without_workers_a_loader_is_as_any_other():
    assert [len(batch["label"]) for batch in KeptWorkers(Views(), 2)] == [2, 2, 1]


def test_workers_end_when_they_are_told_to():
    loader = KeptWorkers(Views(), 2, num_workers=1)
    list(loader)
    assert len(multiprocessing.active_children()) == 1
    loader.end()
    assert multiprocessing.active_children() == []
    assert len(list(loader)) == 3  # by others
    loader.end()


def test_steps_on_a_bank_copy_nothing_to_the_device():
    """On the meta device, which cannot hand anything back either."""
    bank = FeatureBank(torch.empty(2, 6, 4, device="meta"), torch.empty(6, dtype=torch.long, device="meta"))
    steps = iter(bank.batches(2, drop_last=False))
    next(steps)
    with Copies() as copies:
        assert len(list(steps)) == 2
    assert copies.count == 0


class Copies(TorchDispatchMode):
    """Counts copies of tensors."""

    count = 0

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        self.count += operation in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
        return operation(*arguments, **(options or {}))
