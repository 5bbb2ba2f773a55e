"""The order in which a loader takes the items of a dataset."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import RandomSampler, Sampler, SequentialSampler

from ..missing import refuse_upstream_only
from ..utils import ConfigError, check_availability
from .datasets import Datum


class RandomClassSampler(Sampler):
    """Batches of batch_size // n_ins random classes with n_ins items each.

    An epoch ends when fewer classes are left than a batch needs. Classes with fewer than n_ins items are
    filled up with repetitions. Random numbers come from `random` and numpy.
    """

    def __init__(self, data_source: Sequence[Datum], batch_size: int, n_ins: int) -> None:
        if batch_size < n_ins:
            raise ConfigError(f"A batch of {batch_size} cannot hold {n_ins} items of a class")
        self.n_ins = n_ins
        self.classes_per_batch = batch_size // n_ins
        self.indices: dict[int, list[int]] = defaultdict(list)
        for index, item in enumerate(data_source):
            self.indices[item.label].append(index)
        if len(self.indices) < self.classes_per_batch:
            raise ConfigError(f"A batch of {self.classes_per_batch} classes needs more than {len(self.indices)}")
        # How long an epoch gets depends on the draws, so that one has to be drawn.
        self.length = len(list(iter(self)))

    def __iter__(self) -> Iterator[int]:
        chunks = {label: self._chunks(indices) for label, indices in self.indices.items()}
        order = []
        while len(chunks) >= self.classes_per_batch:
            for label in random.sample(list(chunks), self.classes_per_batch):
                order.extend(chunks[label].pop(0))
                if not chunks[label]:
                    del chunks[label]
        return iter(order)

    def __len__(self) -> int:
        return self.length

    def _chunks(self, indices: list[int]) -> list[list[int]]:
        if len(indices) < self.n_ins:
            shuffled = np.random.choice(indices, size=self.n_ins, replace=True).tolist()
        else:
            shuffled = list(indices)
        random.shuffle(shuffled)
        whole = len(shuffled) - len(shuffled) % self.n_ins
        return [shuffled[i : i + self.n_ins] for i in range(0, whole, self.n_ins)]


def build_sampler(sampler_type: str, data_source: Sequence[Datum], batch_size: int = 32, n_ins: int = 16) -> Sampler:
    """Return the sampler of that name over the items of `data_source`."""
    refuse_upstream_only("SAMPLER", sampler_type)
    check_availability(sampler_type, ("RandomSampler", "SequentialSampler", "RandomClassSampler"))
    if sampler_type == "RandomClassSampler":
        return RandomClassSampler(data_source, batch_size, n_ins)
    return {"RandomSampler": RandomSampler, "SequentialSampler": SequentialSampler}[sampler_type](data_source)
