"""Small copies of pictures that are part of the page."""

import base64
import io

from PIL import Image

from trainers.blocks.engine.images import ImageError, read_image

SIDE = 88  # pixels of the longer side
QUALITY = 82  # of JPEG


class Thumbnails:
    """Pictures by their files as `data:` addresses, each made once; None for one that cannot be read."""

    def __init__(self) -> None:
        self.made: dict[str, str | None] = {}

    def of(self, path: str) -> str | None:
        if path not in self.made:
            self.made[path] = thumbnail(path)
        return self.made[path]


def thumbnail(path: str) -> str | None:
    try:
        image = read_image(path)
    except ImageError:
        return None
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
