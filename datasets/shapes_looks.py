"""Looks that the classes of `shapes_shared` have in common: one continuous family with several modes.

Each picture draws a look of its own, whatever its class: what base classes show of it holds for new ones. A mode sets
one of the look's numbers high, and the others vary a little above nothing.

How strong the modes are was settled on the dev classes, by zero-shot and linear-probe figures alone
(scripts/probe_shapes.py), before any method ran on them.
"""

from dataclasses import dataclass

import numpy as np

HIGH = {"negative": (0.25, 0.35), "turned": (0.08, 0.13), "toned": (0.35, 0.5)}  # by mode
LOW = 0.1  # of the highest value, at most, where the mode is another
HUE = 0.05  # about red, to either side
MODES = tuple(HIGH)
GREY = np.array((0.3, 0.59, 0.11), dtype=np.float32)  # how bright red, green and blue are


@dataclass(frozen=True)
class Look:
    """What is done to a picture, one after the other.

    negative   share of its negative that is mixed in ("a photo negative of", of which this is a part)
    turned     its hues turned by this share of a circle (captions have no word)
    toned      share of a version in one colour that is mixed in ("in red light", more or less)
    hue        of that colour, as a share of a circle from red on
    """

    mode: str
    negative: float
    turned: float
    toned: float
    hue: float

    def applied(self, canvas: np.ndarray) -> np.ndarray:
        """The canvas (64, 64, 3), numbers from 0 to 1 and a little beyond, in this look: from 0 to 1."""
        canvas = np.clip(canvas, 0, 1)
        canvas = mix(canvas, 1 - canvas, self.negative)
        canvas = np.clip(turn_hues(canvas, self.turned), 0, 1)
        return mix(canvas, tone(canvas, self.hue), self.toned)


def sample_look(rng: np.random.Generator) -> Look:
    """A look of a random mode."""
    mode = MODES[rng.integers(len(MODES))]
    numbers = {
        name: float(rng.uniform(*bounds) if name == mode else rng.uniform(0, LOW * bounds[1]))
        for name, bounds in HIGH.items()
    }
    return Look(mode, **numbers, hue=float(rng.uniform(-HUE, HUE)))


def mix(canvas: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    return canvas + np.float32(share) * (other - canvas)


def turn_hues(canvas: np.ndarray, share: float) -> np.ndarray:
    """Colours turned around the axis of greys by a share of a circle."""
    cos, sin = np.cos(2 * np.pi * share), np.sin(2 * np.pi * share)
    axis, side = (1 - cos) / 3, sin / np.sqrt(3)
    row = np.array((cos + axis, axis - side, axis + side), dtype=np.float32)
    return canvas @ np.stack([np.roll(row, place) for place in range(3)]).T


def tone(canvas: np.ndarray, hue: float) -> np.ndarray:
    """Brightness on a ramp from black over the colour to white."""
    colour = 0.5 + 0.5 * np.cos(2 * np.pi * (hue - np.arange(3) / 3)).astype(np.float32)
    bright = (canvas @ GREY)[..., None]
    return np.where(bright < 0.5, 2 * bright * colour, colour + (2 * bright - 1) * (1 - colour))
