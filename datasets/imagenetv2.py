"""ImageNetV2, matched frequency: ten new test images of each class of ImageNet."""

from dassl.data.datasets import DATASET_REGISTRY

from .imagenet import ImageNetVariant
from .splits import Parts


@DATASET_REGISTRY.register()
class ImageNetV2(ImageNetVariant):
    folder = "imagenetv2"
    images = "imagenetv2-matched-frequency-format-val"
    layout = "imagenetv2-matched-frequency-format-val/0/… and classnames.txt (or there is imagenet/classnames.txt)"

    def read_splits(self) -> Parts:
        """Folders 0, 1, … are the classes in the order of classnames.txt."""
        names = self.read_classnames()
        self.class_folder = list(names)
        classes = [(str(label), label, name) for label, name in enumerate(names.values())]
        items = self.list_classes(self.image_dir, classes)
        return items, [], items
