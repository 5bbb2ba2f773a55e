"""How plots tell methods apart: colour by family, shape by SHIP or not, and a number that both of a pair share.

Colours are Okabe and Ito's, which colour-blind readers tell apart; shape and number do not need them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

COLOURS = {  # by family
    "zero-shot": "#000000",
    "prompts": "#0072B2",
    "adapters": "#D55E00",
    "linear": "#009E73",
    "closed_form": "#CC79A7",
}
OTHER = "#767676"  # of a method without a family
DASHES = ((0, ()), (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1.5, 1, 1.5)), (0, (8, 2)), (0, (4, 1, 1, 1, 1, 1)))
BASE, NEW = ("#0072B2", "o"), ("#D55E00", "^")  # classes with training images, and those without: colour and marker
CIRCLE, DIAMOND = ("o", 9.0), ("D", 7.5)  # markers, and their sizes in points
SMALL = 3.0  # of a marker that has no number


@dataclass(frozen=True)
class Named:
    """A method in a plot: what the legend says of it; `method` is its name without SHIP."""

    label: str
    family: str
    method: str
    carried: bool = False


@dataclass(frozen=True)
class Look:
    """How a method is drawn. `dashes` tell lines of one family apart."""

    label: str
    number: int
    colour: object
    face: object
    carried: bool
    dashes: tuple

    @property
    def line(self) -> dict[str, object]:
        return {"color": self.colour, "linestyle": self.dashes}

    def artists(self, x: Sequence[float], y: Sequence[float], numbered: bool = True) -> list[Line2D]:
        """Its marker at each place, and the number in it."""
        shape, size = DIAMOND if self.carried else CIRCLE
        common = {"linestyle": "none", "clip_on": False}
        edge = {"mfc": self.face, "mec": self.colour, "ms": size if numbered else SMALL, "mew": 1.0}
        marker = Line2D(x, y, marker=shape, **common, **edge)
        if not numbered:
            return [marker]
        ink = {"mfc": self.ink, "mec": "none", "ms": 5.0 if self.number < 10 else 6.5}
        return [marker, Line2D(x, y, marker=f"${self.number}$", **common, **ink)]

    @property
    def ink(self) -> object:
        """Of the number: what is read on the marker's face."""
        red, green, blue = to_rgb(self.face)
        light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        return "white" if light < 0.45 else "black"

    def pale(self) -> "Look":
        """The same in pale colours, for figures that rest on fewer seeds than they should."""
        return replace(self, colour=_pale(self.colour), face=_pale(self.face))


def looks(names: Sequence[Named]) -> list[Look]:
    """One for each, in their order: a method with and without SHIP has one number and one colour, in two shapes."""
    methods = list(dict.fromkeys((name.family, name.method) for name in names))
    found = []
    for name in names:
        family = [method for method in methods if method[0] == name.family]
        dashes = DASHES[family.index((name.family, name.method)) % len(DASHES)]
        colour = COLOURS.get(name.family, OTHER)
        number = methods.index((name.family, name.method)) + 1
        found.append(Look(name.label, number, colour, colour if name.carried else "white", name.carried, dashes))
    return found


def add_all(axes: Axes, artists: Sequence[Line2D], above: float) -> None:
    """Draws them in their order, above what is there."""
    for place, artist in enumerate(artists):
        artist.set_zorder(above + 0.01 * place)
        axes.add_line(artist)


def _pale(colour: object) -> tuple[float, ...]:
    return tuple(1 - 0.4 * (1 - part) for part in to_rgb(colour))
