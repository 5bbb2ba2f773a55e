"""SUN397: 397 kinds of scenes."""

from pathlib import Path

from dassl.data.datasets import DATASET_REGISTRY, Datum

from .fewshot import FewShotDataset


@DATASET_REGISTRY.register()
class SUN397(FewShotDataset):
    folder = "sun397"
    images = "SUN397"
    split = "split_zhou_SUN397.json"

    def read_lists(self) -> tuple[list[Datum], list[Datum]]:
        labels = {name: label for label, name in enumerate(self.read_lines(self.dataset_dir / "ClassName.txt"))}
        train, test = (
            self.read_list(self.dataset_dir / name, labels) for name in ("Training_01.txt", "Testing_01.txt")
        )
        return train, test

    def read_list(self, path: Path, labels: dict[str, int]) -> list[Datum]:
        """Items of a list with lines `/a/airplane_cabin/sun_abc.jpg`; a class is named by its folder."""
        with self.reading(path):
            folders = [(line, line.rpartition("/")[0]) for line in self.read_lines(path)]
            return [self.item(line[1:], labels[folder], scene(folder)) for line, folder in folders]


def scene(folder: str) -> str:
    """As CoOp has it: "/c/church/outdoor" is "outdoor church"."""
    return " ".join(reversed(folder.split("/")[2:]))
