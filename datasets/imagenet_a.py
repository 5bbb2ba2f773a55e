"""ImageNet-A: 200 classes of ImageNet, natural images that a ResNet-50 gets wrong."""

from dassl.data.datasets import DATASET_REGISTRY

from .imagenet import ImageNetVariant


@DATASET_REGISTRY.register()
class ImageNetA(ImageNetVariant):
    folder = "imagenet-adversarial"
    images = "imagenet-a"
    layout = "imagenet-a/n01498041/… and classnames.txt (or there is imagenet/classnames.txt)"
