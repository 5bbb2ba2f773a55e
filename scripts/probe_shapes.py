"""Figures by which an embedded dataset is designed, before any method runs on it: zero-shot and linear probes.

    python scripts/probe_shapes.py shapes_shared_dev shapes_dev shapes_other
    python scripts/probe_shapes.py shapes_shared_dev --shots 4 --test-pictures 20

zero-shot  accuracy of CLIP with "a photo of a …" among all classes, and among the halves that are base and new
linear     accuracy of logistic regression on features of so many training pictures a class
look       where pictures have looks: how well a linear probe of base classes' pictures tells their mode on new
           classes, where chance is one over the number of modes: whether what some classes show holds for others

Pictures are rendered as the dataset renders them; no file is written. Design rests on datasets of the dev classes
alone (shapes_dev, shapes_shared_dev and, rendered plainly, shapes_other).
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from common.arguments import CHECKOUT, command_parser, positive
from common.command import run_command

BACKBONE = CHECKOUT / "datasets/assets/shapes_clip.pt"
TEMPLATE = "a photo of a {}."
INVERSE_PENALTY = 10.0  # scikit-learn's C, of logistic regression on features of length 1


@dataclass
class Pictures:
    """Features (N, D), labels (N,) and the mode of each picture's look, "" without one."""

    features: np.ndarray
    labels: np.ndarray
    looks: np.ndarray

    def of(self, chosen: np.ndarray) -> "Pictures":
        return Pictures(self.features[chosen], self.labels[chosen], self.looks[chosen])


def main(argv: Sequence[str] | None = None) -> None:
    import compat

    compat.ensure()
    from datasets.shapes import RenderedDataset

    known = {loader.folder: loader for loader in RenderedDataset.__subclasses__()}
    args = parse_args(argv, known)
    for name in args.datasets:
        print(f"{name}: {line(known[name], args)}", flush=True)


def parse_args(argv: Sequence[str] | None, known: Sequence[str]) -> argparse.Namespace:
    parser = command_parser("probe_shapes.py", __doc__)
    parser.add_argument("datasets", nargs="+", metavar="DATASET", choices=known, help=", ".join(known))
    parser.add_argument("--shots", type=positive, default=16, help="training pictures a class (default %(default)s)")
    text = "test pictures a class, 100 at most (default %(default)s)"
    parser.add_argument("--test-pictures", type=positive, default=100, help=text)
    return parser.parse_args(argv)


def line(loader, args: argparse.Namespace) -> str:
    """One dataset's figures, in %."""
    from datasets.shapes import PARTS
    from trainers.blocks.clip.backbone import load_backbone

    backbone = load_backbone(str(BACKBONE), "fp32", "cpu")
    train, test = (
        pictures(loader, backbone, PARTS[part][0], min(count, PARTS[part][1]))
        for part, count in (("train", args.shots), ("test", args.test_pictures))
    )
    text = backbone.text_features(loader.names, [TEMPLATE]).numpy()
    half = (len(loader.names) + 1) // 2
    base = test.labels < half
    zero_shot = [
        accuracy(test, text),
        accuracy(test.of(base), text[:half]),
        accuracy(test.of(~base), text[half:], half),
    ]
    linear = 100 * probe(train.features, train.labels).score(test.features, test.labels)
    found = f"zero-shot {zero_shot[0]:.1f} (base {zero_shot[1]:.1f}, new {zero_shot[2]:.1f}), linear {linear:.1f}"
    if not train.looks.any():
        return found
    seen = train.of(train.labels < half)
    new = test.of(~base)
    return f"{found}, look {100 * probe(seen.features, seen.looks).score(new.features, new.looks):.1f}"


def pictures(loader, backbone, stream: int, count: int) -> Pictures:
    """The first pictures of each class in a stream of the renderer, encoded as the test encodes them."""
    import torch

    from datasets.shapes_render import render

    mean, std = (
        torch.tensor(values).view(3, 1, 1)
        for values in ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
    )
    features, labels, looks = [], [], []
    for label, name in enumerate(loader.names):
        made = [render(name, loader.domain, stream, index) for index in range(count)]
        pixels = torch.from_numpy(np.stack([picture for picture, _ in made])).permute(0, 3, 1, 2)
        with torch.no_grad():
            features.append(backbone.encode_image((pixels.float() / 255 - mean) / std).numpy())
        labels += [label] * count
        looks += [scene.get("look", "") for _, scene in made]
    return Pictures(np.concatenate(features), np.array(labels), np.array(looks))


def accuracy(test: Pictures, text: np.ndarray, first: int = 0) -> float:
    """Share of the pictures whose nearest text feature is that of their class, in %; labels begin at `first`."""
    return 100 * float(((test.features @ text.T).argmax(axis=1) + first == test.labels).mean())


def probe(features: np.ndarray, labels: np.ndarray):
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=INVERSE_PENALTY, max_iter=1000).fit(features, labels)


if __name__ == "__main__":
    run_command(main)
