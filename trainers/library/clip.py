"""CLIP from Python: pictures and class names to features."""

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import torch
from dassl.data.transforms import build_transform
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from ..blocks.clip.backbone import Backbone, load_backbone
from ..blocks.clip.preprocessing import MEAN, STD, take_preprocessing
from ..blocks.clip.prompts import DEFAULT_TEMPLATE
from ..blocks.clip.wording import Wording, is_template
from ..blocks.engine.images import read_image
from ..blocks.errors import InputError
from ..blocks.features.batches import FullBatches, extract_alone
from ..blocks.run.randomness import own_random_numbers
from .given import names_of, several
from .settings import base_config

Picture = str | Path | Image.Image


class Clip:
    """A frozen CLIP, which makes features of pictures and of class names; load_clip gives one.

    `name` is what it was loaded by, `backbone` the module. Estimators that are cloned share it.
    """

    def __init__(self, name: str, backbone: Backbone) -> None:
        self.name, self.backbone = name, backbone
        cfg = base_config(
            **{"INPUT.PIXEL_MEAN": list(MEAN), "INPUT.PIXEL_STD": list(STD), "INPUT.INTERPOLATION": "bicubic"}
        )
        take_preprocessing(cfg, backbone.preprocessing)
        with redirect_stdout(io.StringIO()):
            self.transform = build_transform(cfg, is_train=False)

    def __repr__(self) -> str:
        return f"load_clip({self.name!r})"

    def __sklearn_clone__(self) -> "Clip":
        return self

    @property
    def feature_dim(self) -> int:
        """D, the dimensions of a feature."""
        return self.backbone.feature_dim

    def encode_images(self, pictures: Sequence[Picture], batch_size: int = 100) -> Tensor:
        """L2-normalized features (N, D) of picture files or PIL images, as a run's test sees them.

        A picture's feature is the same whatever pictures stand beside it, for one batch size. Raises ImageError, an
        InputError, which names the file, for one that cannot be read, and InputError where there is none.

        >>> from PIL import Image
        >>> from ship_dassl import load_clip
        >>> clip = load_clip("datasets/assets/shapes_clip.pt", device="cpu")
        >>> clip.encode_images([Image.new("RGB", (80, 60)), Image.new("L", (64, 64))]).shape
        torch.Size([2, 128])
        """
        pictures = several(pictures, "pictures")
        encoder, loading = FullBatches(self.backbone.image, batch_size), {"batch_size": batch_size}
        with own_random_numbers(0), torch.no_grad():
            return extract_alone(
                encoder, self.backbone.device, loading, _Given(pictures, self.transform), "pictures"
            )[0]

    def encode_text(self, classnames: Sequence[str], template: str | Sequence[str] = DEFAULT_TEMPLATE) -> Tensor:
        """L2-normalized features (C, D) of class names in a template, or averaged over several.

        A template has one {} for the name. Raises InputError where it has not, and for names that CLIP cannot read.

        >>> from ship_dassl import load_clip
        >>> clip = load_clip("datasets/assets/shapes_clip.pt", device="cpu")
        >>> names = ["anchor", "kite", "vase"]
        >>> clip.encode_text(names, ["a photo of a {}.", "a drawing of a {}."]).shape
        torch.Size([3, 128])
        """
        templates = (template,) if isinstance(template, str) else tuple(template)
        if not templates or not all(map(is_template, templates)):
            raise InputError(
                f'template is {template!r}; it should have one {{}} for the class name: "a photo of a {{}}."'
            )
        return Wording(templates=templates).features(self.backbone, names_of(classnames, self.backbone))


class _Given(Dataset):
    """Pictures with the transform applied."""

    def __init__(self, pictures: Sequence[Picture], transform) -> None:
        self.pictures, self.transform = pictures, transform

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, row: int) -> dict:
        one = self.pictures[row]
        image = one.convert("RGB") if isinstance(one, Image.Image) else read_image(one)
        return {"img": self.transform(image), "label": row}


def load_clip(name: str, device: str | None = None) -> Clip:
    """CLIP by one of its names, such as "ViT-B/16" (downloaded the first time), or by the path of a checkpoint.

    Or a model of open_clip or transformers: "open_clip:ViT-B-16/datacomp_xl_s13b_b90k", "hf:<name or folder>". In
    fp32, on a GPU where there is one unless `device` says otherwise. Raises InputError where there is none of that
    name, or the file is no CLIP.

    >>> from ship_dassl import load_clip
    >>> clip = load_clip("datasets/assets/shapes_clip.pt")  # or "ViT-B/16"
    >>> clip
    load_clip('datasets/assets/shapes_clip.pt')
    >>> clip.feature_dim
    128
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    with own_random_numbers(0):
        return Clip(str(name), load_backbone(str(name), "fp32", device))
