"""The datasets as the scripts see them: names from configs/datasets, their loaders, and what is there of each.

Importing this is quick; the loaders, and PyTorch with them, are imported when the first dataset is asked for.
"""

from __future__ import annotations  # for the doctor, which an old Python can run

from dataclasses import dataclass, field
from pathlib import Path

import yaml
from common.arguments import CHECKOUT
from common.errors import unknown

CONFIGS = CHECKOUT / "configs" / "datasets"


def known_names() -> list[str]:
    return sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def unknown_name(name: str) -> str:
    """A message about a dataset that is not known, with the nearest one."""
    return unknown("dataset", name, known_names())


@dataclass(frozen=True)
class Findings:
    """What is there of a dataset."""

    total: int = 0  # images that its lists name, each once
    images: list[str] = field(default_factory=list)  # those of them that are there
    missing: list[str] = field(default_factory=list)
    tests_missing: bool = False  # whether images of the test set are among them
    problem: str = ""  # why it cannot be listed

    def few_missing(self) -> str:
        from datasets.splits import first_few

        return first_few(self.missing)


class CatalogueError(Exception):
    """A dataset whose loader cannot be used; the message says why."""


class Dataset:
    """One dataset of configs/datasets under a DATA folder; nothing here writes. Raises CatalogueError.

    `folder`: the name of a folder of the user's own, which imagefolder needs.
    """

    def __init__(self, name: str, root: Path, folder: str = "") -> None:
        prepare_imports()
        from dassl.data.datasets import DATASET_REGISTRY
        from yacs.config import CfgNode

        from datasets import DatasetError

        self.name, self.root = name, Path(root).expanduser().absolute()
        config = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text(encoding="utf-8"))["DATASET"]
        own = {"FOLDER": folder} if folder else {}
        self.cfg = CfgNode({"DATASET": {**config, **own, "ROOT": str(self.root)}})
        try:
            self.loader = DATASET_REGISTRY.get(config["NAME"]).located(self.cfg)
        except DatasetError as error:
            raise CatalogueError(str(error)) from error
        self.folder: Path = self.loader.dataset_dir

    @property
    def is_rendered(self) -> bool:
        """Whether the loader makes the images itself, on first use."""
        from datasets.shapes import RenderedDataset

        return isinstance(self.loader, RenderedDataset)

    @property
    def lacks_split(self) -> bool:
        """Whether there is a published split file, and it is not there."""
        return bool(self.loader.split) and not self.loader.split_path.is_file()

    def split_missing(self) -> str:
        """A line about the published split file where it is not there, else nothing."""
        return f"split file {self.loader.split_path} not found" if self.lacks_split else ""

    @property
    def kind(self) -> str:
        """The configuration that comes with the project for this loader: `imagefolder` for one of the user's own."""
        return self.loader.config_name

    def inspect(self) -> Findings:
        """Lists the dataset and looks for each image."""
        from datasets import DatasetError
        from datasets.splits import missing_images

        try:
            parts = type(self.loader).listed(self.cfg)
        except DatasetError as error:
            return Findings(problem=str(error))
        items = [item for part in parts for item in part]
        missing = missing_images(items)
        absent = set(missing)
        paths = dict.fromkeys(item.impath for item in items)
        tests_missing = any(item.impath in absent for item in parts[-1])
        return Findings(len(paths), [path for path in paths if path not in absent], missing, tests_missing)


def prepare_imports() -> object:
    """Makes the loaders importable and gives the engine that they run on. Raises CatalogueError."""
    try:
        import compat

        return compat.ensure()
    except ImportError as error:
        raise CatalogueError(
            f"{error}; install the dependencies: bash scripts/quickstart.sh, or pip install . in the checkout"
        ) from error
    except compat.EngineError as error:
        raise CatalogueError(str(error)) from error


def first_line(message: object) -> str:
    return str(message).split("\n", 1)[0]
