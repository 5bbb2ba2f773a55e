"""Clip: features of pictures and of names, and what is said where there are none."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone

from trainers.blocks.errors import InputError
from trainers.library import load_clip

from .small import NAMES


def test_pictures_and_files_have_the_same_features_whatever_stands_beside_them(clip, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (3, 50, 60, 3), dtype=np.uint8)
    pictures = [Image.fromarray(one) for one in pixels]
    for number, one in enumerate(pictures):
        one.save(tmp_path / f"{number}.png")
    made = clip.encode_images(pictures, batch_size=4)
    assert torch.equal(made, clip.encode_images([tmp_path / f"{number}.png" for number in range(3)], batch_size=4))
    assert torch.equal(made[:1], clip.encode_images(pictures[:1], batch_size=4))
    torch.testing.assert_close(made.norm(dim=-1), torch.ones(3))


def test_text_has_the_template_or_the_mean_of_several(clip):
    one, other = clip.encode_text(NAMES, "a {}."), clip.encode_text(NAMES, "the {}.")
    mean = torch.nn.functional.normalize(one + other, dim=-1)
    torch.testing.assert_close(clip.encode_text(NAMES, ["a {}.", "the {}."]), mean)


def test_a_clone_is_the_same_and_a_pickled_one_is_alike(clip):
    assert clone(clip) is clip
    again = pickle.loads(pickle.dumps(clip))
    picture = Image.new("RGB", (40, 40), "red")
    assert torch.equal(again.encode_images([picture]), clip.encode_images([picture]))
    assert torch.equal(again.encode_text(NAMES), clip.encode_text(NAMES))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda clip: clip.encode_images("cat.png"), "A list of pictures is needed, and this is 'cat.png'"),
        (lambda clip: clip.encode_images(Image.new("RGB", (4, 4))), "A list of pictures is needed"),
        (lambda clip: clip.encode_images([]), "A list of pictures is needed"),
        (lambda clip: clip.encode_images([Path("no such file.png")]), "There is no image file 'no such file.png'"),
        (lambda clip: clip.encode_text("cat"), "A list of class names is needed, and this is 'cat'"),
        (lambda clip: clip.encode_text(["cat", " "]), "CLIP cannot read 1 of the class names: ' '"),
        (lambda clip: clip.encode_text(NAMES, "a cat"), "template is 'a cat'; it should have one {} for the class"),
        (lambda clip: load_clip("no such file"), "neither an existing file nor one of CLIP's models"),
    ],
)
def test_bad_input_is_named(call, said, clip):
    with pytest.raises(InputError) as raised:
        call(clip)
    assert said in str(raised.value)
