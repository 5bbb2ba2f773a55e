"""The cache of Tip-Adapter: keys, the classes that they are of, and two numbers."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ..errors import InputError
from ..run.classes import ByClasses, Classes
from .kept import Memory


class Cache(Memory):
    """Tip-Adapter's keys (N, D) with the classes that they are of, and its two numbers, alpha and beta."""

    def __init__(self, feature_dim: int, alpha: float, beta: float) -> None:
        super().__init__(feature_dim)
        self.register_buffer("alpha", torch.tensor(alpha))
        self.register_buffer("beta", torch.tensor(beta))
        self._made = ByClasses()  # values

    def fill(self, keys: Tensor, labels: Tensor, owners: Sequence[str]) -> None:
        super().fill(keys, labels, owners)
        self._made.clear()

    def values(self, classnames: Sequence[str]) -> Tensor:
        """As make_values; made once for the same classes."""
        return self._made.of(classnames, self.make_values).to(self.labels.device)

    def make_values(self, classnames: Sequence[str]) -> Tensor:
        """V (N, C): which key is of which of these classes; raises InputError for classes without a key."""
        classes = Classes.of(classnames)
        unknown = [name for name, at in zip(classes, self.owners.find(classes), strict=True) if at is None]
        if unknown:
            raise InputError(
                f"Tip-Adapter's cache has no images of {len(unknown)} classes: {', '.join(unknown[:10])}.\n"
                "Evaluate on the classes that it was made from, or give it the others (SHIP synthesizes them)."
            )
        columns = [len(classes) if column is None else column for column in classes.find(self.owners)]
        column = torch.tensor(columns, device=self.labels.device)
        return one_hot(column[self.labels], len(classes) + 1)[:, :-1].float()

    def set_extra_state(self, state: dict) -> None:
        super().set_extra_state(state)
        self._made.clear()

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        self._made.clear()
        super()._load_from_state_dict(state_dict, prefix, *args)
