"""MODEL.BACKBONE.NAME of open_clip and transformers, through train.py."""

import pytest

NAMES = [
    ("no such architecture", "open_clip:ViT-B-6/openai", "Did you mean ViT-B-16?"),
    ("no such weights", "open_clip:ViT-B-16/datacomp_xl_s13b_b9k", "Did you mean datacomp_xl_s13b_b90k?"),
    ("no such file", "open_clip:ViT-B-16//no/such.pt", "there is no file 'no/such.pt'"),
    ("no weights named", "open_clip:ViT-B-16", "has no weights ''"),
    ("nothing named", "open_clip:", "has no architecture ''"),
    ("no such folder", "hf:no/such/folder", "there is no folder of that name"),
    ("nothing named of hf", "hf:", "there is no folder of that name"),
    ("a file for a folder", "hf:README.md", "there is no folder of that name"),
]


@pytest.mark.parametrize(("name", "words"), [case[1:] for case in NAMES], ids=[case[0] for case in NAMES])
def test_a_backbone_that_there_is_not_is_refused(name, words, world):
    world.arguments["--backbone"] = name
    world.refused(words)


@pytest.mark.parametrize(("key", "value"), [("SIZE", "(48, 48)"), ("PIXEL_MEAN", "[0.1, 0.1, 0.1]")])
def test_other_images_than_the_backbone_takes_are_refused(key, value, world):
    world.arguments["--backbone"] = "open_clip:ViT-B-16-SigLIP/webli"
    world.refused(f"INPUT.{key} is ", f"INPUT.{key}", value)
