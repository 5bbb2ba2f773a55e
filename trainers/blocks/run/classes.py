"""The classes of a run: their names, and what tells those apart that have one name."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Made = TypeVar("Made")


@dataclass(frozen=True)
class Classes(Sequence):
    """Names of classes in the order of their labels, with an id of each in the list of classes that they are of.

    `ids` are the same whatever part of that list, `among`, these classes are. Data sets of another project and older
    records have none.
    """

    names: tuple[str, ...]
    ids: tuple[str, ...] = ()
    among: str = ""

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.names):
            object.__setattr__(self, "ids", ())

    @classmethod
    def of(cls, names: Sequence[str]) -> "Classes":
        return names if isinstance(names, Classes) else cls(tuple(names))

    @classmethod
    def of_dataset(cls, dataset: object) -> "Classes":
        ids, among = getattr(dataset, "class_ids", ()), getattr(dataset, "class_list", "")
        return cls(tuple(dataset.classnames), tuple(ids), among)

    @classmethod
    def from_plain(cls, stored: Mapping[str, Any]) -> "Classes":
        """What `as_plain` gave; raises KeyError and TypeError for what holds no classes."""
        return cls(tuple(stored["classnames"]), tuple(stored.get("class_ids", ())), stored.get("class_list", ""))

    def as_plain(self) -> dict[str, Any]:
        """As JSON and checkpoints hold them."""
        names = {"classnames": list(self.names)}
        return {**names, "class_ids": list(self.ids), "class_list": self.among} if self.ids else names

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> str:
        return self.names[index]

    def take(self, rows: Sequence[int]) -> "Classes":
        """Those in some rows."""
        names, ids = (tuple(part[row] for row in rows if part) for part in (self.names, self.ids))
        return Classes(names, ids, self.among)

    def __add__(self, others: "Classes") -> "Classes":
        names = self.names + others.names
        return Classes(names, self.ids + others.ids, self.among) if self.share_ids(others) else Classes(names)

    def share_ids(self, others: "Classes") -> bool:
        return bool(self.ids and others.ids) and self.among == others.among

    def find(self, others: Sequence[str]) -> list[int | None]:
        """For each of the other classes the index that it has among these, None where it is none of these.

        Within one list of classes by id and name; else by name, of several with one name the first for the first.
        """
        others = Classes.of(others)
        by_id = self.share_ids(others)
        index = {key: at for at, key in enumerate(self.keys(by_id))}
        return [index.get(key) for key in others.keys(by_id)]

    def keys(self, by_id: bool) -> list[Hashable]:
        if by_id:
            return list(zip(self.names, self.ids, strict=True))
        seen: dict[str, int] = defaultdict(int)
        keys = []
        for name in self.names:
            keys.append((name, seen[name]))
            seen[name] += 1
        return keys

    def distinct(self) -> list[str]:
        """The names; where several classes have one name, with the id of each: "crane (134)"."""
        count = Counter(self.names)
        ids = self.ids or range(len(self.names))
        return [
            name if count[name] == 1 else f"{name} ({label})" for name, label in zip(self.names, ids, strict=True)
        ]


class ByClasses(dict):
    """What follows from a list of classes, made once for each of the newest few: training may go to and fro."""

    LIMIT = 4

    def of(self, classnames: Sequence[str], make: Callable[[Classes], Made]) -> Made:
        classes = Classes.of(classnames)
        if classes not in self:
            if len(self) == self.LIMIT:
                self.pop(next(iter(self)))
            self[classes] = make(classes)
        return self[classes]
