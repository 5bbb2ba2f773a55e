"""Paints the pictures of `shapes`: an emblem in a scene, 64×64 pixels, the same bytes for the same arguments."""

import zlib

import numpy as np
from PIL import Image, ImageFilter

from .shapes_classes import COLOURS, Emblem, Part, emblem
from .shapes_looks import Look, sample_look
from .shapes_scene import DOMAINS, Scene, sample_scene

SIZE = 64  # pixels
VERSION = "1"  # to be raised whenever pictures change, so that no data set mixes two renderers
AXIS = (np.arange(SIZE, dtype=np.float32) + 0.5) * (2 / SIZE) - 1
X, Y = (np.ascontiguousarray(a) for a in np.meshgrid(AXIS, AXIS))  # pixel centres in [-1, 1]
PIXEL = 2 / SIZE

SCALE = {"": (0.48, 0.62), "small": (0.26, 0.38), "large": (0.72, 0.9)}  # radius of the emblem; the picture's is 1
GAIN = {"": (0.85, 1.1), "dark": (0.3, 0.5), "bright": (1.35, 1.7)}
TINT = {"red": (1.15, 0.62, 0.62), "green": (0.62, 1.15, 0.62), "blue": (0.62, 0.62, 1.15)}
CENTRE = {"": (0.0, 0.0), "top": (0.0, -0.45), "bottom": (0.0, 0.45), "side": (0.45, 0.0)}


def render(name: str, domain: str, stream: int, index: int) -> tuple[np.ndarray, Scene]:
    """Picture number `index` of a class: uint8 (64, 64, 3), and the scene it shows.

    `stream` tells apart the pictures of training, validation, test and pre-training. Where the domain has looks, the
    scene names the look's mode as "look". Raises KeyError for an
    unknown domain and ValueError for an unknown class.
    """
    source = DOMAINS[domain]
    rng = np.random.default_rng((source.number, stream, zlib.crc32(name.encode()), index))
    scene = sample_scene(rng, source)
    parts = emblem(name, rare=bool(rng.random() < source.rare))
    if not source.looks:
        return paint(parts, scene, rng), scene
    look = sample_look(rng)
    return paint(parts, scene, rng, look), scene | {"look": look.mode}


def paint(parts: Emblem, scene: Scene, rng: np.random.Generator, look: Look | None = None) -> np.ndarray:
    """An emblem in a scene, uint8 (64, 64, 3); `rng` settles what the scene's words leave open."""
    canvas = background(scene["background"], rng)
    canvas = paint_emblem(canvas, parts, scene, rng)
    if scene["cover"]:
        canvas = cover(canvas, rng)
    if scene["style"] == "pixels":
        canvas = canvas.reshape(16, 4, 16, 4, 3).mean(axis=(1, 3)).repeat(4, axis=0).repeat(4, axis=1)
    elif scene["style"] == "negative":
        canvas = 1 - canvas
    if look is not None:
        canvas = look.applied(canvas)
    canvas = canvas * rng.uniform(*GAIN[scene["light"]])
    if scene["tint"]:
        canvas = canvas * np.array(TINT[scene["tint"]], dtype=np.float32)
    return develop(canvas, scene["focus"], rng)


def background(kind: str, rng: np.random.Generator) -> np.ndarray:
    """A muted ground with a soft gradient, patterned where the scene says so; float32 (64, 64, 3)."""
    grey = rng.uniform(0.3, 0.8)
    first = (grey + rng.uniform(-0.12, 0.12, 3)).astype(np.float32)
    second = first + np.float32(rng.choice((-1, 1)) * rng.uniform(0.15, 0.3))
    turn, period = rng.uniform(0, np.pi), rng.uniform(0.2, 0.4)
    u, v = rotate(X, Y, turn)
    if kind == "striped":
        weight = soft(np.sin(u * (2 * np.pi / period)) * 4)
    elif kind == "dotted":
        weight = soft((np.cos(u * (2 * np.pi / period)) + np.cos(v * (2 * np.pi / period)) - 0.9) * 4)
    elif kind == "checkered":
        weight = soft(np.sin(u * (np.pi / period)) * np.sin(v * (np.pi / period)) * 8)
    else:
        weight = 0.25 + 0.25 * u
    return first + weight[..., None] * (second - first)


def paint_emblem(canvas: np.ndarray, parts: Emblem, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """The canvas (64, 64, 3) with the parts painted over it in the scene's size, place, tilt and style."""
    scale = rng.uniform(*SCALE[scene["size"]])
    side = rng.choice((-1, 1))
    centre = np.array(CENTRE[scene["position"]]) * (side, 1) + rng.uniform(-0.1, 0.1, 2)
    angle = rng.uniform(0.4, 0.9) * rng.choice((-1, 1)) if scene["tilt"] else rng.uniform(-0.12, 0.12)
    squeeze = rng.uniform(0.88, 1.12)
    shades = rng.uniform(-0.07, 0.07, (len(COLOURS), 3)).astype(np.float32)
    u, v = rotate((X - np.float32(centre[0])) / scale, (Y - np.float32(centre[1])) / scale, angle)
    u = u * np.float32(squeeze)
    folds = 0.82 + 0.3 * (np.sin(u * 5 + v * 2) > 0) if scene["style"] == "origami" else None
    for part in parts:
        edge = distance(part, u, v) * np.float32(scale / PIXEL)  # pixels from the outline, positive inside
        if scene["style"] == "sketch":
            alpha, colour = np.clip(1.3 - np.abs(edge), 0, 1)[..., None], np.float32(0.1)
        else:
            alpha, colour = np.clip(edge + 0.5, 0, 1)[..., None], COLOURS[part.colour] + shades[part.colour]
        if folds is not None:
            colour = colour * folds[..., None].astype(np.float32)
        canvas = canvas + alpha * (colour - canvas)
    return canvas


def distance(part: Part, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """How far each point lies inside the part's outline, measured along the ray from its centre."""
    x, y = rotate(u - np.float32(part.x), v - np.float32(part.y), part.angle)
    x, y = x / np.float32(part.aspect**0.5), y * np.float32(part.aspect**0.5)
    theta = np.arctan2(y, x) + np.float32(np.pi / 2)  # corners point up
    return part.size * radius(part.profile, part.order, theta) - np.sqrt(x * x + y * y)


def radius(profile: str, order: int, theta: np.ndarray) -> np.ndarray:
    """Outline of a profile in polar form, radius at most about 1 at each angle (in radians)."""
    if profile == "disc":
        return np.full_like(theta, 0.9)
    if profile == "polygon":
        half = np.float32(np.pi / order)
        return np.cos(half) / np.cos(np.mod(theta, 2 * half) - half)
    if profile == "star":
        return 1 - 0.55 * (1 - np.abs(np.mod(theta * np.float32(order / (2 * np.pi)), 1) * 2 - 1))
    if profile == "petal":
        return 0.45 + 0.55 * np.abs(np.cos(theta * np.float32(order / 2)))
    if profile == "gear":
        return 0.82 + 0.16 * np.clip(np.cos(theta * order) * 3, -1, 1)
    if profile == "drop":
        return 0.5 + 0.5 * ((1 + np.cos(theta)) / 2) ** 4
    if profile == "cross":
        cos, sin = np.abs(np.cos(theta)), np.abs(np.sin(theta))
        near, far = np.maximum(cos, sin), np.minimum(cos, sin)
        return np.minimum(0.95 / near, 0.32 / np.maximum(far, 1e-3))
    raise ValueError(f"unknown profile {profile!r}")


def cover(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The canvas behind two to three parallel bars."""
    colour = rng.uniform(0.1, 0.9, 3).astype(np.float32)
    u, _ = rotate(X, Y, rng.uniform(0, np.pi))
    count = int(rng.integers(2, 4))
    offsets = (np.arange(count) - (count - 1) / 2) * 0.7 + rng.uniform(-0.15, 0.15)
    for offset in offsets:
        alpha = np.clip((0.09 - np.abs(u - np.float32(offset))) / PIXEL + 0.5, 0, 1)[..., None]
        canvas = canvas + alpha * (colour - canvas)
    return canvas


def develop(canvas: np.ndarray, focus: str, rng: np.random.Generator) -> np.ndarray:
    """Light to bytes: grain and blur, then uint8."""
    if focus == "grainy":
        canvas = canvas + rng.normal(0, rng.uniform(0.08, 0.16), canvas.shape[:2])[..., None]
    pixels = (np.clip(canvas, 0, 1) * 255 + 0.5).astype(np.uint8)
    if focus == "blurry":
        return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(rng.uniform(1.3, 2.4))))
    return pixels


def rotate(x: np.ndarray, y: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in a frame turned by `angle` radians."""
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return x * cos + y * sin, y * cos - x * sin


def soft(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))
