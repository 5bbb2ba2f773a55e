"""What a trainer has in the place of a dataset: its classes, and items in the place of training images."""

from collections.abc import Sequence
from types import SimpleNamespace

from ..run.classes import Classes


class WithoutDataset:
    """In front of a trainer's class, whose `build_data_loader` calls `stand_in` and sets the training loader."""

    def stand_in(self, classes: Classes, items: Sequence[object] = (), label_only: Sequence[int] = ()) -> None:
        """`label_only`: labels of the classes of which only the names are known."""
        dataset = SimpleNamespace(
            classnames=list(classes),
            class_ids=classes.ids,
            class_list=classes.among,
            label_only=list(label_only),
            train_x=list(items),
            val=None,
            test=[],
        )
        self.lab2cname, self.num_classes, self.num_source_domains = dict(enumerate(classes)), len(classes), 0
        self.dm = SimpleNamespace(dataset=dataset, num_classes=len(classes), lab2cname=self.lab2cname)
        self.train_loader_u = self.val_loader = self.test_loader = None
