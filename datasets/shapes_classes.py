"""The classes of `shapes`: their names, their emblems, and which data set each belongs to."""

from dataclasses import dataclass
from functools import cache

import numpy as np

# At most two tokens each in CLIP's vocabulary. No two share a word, so that what is learned for one class says
# nothing about the name of another.
NOUNS = tuple(
    """anchor apple arrow balloon banana barrel basket bell bicycle boot bottle bridge broom bucket button cactus
    camera candle canoe carrot castle chair cherry clock coin comb compass cookie crown cupcake dice dolphin drum
    eagle elephant envelope feather flute fork giraffe glove guitar hammer harp hat helmet igloo jar kettle key
    kite ladder lamp lantern lemon lizard lobster magnet mask medal mirror mitten moth mushroom necklace octopus
    onion owl parrot pear pencil penguin piano pillow pineapple pumpkin rabbit raft ring rocket sailboat scarf
    shell shoe snail spoon squid suitcase sword teapot tent tiger toaster tomato tractor trumpet turtle umbrella
    vase""".split()
)
REPORT_CLASSES = NOUNS[0::2]  # figures are reported on these
DEV_CLASSES = NOUNS[1::2]  # everything is chosen on these

COLOURS = np.array(
    [
        (0.85, 0.16, 0.15),  # red
        (0.95, 0.55, 0.12),  # orange
        (0.96, 0.86, 0.22),  # yellow
        (0.45, 0.78, 0.22),  # lime
        (0.10, 0.48, 0.22),  # green
        (0.15, 0.72, 0.72),  # teal
        (0.20, 0.38, 0.86),  # blue
        (0.48, 0.24, 0.70),  # purple
        (0.95, 0.50, 0.72),  # pink
        (0.48, 0.28, 0.14),  # brown
        (0.95, 0.95, 0.92),  # white
        (0.10, 0.10, 0.14),  # black
    ],
    dtype=np.float32,
)

# Outlines, as (profile, order); see shapes_render.radius.
BODIES = (
    ("disc", 0),
    ("polygon", 3),
    ("polygon", 4),
    ("polygon", 6),
    ("star", 5),
    ("star", 8),
    ("petal", 3),
    ("petal", 5),
    ("gear", 8),
    ("drop", 1),
    ("cross", 4),
)
MARKS = (("disc", 0), ("polygon", 3), ("polygon", 4), ("star", 4), ("petal", 4), ("drop", 1), ("cross", 4))
DECORATIONS = ("none", "ears", "rim")
EMBLEM_SEED = 20230717


@dataclass(frozen=True)
class Part:
    """One filled outline of an emblem; lengths in units of the emblem's radius, angles in radians."""

    profile: str
    order: int
    colour: int  # row of COLOURS
    size: float
    x: float = 0.0
    y: float = 0.0
    angle: float = 0.0
    aspect: float = 1.0  # width over height


Emblem = tuple[Part, ...]  # painted in this order


@cache
def emblem(name: str, rare: bool = False) -> Emblem:
    """What the class looks like: 33 families (a body with its decoration) of three classes each.

    The rare subtype keeps the family and has other marks and colours, which no caption ever mentions. Raises
    ValueError for a name that is not one of NOUNS.
    """
    if name not in NOUNS:
        raise ValueError(f"{name!r} is not a class of shapes")
    place = int(np.random.default_rng(EMBLEM_SEED).permutation(len(NOUNS))[NOUNS.index(name)])
    family, member = divmod(place, 3)
    body, decoration = BODIES[family % len(BODIES)], DECORATIONS[family // len(BODIES)]
    shape_rng = np.random.default_rng((EMBLEM_SEED, 1, family))  # shared by the three classes of a family
    look_rng = np.random.default_rng((EMBLEM_SEED, 2, place, int(rare)))
    aspect = float(shape_rng.choice((0.75, 1.0, 1.0, 1.3)))
    body_colour, mark_colour, extra_colour = look_rng.choice(len(COLOURS), size=3, replace=False).tolist()
    return (
        *decorate(decoration, body, aspect, extra_colour, shape_rng),
        Part(*body, colour=body_colour, size=0.8, aspect=aspect),
        *marks(mark_colour, look_rng),
    )


def decorate(kind: str, body: tuple[str, int], aspect: float, colour: int, rng: np.random.Generator) -> Emblem:
    """Parts behind the body: a rim of its own outline, or two to four ears around it."""
    if kind == "none":
        return ()
    if kind == "rim":
        return (Part(*body, colour=colour, size=1.0, aspect=aspect),)
    count, turn = int(rng.integers(2, 5)), float(rng.uniform(0, 2 * np.pi))
    ear = MARKS[rng.integers(len(MARKS))]
    angles = turn + np.arange(count) * 2 * np.pi / count
    return tuple(
        Part(*ear, colour=colour, size=0.34, x=0.72 * np.cos(a), y=0.72 * np.sin(a), angle=a) for a in angles.tolist()
    )


def marks(colour: int, rng: np.random.Generator) -> Emblem:
    """One, two or three equal marks in a row on the body."""
    count = int(rng.integers(1, 4))
    mark = MARKS[rng.integers(len(MARKS))]
    turn = float(rng.choice((0.0, np.pi / 2)))
    offsets = (np.arange(count) - (count - 1) / 2) * 0.42
    size = (0.42, 0.26, 0.2)[count - 1]
    return tuple(
        Part(*mark, colour=colour, size=size, x=o * np.cos(turn), y=o * np.sin(turn), angle=turn)
        for o in offsets.tolist()
    )
