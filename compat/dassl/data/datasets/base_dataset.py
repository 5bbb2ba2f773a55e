"""One labelled image file, and a dataset as lists of them."""

import os
import random
import shutil
from collections import defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter
from pathlib import Path

from ...utils import check_availability, download_url


class Datum:
    """An image file with its label, domain and class name; read-only.

    Few-shot samples are pickled with these attributes, in CoOp's checkouts too: renaming one breaks those
    files.
    """

    def __init__(self, impath: str = "", label: int = 0, domain: int = 0, classname: str = "") -> None:
        if not isinstance(impath, str):
            raise TypeError(f"impath is a str, not {type(impath).__name__}")
        self._impath = impath
        self._label = label
        self._domain = domain
        self._classname = classname

    impath = property(attrgetter("_impath"))
    label = property(attrgetter("_label"))
    domain = property(attrgetter("_domain"))
    classname = property(attrgetter("_classname"))

    def __repr__(self) -> str:
        return f"Datum({self.impath!r}, {self.label!r}, {self.domain!r}, {self.classname!r})"


class DatasetBase:
    """Training data with labels (train_x) and without (train_u), validation and test data.

    The classes are those of train_x: `num_classes` is its largest label + 1, `lab2cname` its class names by
    label, `classnames` the same names as a list ordered by label.
    """

    dataset_dir = ""
    domains: Sequence[str] = ()

    def __init__(
        self,
        train_x: Sequence[Datum] | None = None,
        train_u: Sequence[Datum] | None = None,
        val: Sequence[Datum] | None = None,
        test: Sequence[Datum] | None = None,
    ) -> None:
        self._train_x = train_x
        self._train_u = train_u
        self._val = val
        self._test = test
        self._num_classes = self.get_num_classes(train_x or ())
        self._lab2cname, self._classnames = self.get_lab2cname(train_x or ())

    train_x = property(attrgetter("_train_x"))
    train_u = property(attrgetter("_train_u"))
    val = property(attrgetter("_val"))
    test = property(attrgetter("_test"))
    lab2cname = property(attrgetter("_lab2cname"))
    classnames = property(attrgetter("_classnames"))
    num_classes = property(attrgetter("_num_classes"))

    @staticmethod
    def get_num_classes(data_source: Iterable[Datum]) -> int:
        """Return the largest label + 1."""
        return max((item.label for item in data_source), default=-1) + 1

    @staticmethod
    def get_lab2cname(data_source: Iterable[Datum]) -> tuple[dict[int, str], list[str]]:
        """Return the class names by label, and as a list ordered by label."""
        lab2cname = {item.label: item.classname for item in data_source}
        return lab2cname, [lab2cname[label] for label in sorted(lab2cname)]

    def check_input_domains(self, source_domains: Iterable[str], target_domains: Iterable[str]) -> None:
        """Raise UnavailableError for a domain that the dataset does not have."""
        for domain in (*source_domains, *target_domains):
            check_availability(domain, self.domains)

    def download_data(self, url: str, dst: str | Path, from_gdrive: bool = True) -> None:
        """Download the archive `url` (tar or zip) to the file `dst` and unpack it beside that."""
        os.makedirs(os.path.dirname(dst) or ".", exist_ok=True)
        download_url(url, dst, from_gdrive=from_gdrive)
        print("Extracting file ...")
        # Without a filter, a tar archive could write outside its folder; shutil's zip reader takes none.
        options = {} if str(dst).endswith(".zip") else {"filter": "data"}
        shutil.unpack_archive(dst, os.path.dirname(dst) or ".", **options)

    def generate_fewshot_dataset(
        self, *data_sources: Sequence[Datum], num_shots: int = -1, repeat: bool = False
    ) -> Sequence[Datum] | list[Sequence[Datum]]:
        """Return `num_shots` random items of each class, all if num_shots < 1; several sources give a list.

        A class with fewer items gives them all, or with `repeat` is drawn from with replacement. Random
        numbers come from `random`, class by class in the order of first occurrence, as in Dassl.
        """
        sampled = list(data_sources)
        if num_shots >= 1:
            print(f"Creating a {num_shots}-shot dataset")
            sampled = [self._sample(source, num_shots, repeat) for source in data_sources]
        return sampled[0] if len(sampled) == 1 else sampled

    def _sample(self, data_source: Sequence[Datum], num_shots: int, repeat: bool) -> list[Datum]:
        sampled = []
        for items in self.split_dataset_by_label(data_source).values():
            if len(items) >= num_shots:
                items = random.sample(items, num_shots)
            elif repeat:
                items = random.choices(items, k=num_shots)
            sampled.extend(items)
        return sampled

    def split_dataset_by_label(self, data_source: Iterable[Datum]) -> dict[int, list[Datum]]:
        """Return the items by label, labels in the order of first occurrence."""
        return _group(data_source, "label")

    def split_dataset_by_domain(self, data_source: Iterable[Datum]) -> dict[int, list[Datum]]:
        """Return the items by domain, domains in the order of first occurrence."""
        return _group(data_source, "domain")


def _group(data_source: Iterable[Datum], attribute: str) -> dict[int, list[Datum]]:
    groups = defaultdict(list)
    for item in data_source:
        groups[getattr(item, attribute)].append(item)
    return groups
