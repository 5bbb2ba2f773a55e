"""The cache of Tip-Adapter: keys, the classes that they are of, and two numbers."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ..errors import InputError
from ..run.classes import ByClasses, Classes


class Cache(nn.Module):
    """Tip-Adapter's keys (N, D) with the classes that they are of, and its two numbers, alpha and beta."""

    def __init__(self, feature_dim: int, alpha: float, beta: float) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.zeros(0, feature_dim))
        self.register_buffer("labels", torch.zeros(0, dtype=torch.long))
        self.register_buffer("alpha", torch.tensor(alpha))
        self.register_buffer("beta", torch.tensor(beta))
        self.owners = Classes(())
        self._made = ByClasses()  # their values

    def fill(self, keys: Tensor, labels: Tensor, owners: Sequence[str]) -> None:
        """Keeps keys (N, D) whose labels (N,) index the owners' class names."""
        self.keys.data, self.labels, self.owners = keys.clone(), labels.clone(), Classes.of(owners)
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

    def get_extra_state(self) -> dict:
        return self.owners.as_plain()

    def set_extra_state(self, state: dict) -> None:
        self.owners = Classes.from_plain(state)
        self._made.clear()

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        """Takes stored keys of any number; says so where they are of another backbone."""
        self._made.clear()
        stored = state_dict.get(f"{prefix}keys")
        if stored is not None:
            if stored.shape[-1] != self.keys.shape[-1]:
                raise InputError(
                    f"The checkpoint's keys have {stored.shape[-1]} dimensions, this run's features "
                    f"{self.keys.shape[-1]}: the backbone differs from that of the run that made it."
                )
            self.keys.data = stored.to(self.keys)
            self.labels = state_dict[f"{prefix}labels"].to(self.labels)
        super()._load_from_state_dict(state_dict, prefix, *args)
