"""The order of transforms, what is printed of them, and those that torchvision does not have."""

import random

import numpy as np
import pytest
import torch
from dassl.data.transforms import build_transform
from dassl.data.transforms.transforms import (
    CHOICES,
    Cutout,
    GaussianNoise,
    InstanceNormalization,
    Random2DTranslation,
)
from dassl.missing import MissingPartError
from dassl.utils import UnavailableError
from PIL import Image
from torchvision import transforms as T


def steps(transform):
    return [type(step) for step in transform.transforms]


def image(width=20, height=10):
    return Image.fromarray(np.random.RandomState(0).randint(0, 256, (height, width, 3), dtype=np.uint8))


def test_training_transforms_come_in_dassls_order(cfg):
    tail = [T.ToTensor, Cutout, T.Normalize, GaussianNoise, InstanceNormalization]
    assert steps(build_transform(cfg, choices=tuple(reversed(CHOICES)))) == [
        Random2DTranslation,
        T.RandomCrop,
        T.RandomResizedCrop,
        T.RandomHorizontalFlip,
        T.ColorJitter,
        T.RandomGrayscale,
        T.RandomApply,
        *tail,
    ]


def test_images_are_resized_unless_cropped(cfg):
    assert steps(build_transform(cfg, choices=())) == [T.Resize, T.ToTensor]
    assert steps(build_transform(cfg, choices=("random_crop",))) == [T.RandomCrop, T.ToTensor]


def test_test_transforms_are_resize_and_centre_crop(cfg):
    cfg.INPUT.SIZE = (8, 6)
    cfg.INPUT.TRANSFORMS = ("random_flip", "cutout", "normalize")
    transform = build_transform(cfg, is_train=False)
    assert steps(transform) == [T.Resize, T.CenterCrop, T.ToTensor, T.Normalize]
    assert transform.transforms[0].size == 8
    assert transform(image()).shape == (3, 8, 6)


@pytest.mark.parametrize("part", ["train", "test"])
def test_printed_lines_are_dassls(cfg, golden_dir, capsys, part):
    log = (golden_dir / "logs" / "coop_ctx_init_1" / "log.txt").read_text().splitlines()
    start = log.index(f"Building transform_{part}")
    cfg.INPUT.SIZE = (224, 224)
    cfg.INPUT.TRANSFORMS = ("random_resized_crop", "random_flip", "normalize")
    cfg.INPUT.PIXEL_MEAN = [0.48145466, 0.4578275, 0.40821073]
    cfg.INPUT.PIXEL_STD = [0.26862954, 0.26130258, 0.27577711]
    build_transform(cfg, is_train=part == "train")
    assert capsys.readouterr().out.splitlines() == log[start : start + 5]


def test_all_choices_run_on_an_image(cfg):
    cfg.INPUT.GB_K = 3
    cfg.INPUT.CUTOUT_LEN = 2
    assert build_transform(cfg, choices=CHOICES)(image(9, 9)).shape == (3, 8, 8)


def test_no_transform_is_none(cfg, capsys):
    cfg.INPUT.NO_TRANSFORM = True
    assert build_transform(cfg) is None
    assert capsys.readouterr().out == "Note: no transform is applied!\n"


def test_unknown_choice_is_an_error(cfg):
    with pytest.raises(UnavailableError, match="'random_flip'"):
        build_transform(cfg, choices=("random_flp",))
    with pytest.raises(MissingPartError, match="randaugment"):
        build_transform(cfg, choices=("randaugment",))
    cfg.INPUT.INTERPOLATION = "bicubc"
    with pytest.raises(UnavailableError, match="'bicubic'"):
        build_transform(cfg)


def test_translation_gives_the_size(cfg):
    random.seed(0)
    for p in (0.0, 1.0):
        assert Random2DTranslation(8, 6, p=p)(image()).size == (6, 8)


def test_cutout_blanks_a_square():
    np.random.seed(0)
    cut = Cutout(n_holes=1, length=2)(torch.ones(3, 9, 9))
    assert 1 <= (cut[0] == 0).sum() <= 4
    assert torch.equal(cut[0], cut[2])


def test_noise_is_added_with_its_probability():
    blank = torch.zeros(3, 50, 50)
    assert torch.equal(GaussianNoise(p=0.0)(blank), blank)
    noise = GaussianNoise(mean=1.0, std=0.5, p=1.0)(blank)
    assert noise.mean().item() == pytest.approx(1.0, abs=0.05)
    assert noise.std().item() == pytest.approx(0.5, abs=0.05)


def test_instance_normalization_is_per_channel():
    normalized = InstanceNormalization()(torch.rand(3, 4, 4) * 5)
    assert torch.allclose(normalized.mean((1, 2)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(normalized.std((1, 2)), torch.ones(3), atol=1e-5)
