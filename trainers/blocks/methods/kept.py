"""What methods keep by class or by image: tensors with any number of rows, and the classes that these are of."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..run.classes import ByClasses, Classes


class Kept(nn.Module):
    """Tensors whose number of rows follows from the training set, and the classes that they are of, `owners`.

    A checkpoint is loaded whatever number of rows it has. `growing` names the tensors.
    """

    growing: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.owners = Classes(())
        self._places = ByClasses()
        self._places_of = self.owners

    def places(self, classnames: Sequence[str], device: torch.device) -> Tensor:
        """Which of the owners each of these classes is: (C,), −1 for none. Made once: training asks in every step."""

        def found(classes: Classes) -> Tensor:
            return torch.tensor([-1 if row is None else row for row in self.owners.find(classes)], device=device)

        if self._places_of is not self.owners:
            self._places, self._places_of = ByClasses(), self.owners
        return self._places.of(classnames, found).to(device)

    def by_class(self, tensor: Tensor, classnames: Sequence[str]) -> Tensor:
        """Of a tensor with a row for each owner (K, …) those of these classes (C, …); zeros where one is none."""
        if self.owners == classnames:
            return tensor
        places = self.places(classnames, tensor.device)
        return torch.cat([tensor, tensor.new_zeros(1, *tensor.shape[1:])])[places]

    def get_extra_state(self) -> dict:
        return self.owners.as_plain()

    def set_extra_state(self, state: dict) -> None:
        self.owners = Classes.from_plain(state)

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        """Takes stored tensors of any number of rows; says so where they are of another backbone."""
        for name in self.growing:
            stored, own = state_dict.get(f"{prefix}{name}"), getattr(self, name)
            if stored is None:
                continue
            if stored.shape[1:] != own.shape[1:]:
                raise InputError(
                    f"The checkpoint's {name} have {stored.shape[-1]} dimensions, this run's features "
                    f"{own.shape[-1]}: the backbone differs from that of the run that made it."
                )
            own.data = stored.to(own)
        super()._load_from_state_dict(state_dict, prefix, *args)


class Memory(Kept):
    """Features (N, D), `keys`, with the classes that they are of."""

    growing = ("keys", "labels")

    def __init__(self, feature_dim: int) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.zeros(0, feature_dim))
        self.register_buffer("labels", torch.zeros(0, dtype=torch.long))

    def fill(self, keys: Tensor, labels: Tensor, owners: Sequence[str]) -> None:
        """Keeps keys (N, D) whose labels (N,) index the owners' class names."""
        self.keys.data, self.labels, self.owners = keys.clone(), labels.clone(), Classes.of(owners)


class ClassWeights(Kept):
    """A linear head: `weight` (C, D) by class, and for each of `numbers` one number a class (C,), such as a bias."""

    def __init__(self, feature_dim: int, *numbers: str) -> None:
        super().__init__()
        self.growing = ("weight", *numbers)
        self.weight = nn.Parameter(torch.zeros(0, feature_dim))
        for name in numbers:
            self.register_parameter(name, nn.Parameter(torch.zeros(0)))

    def fill(self, owners: Sequence[str], **rows: Tensor) -> None:
        """Keeps a row of each tensor for each of these classes."""
        self.owners = Classes.of(owners)
        for name, values in rows.items():
            getattr(self, name).data = values.detach().clone()

    def among(self, classnames: Sequence[str]) -> list[Tensor]:
        """The tensors with a row for each of these classes, of zeros where a class is not among the owners."""
        return [self.by_class(getattr(self, name), classnames) for name in self.growing]
