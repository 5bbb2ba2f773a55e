"""torchvision's transforms in Dassl's order, and the few that torchvision does not have."""

import random
from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image
from torchvision import transforms as T
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F
from yacs.config import CfgNode

from ...missing import refuse_upstream_only
from ...utils import check_availability

INTERPOLATION_MODES = {
    "bilinear": InterpolationMode.BILINEAR,
    "bicubic": InterpolationMode.BICUBIC,
    "nearest": InterpolationMode.NEAREST,
}

CHOICES = (
    "random_translation",
    "random_crop",
    "random_resized_crop",
    "random_flip",
    "colorjitter",
    "randomgrayscale",
    "gaussian_blur",
    "cutout",
    "normalize",
    "gaussian_noise",
    "instance_norm",
)


class Random2DTranslation:
    """With probability `p` enlarge to 9/8 of the size and crop the size at random; else resize to it."""

    def __init__(
        self,
        height: int,
        width: int,
        p: float = 0.5,
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    ) -> None:
        self.size = (height, width)
        self.p = p
        self.interpolation = interpolation

    def __call__(self, image: Image.Image) -> Image.Image:
        height, width = self.size
        if random.uniform(0, 1) > self.p:
            return F.resize(image, [height, width], self.interpolation)
        tall, wide = round(height * 1.125), round(width * 1.125)
        image = F.resize(image, [tall, wide], self.interpolation)
        left = round(random.uniform(0, wide - width))
        top = round(random.uniform(0, tall - height))
        return F.crop(image, top, left, height, width)


class Cutout:
    """Set `n_holes` squares of side `length`, at random places of an image (C, H, W), to 0."""

    def __init__(self, n_holes: int = 1, length: int = 16) -> None:
        self.n_holes = n_holes
        self.length = length

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        height, width = image.shape[-2:]
        mask = image.new_ones(height, width)
        for _ in range(self.n_holes):
            top = np.random.randint(height) - self.length // 2
            left = np.random.randint(width) - self.length // 2
            mask[max(top, 0) : max(top + self.length, 0), max(left, 0) : max(left + self.length, 0)] = 0
        return image * mask


class GaussianNoise:
    """With probability `p` add noise of N(mean, std²) to an image tensor."""

    def __init__(self, mean: float = 0.0, std: float = 0.15, p: float = 0.5) -> None:
        self.mean = mean
        self.std = std
        self.p = p

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        if random.uniform(0, 1) > self.p:
            return image
        return image + torch.randn(image.size()) * self.std + self.mean


class InstanceNormalization:
    """Bring each channel of an image (C, H, W) to mean 0 and standard deviation 1."""

    def __init__(self, eps: float = 1e-8) -> None:
        self.eps = eps

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        std, mean = torch.std_mean(image, dim=(1, 2), keepdim=True)
        return (image - mean) / (std + self.eps)


def build_transform(cfg: CfgNode, is_train: bool = True, choices: Sequence[str] | None = None) -> T.Compose | None:
    """Return the transform of PIL images that cfg.INPUT describes, and print its steps.

    `choices` replaces cfg.INPUT.TRANSFORMS. Returns None under NO_TRANSFORM. Raises UnavailableError for an
    unknown choice, MissingPartError for one that only Dassl has.
    """
    if cfg.INPUT.NO_TRANSFORM:
        print("Note: no transform is applied!")
        return None
    choices = cfg.INPUT.TRANSFORMS if choices is None else choices
    for choice in choices:
        refuse_upstream_only("TRANSFORM", choice)
        check_availability(choice, CHOICES)
    check_availability(cfg.INPUT.INTERPOLATION, INTERPOLATION_MODES)
    print(f"Building transform_{'train' if is_train else 'test'}")
    image_steps = _train_image_steps(cfg, choices) if is_train else _test_image_steps(cfg)
    steps = [*image_steps, *_tensor_steps(cfg, choices, is_train)]
    for note, _ in steps:
        print(f"+ {note}")
    return T.Compose([transform for _, transform in steps])


Step = tuple[str, Callable]  # what is printed of a transform, and the transform


def _train_image_steps(cfg: CfgNode, choices: Sequence[str]) -> list[Step]:
    height, width = size = cfg.INPUT.SIZE
    mode = INTERPOLATION_MODES[cfg.INPUT.INTERPOLATION]
    padding, scale = cfg.INPUT.CROP_PADDING, cfg.INPUT.RRCROP_SCALE
    b, c, s, h = (cfg.INPUT[f"COLORJITTER_{letter}"] for letter in "BCSH")
    blur = T.RandomApply([T.GaussianBlur(cfg.INPUT.GB_K)], p=cfg.INPUT.GB_P)
    steps = {
        "random_translation": ("random translation", Random2DTranslation(height, width)),
        "random_crop": (f"random crop (padding={padding})", T.RandomCrop(size, padding=padding)),
        "random_resized_crop": (
            f"random resized crop (size={size}, scale={scale})",
            T.RandomResizedCrop(size, scale=scale, interpolation=mode),
        ),
        "random_flip": ("random flip", T.RandomHorizontalFlip()),
        "colorjitter": (
            f"color jitter (brightness={b}, contrast={c}, saturation={s}, hue={h})",
            T.ColorJitter(brightness=b, contrast=c, saturation=s, hue=h),
        ),
        "randomgrayscale": ("random gray scale", T.RandomGrayscale(p=cfg.INPUT.RGS_P)),
        "gaussian_blur": (f"gaussian blur (kernel={cfg.INPUT.GB_K})", blur),
    }
    resize = (f"resize to {height}x{width}", T.Resize(size, interpolation=mode))
    crops = {"random_crop", "random_resized_crop"}.intersection(choices)
    return [*([] if crops else [resize]), *(step for name, step in steps.items() if name in choices)]


def _test_image_steps(cfg: CfgNode) -> list[Step]:
    height, width = size = cfg.INPUT.SIZE
    mode = INTERPOLATION_MODES[cfg.INPUT.INTERPOLATION]
    return [
        (f"resize the smaller edge to {max(size)}", T.Resize(max(size), interpolation=mode)),
        (f"{height}x{width} center crop", T.CenterCrop(size)),
    ]


def _tensor_steps(cfg: CfgNode, choices: Sequence[str], is_train: bool) -> list[Step]:
    mean, std = cfg.INPUT.PIXEL_MEAN, cfg.INPUT.PIXEL_STD
    holes, length = cfg.INPUT.CUTOUT_N, cfg.INPUT.CUTOUT_LEN
    noise_mean, noise_std = cfg.INPUT.GN_MEAN, cfg.INPUT.GN_STD
    steps = {
        "cutout": (f"cutout (n_holes={holes}, length={length})", Cutout(holes, length)),
        "normalize": (f"normalization (mean={mean}, std={std})", T.Normalize(mean=mean, std=std)),
        "gaussian_noise": (
            f"gaussian noise (mean={noise_mean}, std={noise_std})",
            GaussianNoise(noise_mean, noise_std),
        ),
        "instance_norm": ("instance normalization", InstanceNormalization()),
    }
    wanted = set(choices) if is_train else {"normalize", "instance_norm"}.intersection(choices)
    to_tensor = ("to torch tensor of range [0, 1]", T.ToTensor())
    return [to_tensor, *(step for name, step in steps.items() if name in wanted)]
