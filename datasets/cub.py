"""CUB-200-2011: 200 birds; seen and unseen classes by the zero-shot benchmark's list where there is one."""

from functools import cached_property

from dassl.data.datasets import DATASET_REGISTRY, Datum

from .fewshot import FewShotDataset
from .splits import DatasetError, first_few

SEEN, UNSEEN = "trainvalclasses.txt", "testclasses.txt"  # of Xian et al., "Zero-Shot Learning: the Good, the Bad …"


@DATASET_REGISTRY.register()
class CUB(FewShotDataset):
    """Labels follow classes.txt; base classes are the seen ones, new classes the unseen ones.

    These are read from testclasses.txt (unseen, one `006.Least_Auklet` a line) or trainvalclasses.txt (seen), which
    the user puts into the folder; without either the first half of the classes is seen, and a notice says so.
    """

    folder = "CUB_200_2011"
    layout = "images/, images.txt, image_class_labels.txt, classes.txt and train_test_split.txt"

    @cached_property
    def folders(self) -> list[str]:
        """Folders of the classes in the order of their labels, such as `001.Black_footed_Albatross`."""
        return list(self.read_numbered("classes.txt").values())

    def read_lists(self) -> tuple[list[Datum], list[Datum]]:
        images, labels, trained = map(
            self.read_numbered, ("images.txt", "image_class_labels.txt", "train_test_split.txt")
        )
        train, test = [], []
        with self.reading(self.dataset_dir / "image_class_labels.txt"):
            for number, image in images.items():
                label = int(labels[number]) - 1
                items = test if trained[number] == "0" else train
                items.append(self.item(image, label, readable(self.folders[label])))
        return train, test

    def read_numbered(self, name: str) -> dict[str, str]:
        """Lines `17 value` of a list."""
        path = self.dataset_dir / name
        with self.reading(path):
            return dict(line.split(maxsplit=1) for line in self.read_lines(path))

    def base_labels(self, labels: list[int]) -> list[int]:
        seen = self.seen_folders()
        if seen is None:
            print(
                f"CUB: no {UNSEEN} in {self.dataset_dir}: the first half of the classes stands for the seen ones. "
                "For the split of zero-shot work, put that file of its benchmark there."
            )
            return super().base_labels(labels)
        return [label for label in labels if self.folders[label] in seen]

    def seen_folders(self) -> set[str] | None:
        """Folders of the seen classes by the user's lists; None without any."""
        seen, unseen = (self.read_classes(name) for name in (SEEN, UNSEEN))
        if seen is None and unseen is None:
            return None
        everything = set(self.folders)
        seen = everything - unseen if seen is None else seen
        if unseen is not None and seen != everything - unseen:
            raise DatasetError(f"CUB: {SEEN} and {UNSEEN} in {self.dataset_dir} do not share out all classes.")
        if not seen or seen == everything:
            raise DatasetError(
                f"CUB: the lists in {self.dataset_dir} have all classes {'seen' if seen else 'unseen'}."
            )
        print(f"CUB: {len(seen)} seen and {len(everything - seen)} unseen classes by the lists in {self.dataset_dir}")
        return seen

    def read_classes(self, name: str) -> set[str] | None:
        path = self.dataset_dir / name
        if not path.is_file():
            return None
        listed = set(self.read_lines(path))
        unknown = sorted(listed - set(self.folders))
        if unknown or not listed:
            raise DatasetError(
                f"CUB: {path} should name classes of classes.txt; it has {first_few(unknown) or 'none'}."
            )
        return listed


def readable(folder: str) -> str:
    """As words: "001.Black_footed_Albatross" is "Black footed Albatross"."""
    return folder.partition(".")[2].replace("_", " ")
