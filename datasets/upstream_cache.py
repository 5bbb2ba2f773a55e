"""Few-shot samples that CoOp has saved as pickles: read without letting a pickle run anything."""

import pickle
from pathlib import Path

from dassl.data.datasets import Datum

from .splits import DatasetError

DATUM = ("dassl.data.datasets.base_dataset", "Datum")


class RestrictedUnpickler(pickle.Unpickler):
    """Reads numbers, strings, plain containers and Dassl's Datum; anything else is refused unread."""

    def __init__(self, file, path: Path) -> None:
        super().__init__(file)
        self.path = path
        # A class of its own: a pickle can set attributes of the classes that it is given.
        self.record = type("StoredDatum", (), {})

    def find_class(self, module: str, name: str) -> type:
        if (module, name) == DATUM:
            return self.record
        raise DatasetError(
            f"{self.path} asks for {module}.{name}, which has no place in few-shot data: it was not loaded.\n"
            "Delete the file, and the sample is drawn again."
        )


def read_upstream_cache(path: Path) -> dict[str, list[Datum]]:
    """Items {"train": …, "val": …} of CoOp's split_fewshot/*.pkl, with the paths of the machine that wrote it.

    ImageNet's has no "val". Raises DatasetError for a damaged file and for one that asks for any other class.
    """
    try:
        with path.open("rb") as file:
            stored = RestrictedUnpickler(file, path).load()
        return {part: [as_datum(record) for record in stored.get(part, [])] for part in ("train", "val")}
    except DatasetError:
        raise
    except Exception as error:  # a damaged pickle makes Python raise almost anything
        raise DatasetError(
            f"{path} cannot be read as CoOp's few-shot data ({type(error).__name__}: {error}).\n"
            "Delete the file, and the sample is drawn again."
        ) from error


def as_datum(record: object) -> Datum:
    label, path, name = record._label, record._impath, record._classname
    if not (isinstance(label, int) and isinstance(path, str) and isinstance(name, str)):
        raise TypeError("an item has no path, label and class name")
    return Datum(impath=path, label=label, classname=name)
