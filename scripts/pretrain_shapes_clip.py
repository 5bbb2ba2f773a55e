"""Pre-trains the small CLIP of `shapes` on pictures and captions of its renderer: datasets/assets/shapes_clip.pt.

    python scripts/pretrain_shapes_clip.py --output output/shapes_clip.pt

Three stages, since contrastive training from scratch does not take off in minutes: the image tower learns to name
class and scene, the text tower learns to match its features, then both train together. All 99 classes are seen, as
CLIP has seen those of the benchmarks; figures are given on ShapesDev's classes alone, so that choices rest on them.
"""

import argparse
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from common.command import run_command
from torch import Tensor, nn
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import compat  # noqa: E402

compat.ensure()

from clip import tokenize  # noqa: E402
from clip.model import CLIP, build_model  # noqa: E402
from clip.simple_tokenizer import SimpleTokenizer  # noqa: E402

from datasets.shapes_classes import DEV_CLASSES, NOUNS  # noqa: E402
from datasets.shapes_render import render  # noqa: E402
from datasets.shapes_scene import ATTRIBUTES, DOMAINS, caption, vocabulary  # noqa: E402

MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)
CONTEXT, FULL_VOCABULARY, SOS, EOT = 77, 49408, 49406, 49407
TRAIN_STREAM, HELDOUT_STREAM = 0, 4  # of the renderer; data sets use those in between
TEMPLATES = ("a photo of a {}.", "a picture of a {}.", "a {}.")
VALUES = {key: list(chances) for key, chances in ATTRIBUTES.items()}


@dataclass
class Pictures:
    """Rendered pictures: pixels uint8 (N, 3, 64, 64), labels (N,) into NOUNS, scenes and their codes (N, A)."""

    pixels: Tensor
    labels: Tensor
    scenes: list[dict[str, str]]
    codes: Tensor

    def __len__(self) -> int:
        return len(self.labels)


def main() -> None:
    args = parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    start = time.time()
    pictures = render_pictures(NOUNS, "pretrain", TRAIN_STREAM, max(1, args.pictures // len(NOUNS)))
    tokenizer = WordTokenizer()
    model = build_small_clip(len(tokenizer.ids))
    rng = np.random.default_rng(args.seed)

    train_image_tower(model, pictures, args.image_steps, args.batch)
    train_text_tower(model, pictures, tokenizer, args.text_steps, args.batch, rng)
    train_both(model, pictures, tokenizer, args.joint_steps, args.batch, args.logit_scale, rng)

    scale_stream(model)
    state = openai_state(model, tokenizer.ids)
    report(state, args.test_pictures)
    save(state, args.output)
    size = args.output.stat().st_size / 1e6
    print(f"Finished in {time.time() - start:.0f} s: {args.output} ({size:.2f} MB)")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--output", type=Path, default=ROOT / "datasets/assets/shapes_clip.pt")
    add("--pictures", type=int, default=64000, help="rendered for training (default %(default)s)")
    add("--test-pictures", type=int, default=40, help="per class, for the closing figures (default %(default)s)")
    add("--image-steps", type=int, default=2000, help="stage 1, image tower alone (default %(default)s)")
    add("--text-steps", type=int, default=400, help="stage 2, text tower alone (default %(default)s)")
    add("--joint-steps", type=int, default=1000, help="stage 3, both (default %(default)s)")
    add("--batch", type=int, default=128, help="pictures a step; four times as many in stage 2")
    add("--logit-scale", type=float, default=50.0, help="reached at the end of stage 3 (default %(default)s)")
    add("--seed", type=int, default=1)
    add("--threads", type=int, default=2)
    return parser.parse_args()


# Data


def render_pictures(names: tuple[str, ...], domain: str, stream: int, per_class: int) -> Pictures:
    """Renders `per_class` pictures of each class; labels index NOUNS."""
    count = len(names) * per_class
    pixels = np.empty((count, 64, 64, 3), dtype=np.uint8)
    scenes = []
    for row in tqdm(range(count), desc=f"render {domain}", disable=None):
        pixels[row], scene = render(names[row % len(names)], domain, stream, row // len(names))
        scenes.append(scene)
    labels = torch.tensor([NOUNS.index(name) for name in names]).repeat(per_class)
    return Pictures(torch.from_numpy(pixels).permute(0, 3, 1, 2), labels, scenes, encode_scenes(scenes))


def encode_scenes(scenes: list[dict[str, str]]) -> Tensor:
    """Codes (N, A): the place of each attribute's value, -1 where the scene leaves it out."""
    return torch.tensor(
        [[VALUES[key].index(scene[key]) if key in scene else -1 for key in VALUES] for scene in scenes]
    )


def to_input(pixels: Tensor) -> Tensor:
    """Bytes (B, 3, 64, 64) to CLIP's normalized input."""
    return ((pixels.float() / 255 - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def augment(x: Tensor) -> Tensor:
    """Flips half of the batch and crops half of it to between 0.5 and 1 of the area, as few-shot training does."""
    count = len(x)
    side = torch.where(torch.rand(count) < 0.5, torch.empty(count).uniform_(0.5, 1).sqrt(), torch.ones(count))
    flip = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = side * flip, side
    theta[:, :, 2] = (torch.rand(count, 2) * 2 - 1) * (1 - side)[:, None]
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False).contiguous(
        memory_format=torch.channels_last
    )


class WordTokenizer:
    """CLIP's tokens for the words of the captions, renumbered from 0 in the order of their ids.

    The text tower trains with these rows alone: a table of 49,408 would be most of the model and mostly unused.
    """

    def __init__(self) -> None:
        encode = SimpleTokenizer().encode
        self.words = {word: encode(word) for word in (*vocabulary(), *NOUNS, ".")}
        self.ids = sorted({SOS, EOT, *(i for ids in self.words.values() for i in ids)})
        self.row = {token: row for row, token in enumerate(self.ids)}

    def __call__(self, texts: list[str]) -> Tensor:
        """Rows (B, L) with L the longest caption; CLIP pads with token 0, which nothing after EOT can see."""
        lines = [
            [SOS, *(i for word in text.replace(".", " .").split() for i in self.words[word]), EOT] for text in texts
        ]
        out = torch.zeros(len(lines), max(map(len, lines)), dtype=torch.long)
        for line, tokens in zip(out, lines, strict=True):
            line[: len(tokens)] = torch.tensor([self.row[token] for token in tokens])
        return out


# Model


def build_small_clip(vocabulary_size: int) -> CLIP:
    """A CLIP of OpenAI's architecture: ModifiedResNet of width 16, text tower of width 128, embedding 128."""
    return CLIP(
        embed_dim=128,
        image_resolution=64,
        vision_layers=(1, 1, 1, 1),
        vision_width=16,
        vision_patch_size=None,
        context_length=CONTEXT,
        vocab_size=vocabulary_size,
        transformer_width=128,
        transformer_heads=2,
        transformer_layers=3,
    ).to(memory_format=torch.channels_last)


def image_features(model: CLIP, x: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        features = model.visual(x)
    return F.normalize(features.float(), dim=-1)


def text_features(model: CLIP, rows: Tensor) -> Tensor:
    """Normalized features (B, 128) of token rows (B, L); the causal tower needs no more than L positions."""
    length = rows.shape[1]
    mask = causal_mask(length)
    for block in model.transformer.resblocks:
        block.attn_mask = mask
    x = model.token_embedding(rows) + model.positional_embedding[:length]
    x = model.ln_final(model.transformer(x.permute(1, 0, 2)).permute(1, 0, 2))
    x = x[torch.arange(len(rows)), rows.argmax(dim=-1)] @ model.text_projection
    return F.normalize(x, dim=-1)


@cache
def causal_mask(length: int) -> Tensor:
    return torch.full((length, length), float("-inf")).triu_(1)


# Training


def optimize(
    name: str, steps: int, parameters: list[nn.Parameter], rate: float, loss_of: Callable[[float], Tensor]
) -> None:
    """AdamW with a warm-up and a cosine; `loss_of(progress)`, progress in [0, 1), gives the loss of a fresh batch."""
    optimizer = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.98), weight_decay=0.05)
    warm = max(1, steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / warm) * (1 + np.cos(np.pi * step / max(1, steps))) / 2
    )
    start, loss = time.time(), torch.tensor(float("nan"))
    bar = tqdm(range(steps), desc=name, disable=None)
    for step in bar:
        loss = loss_of(step / steps)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        if step % 20 == 0:
            bar.set_postfix(loss=f"{loss.item():.3f}")
    print(f"{name}: {steps} steps in {time.time() - start:.0f} s, last loss {loss.item():.3f}", flush=True)


def train_image_tower(model: CLIP, pictures: Pictures, steps: int, batch: int) -> None:
    """Stage 1: class and scene are read off the normalized feature by cosine heads, the way texts will be."""
    sizes = [len(NOUNS), *(len(values) for values in VALUES.values())]
    heads = nn.Parameter(torch.randn(sum(sizes), 128))
    targets = torch.cat([pictures.labels[:, None], pictures.codes], dim=1)

    def loss_of(_: float) -> Tensor:
        rows = torch.randint(len(pictures), (batch,))
        logits = 20 * image_features(model, augment(to_input(pictures.pixels[rows]))) @ F.normalize(heads, dim=-1).T
        losses = [
            F.cross_entropy(part, target)
            for part, target in zip(logits.split(sizes, dim=1), targets[rows].T, strict=True)
        ]
        return losses[0] + 0.2 * sum(losses[1:])

    model.visual.train()
    optimize("image tower", steps, [*model.visual.parameters(), heads], 4e-3, loss_of)


def train_text_tower(
    model: CLIP, pictures: Pictures, tokenizer: WordTokenizer, steps: int, batch: int, rng: np.random.Generator
) -> None:
    """Stage 2: the text tower against the frozen image features."""
    features = all_image_features(model, pictures)

    def loss_of(_: float) -> Tensor:
        rows = torch.randint(len(pictures), (4 * batch,))
        return contrast(features[rows], pictures, rows, model, tokenizer, 20.0, rng)

    optimize("text tower", steps, text_parameters(model), 1e-3, loss_of)


def train_both(
    model: CLIP,
    pictures: Pictures,
    tokenizer: WordTokenizer,
    steps: int,
    batch: int,
    final_scale: float,
    rng: np.random.Generator,
) -> None:
    """Stage 3: both towers, while the logit scale rises to where CLIP's stands in its range."""

    def loss_of(progress: float) -> Tensor:
        scale = 20 * (final_scale / 20) ** min(1.0, 2 * progress)
        rows = torch.randint(len(pictures), (batch,))
        features = image_features(model, augment(to_input(pictures.pixels[rows])))
        return contrast(features, pictures, rows, model, tokenizer, scale, rng)

    model.visual.train()
    optimize("both towers", steps, [*model.visual.parameters(), *text_parameters(model)], 1e-3, loss_of)
    model.logit_scale.data.fill_(np.log(final_scale))


def contrast(
    features: Tensor,
    pictures: Pictures,
    rows: Tensor,
    model: CLIP,
    tokenizer: WordTokenizer,
    scale: float,
    rng: np.random.Generator,
) -> Tensor:
    """CLIP's loss between pictures and fresh captions, where a caption counts for every picture it is true of."""
    named, texts = [], []
    for row in rows.tolist():
        share = rng.choice((0.0, 0.4, 0.8))
        text, scene = caption(NOUNS[pictures.labels[row]], pictures.scenes[row], rng, share)
        texts.append(text)
        named.append(scene)
    said = encode_scenes(named)  # (B, A), -1 where unsaid
    true = (pictures.labels[rows, None] == pictures.labels[None, rows]) & (
        (said[None] == -1) | (said[None] == pictures.codes[rows, None])
    ).all(-1)
    true = true.float()
    logits = scale * features @ text_features(model, tokenizer(texts)).T
    by_picture = F.cross_entropy(logits, true / true.sum(1, keepdim=True))
    return (by_picture + F.cross_entropy(logits.T, true.T / true.T.sum(1, keepdim=True))) / 2


def text_parameters(model: CLIP) -> list[nn.Parameter]:
    return [p for name, p in model.named_parameters() if not name.startswith("visual.") and name != "logit_scale"]


@torch.no_grad()
def all_image_features(model: CLIP, pictures: Pictures) -> Tensor:
    """Features (N, 128) of all pictures, by the image tower as it stands."""
    model.visual.eval()
    return torch.cat([image_features(model, to_input(chunk)) for chunk in pictures.pixels.split(512)])


# What comes out


@torch.no_grad()
def scale_stream(model: CLIP, norm: float = 0.2) -> None:
    """Scales the text tower's residual stream so that token embeddings have the length `norm`.

    Every reader of the stream normalizes it first, so features stay the same; but what is published for learned
    prompts, SGD at 2e-3 and initial values of 0.02, presumes entries as small as in OpenAI's models.
    """
    factor = norm / model.token_embedding.weight.norm(dim=1).mean()
    stream = [model.token_embedding.weight, model.positional_embedding]
    for block in model.transformer.resblocks:
        stream += [*block.attn.out_proj.parameters(), *block.mlp.c_proj.parameters()]
    for parameter in stream:
        parameter.mul_(factor)


def openai_state(model: CLIP, ids: list[int]) -> dict[str, Tensor]:
    """The state dict in OpenAI's layout, fp16: rows of the token table go to CLIP's ids, all others are 0."""
    state = {key: value.detach().clone().contiguous() for key, value in model.state_dict().items()}
    table = torch.zeros(FULL_VOCABULARY, state["token_embedding.weight"].shape[1])
    table[ids] = state["token_embedding.weight"]
    state["token_embedding.weight"] = table
    return {key: value.half() if value.is_floating_point() else value for key, value in state.items()}


def report(state: dict[str, Tensor], per_class: int) -> None:
    """Prints zero-shot accuracy of the model as it will be loaded, on held-out pictures of ShapesDev's classes."""
    model = build_model(dict(state)).float().eval()
    half = (len(DEV_CLASSES) + 1) // 2
    for domain in DOMAINS:
        for part, names in (("base", DEV_CLASSES[:half]), ("new", DEV_CLASSES[half:])):
            pictures = render_pictures(names, domain, HELDOUT_STREAM, per_class)
            figures = [f"{template!r} {accuracy(model, pictures, names, template):.1f}" for template in TEMPLATES]
            print(f"zero-shot on {domain} pictures, {part} half of ShapesDev's classes: {', '.join(figures)}")
    print(f"logit scale {model.logit_scale.exp():.1f}")


@torch.no_grad()
def accuracy(model: CLIP, pictures: Pictures, names: tuple[str, ...], template: str) -> float:
    """Share of pictures, in %, whose feature is nearest to the text feature of its class among `names`."""
    text = F.normalize(model.encode_text(tokenize([template.format(name) for name in names])), dim=-1)
    images = torch.cat([model.encode_image(to_input(chunk)) for chunk in pictures.pixels.split(512)])
    wanted = torch.tensor([names.index(NOUNS[label]) for label in pictures.labels])
    return 100 * ((images @ text.T).argmax(dim=1) == wanted).float().mean().item()


def save(state: dict[str, Tensor], path: Path) -> None:
    """Writes the state dict whole or not at all, deflated: the token table is mostly zeros."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        plain, small = Path(folder, "plain.pt"), Path(folder, "small.pt")
        torch.save(state, plain)
        with (
            zipfile.ZipFile(plain) as source,
            zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out,
        ):
            for entry in source.infolist():
                out.writestr(entry.filename, source.read(entry))
        os.replace(small, path)


if __name__ == "__main__":
    run_command(main)
