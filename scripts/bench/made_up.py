"""Made-up class names and pictures."""

import random
from collections.abc import Iterator, Sequence
from itertools import islice, product
from pathlib import Path

import torch
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

from datasets.shapes_classes import NOUNS
from trainers.blocks.clip.tokenizer import byte_pairs

WORDS = (0.35, 0.35, 0.15, 0.08, 0.04, 0.02, 0.005, 0.005)  # share of class names of 1, 2, … words

ADJECTIVES = tuple(
    """ancient antique bent black blue blurry braided bright broken bronze brown carved checkered chrome clean copper
    cracked crimson crooked curved dark decorated dented dirty dusty elegant empty enormous faded fancy floral folded
    fragile frozen fuzzy giant glossy glowing golden gray green handmade heavy hollow inflatable ivory knitted leather
    little lost magic marble metal miniature modern mossy narrow new orange ornate painted pale pink plain plastic
    polished pretty purple red rough round rusty sandy shiny silky silver simple slim small smooth soft spotted square
    steel stone strange striped tall tiny torn traditional translucent turquoise twisted velvet vintage wet white wide
    wooden woolen worn yellow""".split()
)
MOST_THINGS = len(ADJECTIVES) * len(NOUNS)


def things(count: int) -> list[str]:
    """So many class names, up to MOST_THINGS, all different: adjective and noun, such as "wooden lantern"."""
    return [" ".join(words) for words in islice(product(ADJECTIVES, NOUNS), count)]


def class_names(count: int, words: int | None = None) -> list[str]:
    """Names of so many words each that CLIP's tokenizer has a token for; by default about as long as ImageNet's."""
    whole = [token.removesuffix("</w>") for token in byte_pairs().encoder if token.endswith("</w>")]
    known = [word for word in whole if word.isalpha() and word.isascii()]
    generator = random.Random(0)
    lengths = generator.choices(range(1, 1 + len(WORDS)), WORDS, k=count) if words is None else [words] * count
    return [" ".join(generator.choices(known, k=length)) for length in lengths]


def noise(count: int, height: int, width: int) -> Tensor:
    """So many pictures (B, 3, H, W): normal noise of several degrees of smoothness."""
    return torch.stack(list(noisy_pictures(count, height, width)))


def noisy_pictures(count: int, height: int, width: int) -> Iterator[Tensor]:
    """The same, one by one (3, H, W)."""
    generator = torch.Generator().manual_seed(0)
    for index in range(count):
        grains = [max(2, side >> index % 6) for side in (height, width)]
        grain = torch.randn(1, 3, *grains, generator=generator)
        yield torch.nn.functional.interpolate(grain, (height, width), mode="bicubic")[0]


def write_pictures(root: Path, names: Sequence[str], train: int, test: int, size: tuple[int, int]) -> None:
    """Pictures of each class as ImageFolder reads them, with one for validation: root/<part>/<class>/<number>.jpg."""
    counts = {"train": train, "val": 1, "test": test}
    made = noisy_pictures(len(names) * sum(counts.values()), *size)
    pictures = (picture.mul(0.25).add(0.5).clamp(0, 1) for picture in made)
    for name in names:
        for part, count in counts.items():
            folder = root / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                to_pil_image(next(pictures)).save(folder / f"{number}.jpg")
