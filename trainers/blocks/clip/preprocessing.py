"""What a backbone wants images to be like, and how INPUT's keys are made to agree with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yacs.config import CfgNode

from ..errors import InputError

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # of OpenAI's training images
# What INPUT has where nobody has chosen: as recipes for OpenAI's models and for the embedded benchmark have it, and
# as Dassl has it by default.
UNCHOSEN: Mapping[str, tuple] = {
    "SIZE": ((224, 224), (64, 64)),
    "PIXEL_MEAN": (MEAN, (0.485, 0.456, 0.406)),
    "PIXEL_STD": (STD, (0.229, 0.224, 0.225)),
    "INTERPOLATION": ("bicubic", "bilinear"),
}


@dataclass(frozen=True)
class Preprocessing:
    """Of a model's images: height and width in pixels, statistics by channel, and how they were resized.

    None where nothing states it; INPUT then has its say. `squashed`: the model was trained on pictures resized to a
    square whatever their shape, and not on the middle of them. `likely`: all but the size is that of the published
    weights of the model's kind, and a file's own may be others.
    """

    size: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    interpolation: str | None = None
    squashed: bool = False
    likely: bool = False

    def wanted(self) -> dict[str, Any]:
        """INPUT's keys with what the model states."""
        size = self.size and (self.size, self.size)
        keys = {"SIZE": size, "PIXEL_MEAN": self.mean, "PIXEL_STD": self.std, "INTERPOLATION": self.interpolation}
        return {key: value for key, value in keys.items() if value is not None}

    def describe(self, options: CfgNode) -> str:
        """What images are like by INPUT, its `options`, and what of that the model states; for the log."""
        wanted, stated, others = self.wanted(), [], []
        for key in UNCHOSEN:
            value = plain(options[key])
            (stated if wanted.get(key) == value else others).append(f"{key} {value}")
        parts = {"as the backbone states": stated, "by INPUT": others}
        line = "Images: " + "; ".join(f"{', '.join(values)}, {whose}" for whose, values in parts.items() if values)
        if self.squashed:
            line += ". It was trained on pictures squashed to a square; here the middle of a picture is taken"
        return line


def plain(value: object) -> object:
    """A configuration's list as a tuple."""
    return tuple(value) if isinstance(value, (list, tuple)) else value


def take_preprocessing(cfg: CfgNode, stated: Preprocessing) -> None:
    """Sets INPUT's keys to what the backbone states, where nobody has chosen their values.

    Raises InputError where somebody has chosen others, unless what is stated is but likely.
    """
    for key, wanted in stated.wanted().items():
        value = plain(cfg.INPUT[key])
        if value == wanted:
            continue
        if value in UNCHOSEN[key]:
            set_input(cfg, key, wanted)
        elif key == "SIZE" or not stated.likely:
            raise InputError(
                f"INPUT.{key} is {value}, but the backbone {cfg.MODEL.BACKBONE.NAME} has {wanted}: leave the key "
                "out, or choose another backbone."
            )


def set_input(cfg: CfgNode, key: str, value: Any) -> None:
    """In the type that the key has, frozen or not."""
    frozen = cfg.is_frozen()
    cfg.defrost()
    cfg.INPUT[key] = type(cfg.INPUT[key])(value)
    if frozen:
        cfg.freeze()
