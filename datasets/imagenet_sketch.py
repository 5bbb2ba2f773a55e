"""ImageNet-Sketch: the classes of ImageNet in black and white sketches."""

from dassl.data.datasets import DATASET_REGISTRY

from .imagenet import ImageNetVariant


@DATASET_REGISTRY.register()
class ImageNetSketch(ImageNetVariant):
    folder = "imagenet-sketch"
    images = "images"
    layout = "images/n01440764/… and classnames.txt (or there is imagenet/classnames.txt)"
