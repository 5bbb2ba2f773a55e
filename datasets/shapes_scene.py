"""What surrounds an emblem in a picture of `shapes`, and the captions that put it into words."""

from dataclasses import dataclass

import numpy as np

Scene = dict[str, str]  # attribute ─▶ value; "" is the ordinary one, which captions pass over

# Attribute ─▶ value ─▶ probability.
ATTRIBUTES: dict[str, dict[str, float]] = {
    "size": {"": 0.5, "small": 0.25, "large": 0.25},
    "tilt": {"": 0.65, "tilted": 0.35},
    "light": {"": 0.6, "dark": 0.2, "bright": 0.2},
    "focus": {"": 0.65, "blurry": 0.2, "grainy": 0.15},
    "tint": {"": 0.64, "red": 0.12, "green": 0.12, "blue": 0.12},
    "background": {"": 0.4, "striped": 0.2, "dotted": 0.2, "checkered": 0.2},
    "position": {"": 0.55, "top": 0.15, "bottom": 0.15, "side": 0.15},
    "cover": {"": 0.75, "bars": 0.25},
    "style": {"": 0.7, "sketch": 0.09, "negative": 0.07, "pixels": 0.07, "origami": 0.07},
}

# Every word of CoOp's and ZeroshotCLIP2's templates occurs in some caption.
HEADS = {
    "": ("a photo of a {}", "a photo of the {}", "a picture of a {}", "image of a {}", "itap of a {}", "a {}", "{}"),
    "sketch": ("a sketch of a {}", "a drawing of a {}", "art of the {}"),
    "negative": ("a negative of a {}", "a photo negative of the {}"),
    "pixels": ("a {} in a video game", "a picture of a {} in a video game"),
    "origami": ("a origami {}", "a photo of a origami {}", "art of a origami {}"),
}
BEFORE_NOUN = ("tilt", "size")  # "a small tilted anchor"
BEFORE_PHOTO = ("light", "focus")  # "a dark photo of …"
PHOTO_WORDS = ("photo", "picture", "image", "sketch", "drawing")
AFTER = {
    "background": ("on a {} background", "with a {} background"),
    "tint": ("in {} light",),
    "position": ("at the {}",),
    "cover": ("behind {}",),
}
BAD = ("blurry", "grainy")  # such pictures may be called bad


@dataclass(frozen=True)
class Domain:
    """Where pictures come from: how often the rare subtype is shown, and attributes held at one value."""

    number: int  # part of the pictures' seeds
    rare: float
    held: tuple[tuple[str, str], ...] = ()
    looks: bool = False  # whether each picture has a look of shapes_looks.py


RARE = 0.06  # share of rare looks in pre-training: few, so that zero-shot accuracy leaves room to learn

# A further data set needs one entry here and one loader in shapes.py. "rare…" are shifts particular to each class:
# captions have no word for a rare look. The others are the same for all classes, and captions name them; "shared" has
# looks that all classes share, and captions have words for some of them.
DOMAINS = {
    "pretrain": Domain(0, rare=RARE),
    "rare": Domain(1, rare=1.0, held=(("style", ""),)),
    "negative": Domain(2, rare=RARE, held=(("style", "negative"),)),
    "rare dark": Domain(3, rare=1.0, held=(("style", ""), ("light", "dark"))),
    "rare pixels": Domain(4, rare=1.0, held=(("style", "pixels"),)),
    "plain": Domain(5, rare=RARE, held=(("style", ""),)),
    "dark": Domain(6, rare=RARE, held=(("style", ""), ("light", "dark"))),
    "shared": Domain(7, rare=RARE, held=(("style", ""),), looks=True),
}


def sample_scene(rng: np.random.Generator, domain: Domain) -> Scene:
    """Draws a value for each attribute, except those that the domain holds."""
    scene = {}
    for attribute, chances in ATTRIBUTES.items():
        scene[attribute] = str(rng.choice(list(chances), p=list(chances.values())))
    return scene | dict(domain.held)


def caption(name: str, scene: Scene, rng: np.random.Generator, share: float = 0.5) -> tuple[str, Scene]:
    """A caption that names the class and, each with probability `share`, the remarkable attributes of the scene.

    Returns it with the attributes it names: it is true of any picture of the class that has these.
    """
    named = {key: value for key, value in scene.items() if value and rng.random() < share}
    words = {key: pick(HEADS[named[key]] if key == "style" else (named[key],), rng) for key in named}
    head = words.get("style") or pick(HEADS[""], rng)
    noun = " ".join([*(words[key] for key in BEFORE_NOUN if key in words), name])
    text = describe_photo(head, [words[key] for key in BEFORE_PHOTO if key in words], rng)
    tails = [pick(forms, rng).format(words[key]) for key, forms in AFTER.items() if key in words]
    rng.shuffle(tails)
    return " ".join([text.format(noun), *tails]) + ("." if rng.random() < 0.8 else ""), named


def describe_photo(head: str, adjectives: list[str], rng: np.random.Generator) -> str:
    """Puts adjectives before the word for the photo, or before the noun where the head has no such word."""
    adjectives = ["bad" if word in BAD and rng.random() < 0.25 else word for word in adjectives]
    if not adjectives:
        return head
    words = head.split()
    anchor = next((i for i, word in enumerate(words) if word in PHOTO_WORDS), words.index("{}"))
    return " ".join([*words[:anchor], *adjectives, *words[anchor:]])


def pick(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[rng.integers(len(options))]


def vocabulary() -> list[str]:
    """All words that captions are made of, apart from the class names."""
    texts = [text for forms in (*HEADS.values(), *AFTER.values(), *ATTRIBUTES.values(), ("bad",)) for text in forms]
    return sorted({word for text in texts for word in text.split() if word != "{}"})
