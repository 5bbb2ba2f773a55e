"""Random numbers: of their own for what must not depend on what came before it."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset


def random_state() -> dict[str, Any]:
    """The states of Python's, NumPy's and PyTorch's random numbers, on the CPU."""
    return {"python": random.getstate(), "numpy": np.random.get_state(), "torch": torch.get_rng_state()}


def set_random_state(state: dict[str, Any]) -> None:
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["torch"])


def cuda_states() -> list[torch.Tensor]:
    return torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []


def set_cuda_states(states: Sequence[torch.Tensor]) -> None:
    for device, state in enumerate(states[: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state, device)


def to_go_back() -> Callable[[], None]:
    """What has all random numbers, a GPU's too, go on from where they are now."""
    before, cuda = random_state(), cuda_states()

    def go_back() -> None:
        set_random_state(before)
        set_cuda_states(cuda)

    return go_back


def stored_random_state() -> dict[str, Any]:
    """All random states, those of CUDA devices too, as tensors and plain values."""
    state = random_state()
    name, key, *rest = state["numpy"]
    return {**state, "numpy": (name, key.tolist(), *rest), "cuda": cuda_states()}


def restore_random_state(stored: dict[str, Any]) -> None:
    """Goes on with random numbers from what `stored_random_state` gave, of any device that is there."""
    name, key, *rest = stored["numpy"]
    set_random_state({**stored, "numpy": (name, np.array(key, dtype=np.uint32), *rest)})
    set_cuda_states(stored["cuda"])


@contextmanager
def restored_random_state() -> Iterator[None]:
    """Random numbers that are drawn inside do not change those outside: their state is restored at the end."""
    before = random_state()
    try:
        yield
    finally:
        set_random_state(before)


@contextmanager
def own_random_numbers(*key: int) -> Iterator[None]:
    """Random numbers that follow from the key (integers ≥ 0) alone; those outside go on as if there were none."""
    with restored_random_state():
        seeds = np.random.SeedSequence(key).generate_state(3)
        random.seed(int(seeds[0]))
        np.random.seed(int(seeds[1]))
        torch.random.default_generator.manual_seed(int(seeds[2]))
        yield


class OwnView(Dataset):
    """Items of a dataset, each with random numbers of its own: the same in any order and by any loader worker."""

    def __init__(self, images: Dataset, *key: int) -> None:
        self.images, self.key = images, key

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        with own_random_numbers(*self.key, index):
            return self.images[index]


class RenewedView(OwnView):
    """The same, with a key that can be set between epochs, in loader workers that are running too."""

    LENGTH = 3  # of a key, at most

    def __init__(self, images: Dataset, *key: int) -> None:
        self.shared = torch.empty(self.LENGTH, dtype=torch.long).share_memory_()
        super().__init__(images, *key)

    @property
    def key(self) -> tuple[int, ...]:
        return tuple(number for number in self.shared.tolist() if number >= 0)

    @key.setter
    def key(self, key: tuple[int, ...]) -> None:
        self.shared.copy_(torch.tensor([*key, *[-1] * (self.LENGTH - len(key))]))
