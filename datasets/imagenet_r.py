"""ImageNet-R: 200 classes of ImageNet in drawings, paintings, toys and other renditions."""

from dassl.data.datasets import DATASET_REGISTRY

from .imagenet import ImageNetVariant


@DATASET_REGISTRY.register()
class ImageNetR(ImageNetVariant):
    folder = "imagenet-rendition"
    images = "imagenet-r"
    layout = "imagenet-r/n01443537/… and classnames.txt (or there is imagenet/classnames.txt)"
