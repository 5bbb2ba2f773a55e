"""How an image file becomes RGB pixels: the same on Dassl and on the engine that stands in for it."""

from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import InputError

LONGEST_SIDE = 1000  # times the shorter: resizing makes the shorter one that of the input, and all must fit in memory


class ImageError(InputError):
    """An image file that is missing or cannot be decoded.

    It takes one string, so that a data loader's worker can pass it on to the main process.
    """


def read_image(path: str | Path) -> Image.Image:
    """Return the image as RGB, of an animation its first, or raise ImageError, which names the file.

    Conversion is Pillow's: an alpha channel is dropped. 16-bit grey, which Pillow would clip to white, is scaled.
    """
    try:
        with Image.open(path) as image:
            if max(image.size) > LONGEST_SIDE * min(image.size):
                raise ValueError(f"{image.width} by {image.height} pixels are too long a strip to be resized")
            return _in_8_bits(image).convert("RGB")
    except FileNotFoundError:
        raise ImageError(f"There is no image file {str(path)!r}") from None
    except MemoryError:
        raise
    except Exception as error:  # a broken file makes Pillow raise almost anything, SyntaxError among them
        raise ImageError(f"Cannot read the image {str(path)!r}: {error}") from error


def _in_8_bits(image: Image.Image) -> Image.Image:
    """Return 16-bit grey as 8-bit grey, other images as they are; raise ValueError where there is no known white."""
    if image.mode not in ("F", "I") and not image.mode.startswith("I;16"):
        return image
    pixels = np.asarray(image)
    if image.mode == "F" or pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError(f"its pixels (mode {image.mode}) are in no known range; store it in 8 or 16 bits")
    return Image.fromarray((pixels // 257).astype(np.uint8))
