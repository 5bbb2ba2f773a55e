"""Images to features: batch by batch as training asks for them, or encoded once into a bank."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset

from ..run.progress import progress
from ..run.randomness import OwnView, own_random_numbers

Batch = tuple[Tensor, Tensor]  # features (B, D), L2-normalized; labels (B,)
Encode = Callable[[Tensor], Tensor]  # images (B, 3, R, R) to features (B, D)
Extract = Callable[[Dataset, str], Batch]  # images, a title for the bar; features (N, D), labels (N,) in their order
EncodeRows = Callable[[Sequence[int]], Batch]  # rows of a list of images to their features and labels


class KeptWorkers(DataLoader):
    """A loader whose workers stay from epoch to epoch; it draws the random numbers that one without would draw.

    What changes between epochs has to reach workers that run already, see RenewedView.
    """

    def __init__(self, images: Dataset, *arguments, num_workers: int = 0, **loading) -> None:
        super().__init__(images, *arguments, num_workers=num_workers, persistent_workers=num_workers > 0, **loading)

    def __iter__(self) -> Iterator:
        if self.persistent_workers and self._iterator is not None:
            torch.empty((), dtype=torch.long).random_()  # for what workers that start would be seeded with
        return super().__iter__()

    def end(self) -> None:
        """Ends the workers; there will be others if it is gone through again."""
        self._iterator = None


class ReadAhead:
    """A loader without workers, of which a thread reads the next batch while the last one is used.

    Random numbers that reading draws are the whole process's: what uses the batches must draw none. They come in the
    same order as without the thread.
    """

    def __init__(self, loader: DataLoader) -> None:
        self.loader = loader

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        batches = iter(self.loader)
        with ThreadPoolExecutor(1) as thread:  # leaving it waits for what is being read
            coming = thread.submit(next, batches, None)
            while (batch := coming.result()) is not None:
                coming = thread.submit(next, batches, None)
                yield batch


def read_once(images: Dataset, **loading: Any) -> DataLoader | ReadAhead:
    """A loader of images in their order, which reads while a batch is encoded: by a thread, or workers if there are.

    `loading` goes to the DataLoader.
    """
    loader = DataLoader(images, shuffle=False, **loading)
    return loader if loader.num_workers else ReadAhead(loader)


class Batches(Protocol):
    """What a stage trains on: batches of features, a known number of them in each epoch."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]: ...


class ImageFeatures:
    """Encodes each batch of an image loader when it is asked for: fresh augmentation in every epoch."""

    def __init__(self, encode: Encode, loader: DataLoader | ReadAhead, device: torch.device) -> None:
        self.encode, self.loader, self.device = encode, loader, device

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.loader:
            images, labels = (batch[name].to(self.device, non_blocking=True) for name in ("img", "label"))
            yield self.encode(images), labels


class FullBatches(nn.Module):
    """Encodes batches that are short of `size` images filled up to it, so that all are of one size.

    How many images a batch has can change the last bits of each one's feature, on CPUs where there are few, on GPUs
    by the kernels that are chosen. So filled, an image's feature is the same whatever images it is encoded with.
    """

    def __init__(self, encoder: nn.Module, size: int) -> None:
        super().__init__()
        self.encoder, self.size = encoder, size

    def forward(self, images: Tensor) -> Tensor:
        lacking = images[-1:].expand(max(0, self.size - len(images)), -1, -1, -1)
        return self.encoder(torch.cat([images, lacking]) if len(lacking) else images)[: len(images)]


class FeatureBank:
    """K views of every image, encoded once: features (K, N, D), labels (N,)."""

    def __init__(self, features: Tensor, labels: Tensor) -> None:
        self.features, self.labels = features, labels

    @classmethod
    def of(
        cls,
        extract: Extract,
        images: Dataset,
        views: int,
        seed: int,
        at_once: int = 1,
        cached: Callable[[range, EncodeRows], Batch] | None = None,
    ) -> "FeatureBank":
        """Encodes `views` passes over the images, `at_once` of them as if they were one.

        `cached` gives some views (their numbers), view by view, from a cache or by calling the function that encodes
        rows of them.

        What a view looks like follows from the seed, its number and the image's, whatever was drawn before, and
        nothing that is drawn later depends on it.
        """

        def some(numbers: range) -> Batch:
            seen = ConcatDataset([OwnView(images, seed, view) for view in numbers])

            def encode(rows: Sequence[int]) -> Batch:
                with own_random_numbers(seed):  # a loader draws, too
                    return extract(Subset(seen, rows), f"views up to {numbers[-1] + 1}/{views}")

            return cached(numbers, encode) if cached else encode(range(len(seen)))

        passes = [some(range(first, min(first + at_once, views))) for first in range(0, views, at_once)]
        features = torch.cat([features for features, _ in passes])
        return cls(features.view(views, len(images), -1), passes[0][1][: len(images)])

    def pool(self) -> Batch:
        """All views as features (K · N, D) with labels (K · N,), view by view."""
        return self.features.flatten(end_dim=1), self.labels.repeat(len(self.features))

    def batches(self, batch_size: int, drop_last: bool) -> "BankBatches":
        return BankBatches(self, batch_size, drop_last)


class BankBatches:
    """Shuffled batches of a bank; every epoch draws one of the K views of each image.

    As in Dassl's training loader, an incomplete last batch can be dropped, but never the only one.
    """

    def __init__(self, bank: FeatureBank, batch_size: int, drop_last: bool) -> None:
        self.bank, self.batch_size = bank, batch_size
        count = len(bank.labels)
        self.length = count // batch_size if drop_last and count >= batch_size else -(-count // batch_size)

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Batch]:
        views, count = self.bank.features.shape[:2]
        order, view = torch.randperm(count), torch.randint(views, (count,))
        drawn = torch.stack([order, view[order]])  # one copy an epoch, and none a step
        drawn = drawn.to(self.bank.labels.device, non_blocking=True)
        for step in range(self.length):
            rows, view = drawn[:, step * self.batch_size : (step + 1) * self.batch_size]
            yield self.bank.features[view, rows], self.bank.labels[rows]


class RoundedBatches:
    """Batches whose features have been rounded to fp16, and are fp32 all the same."""

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        for features, labels in self.batches:
            yield features.half().float(), labels


def extract(batches: Batches, title: str) -> Batch:
    """All features (N, D) and labels (N,) of a loader, with a progress bar."""
    features, labels = [], []
    with progress(len(batches), f"features, {title}") as bar:
        for batch_features, batch_labels in batches:
            features.append(batch_features)
            labels.append(batch_labels)
            bar.update()
    return torch.cat(features), torch.cat(labels)


def extract_alone(
    encode: Encode, device: torch.device, loading: Mapping[str, Any], images: Dataset, title: str
) -> Batch:
    """An Extract, but for its first arguments: encodes in this process; `loading` goes to the DataLoader."""
    return extract(ImageFeatures(encode, read_once(images, **loading), device), title)
