"""Image files: those that can be read sensibly are converted to RGB, the others refused by name."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import datasets.splits
import train
from trainers.blocks.engine.images import ImageError, read_image

PIXELS = np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)
BOMB = "could be decompression bomb DOS attack"


def encoded(kind: str, pixels: np.ndarray = PIXELS, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that says it has this size, with next to nothing in it."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


BAD = [
    ("empty", b"", "cannot identify image file"),
    ("text", b"not an image", "cannot identify image file"),
    ("web page", b"<!DOCTYPE html><html>404 Not Found</html>", "cannot identify image file"),
    ("SVG", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "cannot identify image file"),
    ("PDF", b"%PDF-1.7\n", "cannot identify image file"),
    ("zip", b"PK\x05\x06" + bytes(18), "cannot identify image file"),
    ("zeros", bytes(5000), "cannot identify image file"),
    ("JPEG cut in half", half(encoded("JPEG")), "truncated"),
    ("JPEG header alone", encoded("JPEG")[:20], "Cannot read the image"),
    ("PNG cut in half", half(encoded("PNG")), "Cannot read the image"),
    ("PNG header alone", encoded("PNG")[:33], "Cannot read the image"),
    ("GIF cut in half", half(encoded("GIF")), "Cannot read the image"),
    ("WebP cut in half", half(encoded("WEBP")), "Cannot read the image"),
    ("BMP cut in half", half(encoded("BMP")), "truncated"),
    ("TIFF cut in half", half(encoded("TIFF")), "Cannot read the image"),
    ("PNG with a wrong checksum", encoded("PNG").replace(b"IDAT", b"IDAX"), "Cannot read the image"),
    ("PNG of no size", png_of_size(0, 10), "Cannot read the image"),
    ("decompression bomb", png_of_size(60_000, 60_000), BOMB),
    ("bomb as a strip", png_of_size(2**31 - 1, 1), "Cannot read the image"),
    ("strip", encoded("PNG", np.zeros((1, 1001, 3), np.uint8)), "too long a strip"),
    ("floats", encoded("TIFF", np.full((8, 8), 0.5, np.float32)), "in no known range"),
    ("32 bits", encoded("TIFF", np.full((8, 8), 70_000, np.int32)), "in no known range"),
    ("negative", encoded("TIFF", np.full((8, 8), -1, np.int32)), "in no known range"),
]


@pytest.fixture
def image(world) -> Path:
    world.only_evaluate()
    return world.pets / "images/bengal_9.jpg"


@pytest.mark.parametrize(("content", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_image_that_cannot_be_read_is_named(content, words, world, image):
    image.write_bytes(content)
    with pytest.raises(ImageError, match="bengal_9.jpg") as error:
        read_image(image)
    assert words in str(error.value)


@pytest.mark.parametrize("name", ["text", "JPEG cut in half", "decompression bomb", "floats"])
def test_run_with_an_image_that_cannot_be_read_ends_by_name(name, world, image):
    image.write_bytes(next(case[1] for case in BAD if case[0] == name))
    world.refused(f"Cannot read the image '{image}'")


def test_unreadable_image_is_named(world, image, monkeypatch):
    """Permissions do not stop root, so the system's answer is given by hand."""
    really = Image.open

    def refuse(path, *args, **kwargs):
        if str(path) == str(image):
            raise PermissionError(13, "Permission denied", str(path))
        return really(path, *args, **kwargs)

    monkeypatch.setattr(Image, "open", refuse)
    world.refused("Permission denied")


def folder_instead(image: Path) -> None:
    image.unlink()
    image.mkdir()


def link_to(target: str):
    def change(image: Path) -> None:
        image.unlink()
        os.symlink(target, image)

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Path.unlink, "images missing: 1 of the 72 to be used"),
        (folder_instead, "Cannot read the image"),
        (link_to("nowhere.jpg"), "There is no image file"),
        (link_to("bengal_9.jpg"), "Cannot read the image"),
    ],
    ids=["missing", "folder", "broken link", "link to itself"],
)
def test_what_is_no_file_is_named(change, words, world, image):
    change(image)
    world.refused(words)


def test_unreadable_folder_of_images_is_named(world, image, monkeypatch):
    monkeypatch.setattr(datasets.splits, "file_names", lambda folder: set())
    monkeypatch.setattr(os.path, "exists", lambda path: False)
    world.refused("images missing: 72 of the 72 to be used")


def mode(name: str, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).convert(name).save(buffer, kind, **options)
    return buffer.getvalue()


GOOD = [
    ("CMYK", mode("CMYK", "JPEG")),
    ("alpha", mode("RGBA")),
    ("grey with alpha", mode("LA")),
    ("palette", mode("P")),
    ("palette with transparency", mode("P", transparency=0)),
    ("black and white", mode("1")),
    ("grey", mode("L")),
    ("YCbCr", mode("YCbCr", "JPEG")),
    ("animation", encoded("GIF", save_all=True, append_images=[Image.new("RGB", (64, 64))])),
    ("one pixel", encoded("PNG", PIXELS[:1, :1])),
    ("16 bits", encoded("PNG", np.full((8, 8), 32_896, np.uint16))),
    ("integers of 16 bits", encoded("TIFF", np.full((8, 8), 32_896, np.int32))),
]


@pytest.mark.parametrize("content", [case[1] for case in GOOD], ids=[case[0] for case in GOOD])
def test_unusual_image_is_converted(content, tmp_path):
    (tmp_path / "image").write_bytes(content)
    assert read_image(tmp_path / "image").mode == "RGB"


def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path):
    for name in ("16 bits", "integers of 16 bits"):
        (tmp_path / "image").write_bytes(dict(GOOD)[name])
        assert np.asarray(read_image(tmp_path / "image")).tolist() == np.full((8, 8, 3), 128).tolist()


def test_run_takes_unusual_images(world, image):
    for (_, content), number in zip(GOOD, range(8, 12), strict=False):
        (world.pets / f"images/bengal_{number}.jpg").write_bytes(content)
    train.main(world.command())
    assert (world.output / "results.json").is_file()
