"""The embedded data sets: small rendered pictures, made on first use, for runs that need no download.

`Shapes` is for figures and `ShapesDev` for choosing anything; they share neither classes nor pictures.
"""

import json
import os
import shutil
import tempfile
import time
from pathlib import Path

from dassl.data.datasets import DATASET_REGISTRY
from PIL import Image
from tqdm import tqdm

from .fewshot import DatasetError, FewShotDataset
from .shapes_classes import DEV_CLASSES, REPORT_CLASSES
from .shapes_render import VERSION, render

# Part ─▶ (stream of the renderer, pictures per class); other streams are for pre-training and its figures.
PARTS = {"train": (1, 32), "val": (2, 8), "test": (3, 100)}
STAMP = "version.txt"
STALE = 3600.0  # seconds after which an unfinished folder must be a killed run's


class RenderedDataset(FewShotDataset):
    """A data set that `prepare` renders under DATASET.ROOT: PNG files and a split file in CoOp's form."""

    images = "images"
    names: tuple[str, ...] = ()
    domain = ""  # of shapes_scene.DOMAINS

    def __init_subclass__(cls) -> None:
        """They share a module, so their configurations are named after their folders."""
        cls.config_name, cls.split = cls.folder, f"split_zhou_{cls.__name__}.json"
        super().__init_subclass__()

    def prepare(self) -> None:
        """Renders the pictures unless this version of them is there; raises DatasetError where it must not."""
        if self.is_current():
            return
        if self.dataset_dir.exists() and not (self.dataset_dir / STAMP).is_file():
            raise DatasetError(
                f"{type(self).__name__}: {self.dataset_dir} was not made by this loader, which will not replace it.\n"
                f"Move it away, or name another folder {self.by_option}."
            )
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            remove_stale(self.root, self.folder)
            self.render_all()
        except OSError as error:
            raise DatasetError(
                f"{type(self).__name__}: cannot write to {self.root} ({error}).\n"
                f"Its pictures are rendered there on first use; name a writable folder {self.by_option}."
            ) from error

    def source(self) -> str:
        return f"Pictures are rendered on first use; to have them rendered again, delete {self.dataset_dir}."

    def is_current(self) -> bool:
        """Whether the folder holds the pictures that this version would render: it is put in place complete."""
        stamp = self.dataset_dir / STAMP
        return stamp.is_file() and stamp.read_text(encoding="utf-8") == self.stamp()

    def stamp(self) -> str:
        return json.dumps({"renderer": VERSION, "domain": self.domain, "classes": self.names, "parts": PARTS})

    def render_all(self) -> None:
        """Renders into a folder of this process and moves it into place; of several runs, the first to end wins."""
        total = len(self.names) * sum(count for _, count in PARTS.values())
        print(f"Rendering {total:,} pictures of {type(self).__name__} into {self.dataset_dir} (first use, seconds)")
        with tempfile.TemporaryDirectory(
            prefix=f".{self.folder}-", dir=self.root, ignore_cleanup_errors=True
        ) as temp:
            made = Path(temp, "made")
            with tqdm(total=total, desc="render", disable=None) as bar:
                split = {part: self.render_part(made, part, bar) for part in PARTS}
            (made / self.split).write_text(json.dumps(split), encoding="utf-8")
            (made / STAMP).write_text(self.stamp(), encoding="utf-8")
            self.put_in_place(made, Path(temp, "old"))

    def render_part(self, folder: Path, part: str, bar: tqdm) -> list[list]:
        """Renders one part of the split below `folder`; gives its [path, label, class name] entries."""
        stream, count = PARTS[part]
        entries = []
        for label, name in enumerate(self.names):
            (folder / self.images / name).mkdir(parents=True, exist_ok=True)
            for index in range(count):
                path = f"{name}/{part}_{index:03d}.png"
                pixels, _ = render(name, self.domain, stream, index)
                Image.fromarray(pixels).save(folder / self.images / path)
                entries.append([path, label, name])
                bar.update()
        return entries

    def put_in_place(self, made: Path, old: Path) -> None:
        """Swaps `made` for what is there, which a renderer of another version made, unless another run did so."""
        for _ in range(10):
            if self.is_current():
                return
            try:
                if self.dataset_dir.exists():
                    os.rename(self.dataset_dir, old)
                os.rename(made, self.dataset_dir)
                return
            except OSError as error:  # another run came between
                problem = error
                time.sleep(0.1)
        raise problem


def remove_stale(root: Path, folder: str) -> None:
    """Removes what killed runs left; what a live run is making is younger."""
    for path in root.glob(f".{folder}-*"):
        if path.is_dir() and time.time() - path.stat().st_mtime > STALE:
            shutil.rmtree(path, ignore_errors=True)


@DATASET_REGISTRY.register()
class Shapes(RenderedDataset):
    """50 classes in their rare looks, for which captions have no word: a shift particular to each class."""

    folder = "shapes"
    names = REPORT_CLASSES
    domain = "rare"


@DATASET_REGISTRY.register()
class ShapesDev(RenderedDataset):
    """The same with the other 49 classes: design and settings are chosen on these, never on Shapes."""

    folder = "shapes_dev"
    names = DEV_CLASSES
    domain = "rare"


@DATASET_REGISTRY.register()
class ShapesShared(RenderedDataset):
    """The classes of Shapes in looks that all classes share: what base classes show of them holds for new ones."""

    folder = "shapes_shared"
    names = REPORT_CLASSES
    domain = "shared"


@DATASET_REGISTRY.register()
class ShapesSharedDev(RenderedDataset):
    """The same with the classes of ShapesDev: the looks and all settings are chosen on these."""

    folder = "shapes_shared_dev"
    names = DEV_CLASSES
    domain = "shared"


# Domain shift: the classes of Shapes elsewhere, as negatives of ordinary looks and as other pictures of rare ones.


@DATASET_REGISTRY.register()
class ShapesStyle(RenderedDataset):
    folder = "shapes_style"
    names = REPORT_CLASSES
    domain = "negative"


@DATASET_REGISTRY.register()
class ShapesDark(RenderedDataset):
    folder = "shapes_dark"
    names = REPORT_CLASSES
    domain = "rare dark"


@DATASET_REGISTRY.register()
class ShapesPixels(RenderedDataset):
    folder = "shapes_pixels"
    names = REPORT_CLASSES
    domain = "rare pixels"


# Cross-dataset targets: other classes than those of Shapes.


@DATASET_REGISTRY.register()
class ShapesOther(RenderedDataset):
    folder = "shapes_other"
    names = DEV_CLASSES
    domain = "plain"


@DATASET_REGISTRY.register()
class ShapesOtherStyle(RenderedDataset):
    folder = "shapes_other_style"
    names = DEV_CLASSES
    domain = "negative"


@DATASET_REGISTRY.register()
class ShapesOtherDark(RenderedDataset):
    folder = "shapes_other_dark"
    names = DEV_CLASSES
    domain = "dark"
