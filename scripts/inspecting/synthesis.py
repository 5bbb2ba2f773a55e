"""What SHIP has learned: how well features are reconstructed, what the latent tells, how good synthesized ones are.

Real features of new classes come in here, after training, to judge; nothing is chosen by them.
"""

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from trainers.blocks.run.classes import Classes
from trainers.blocks.run.randomness import own_random_numbers
from trainers.blocks.synthesis.collapse import NATS
from trainers.blocks.synthesis.kinds import RESIDUAL, build, needs_training
from trainers.blocks.synthesis.prompt_vae import kl_divergence
from trainers.blocks.synthesis.synthesizers import Synthesizer, VAESynthesizer

from .maps import CLASSES, chosen, feature_map
from .opened import OpenedRun, Pictures
from .prompts import Words, described, evenly

CHOSEN = 50  # classes of each half at most that are looked at
OF_EACH = 32  # features synthesized of each
DRAWS = 256  # of z, for the words nearest to c + r
AT_ONCE = 1024  # prompts
ACTIVE = 0.01  # variance of the posterior's mean, see `active_units`
DIMENSIONS, STEPS, REACH = 3, 7, 3.0  # of the walk: z goes from −REACH to REACH along each of the dimensions
SHEET, ACROSS = 6, 6  # classes of the contact sheet, and synthesized features of each


@dataclass(frozen=True)
class Synthesized:
    """The classes that are looked at, base ones first, with features (N, D) synthesized of each and labels (N,)."""

    classes: Classes
    known: int  # how many of them are base classes
    features: Tensor
    labels: Tensor

    def part(self, label: int) -> str:
        return "base" if label < self.known else "new"

    def of(self, label: int) -> Tensor:
        return self.features[self.labels == label]


class Inspected:
    """A run of SHIP, taken apart; without its pictures some parts are None."""

    def __init__(self, opened: OpenedRun) -> None:
        self.opened, self.trainer, self.options = opened, opened.trainer, opened.trainer.options
        base, new = evenly(opened.base, CHOSEN), evenly(opened.new, CHOSEN)
        self.classes, self.known = base + new, len(base)
        self.templates = self.trainer.wording.features(self.trainer.backbone, self.classes)
        self.pictures = self.chosen_pictures()
        self.has_vae = needs_training(self.options.SYNTHESIS)

    def chosen_pictures(self) -> Pictures | None:
        """Test pictures of the classes that are looked at, with labels that index these."""
        pictures = self.opened.pictures
        return None if pictures is None else pictures.among(self.classes, self.opened.classes)

    @property
    def vae(self) -> torch.nn.Module:
        return self.trainer.vae

    def synthesizer(self) -> Synthesizer | None:
        """The run's, for all classes that are looked at; None for SYNTHESIS none."""
        trainer = self.trainer
        parts = (trainer.vae, trainer.backbone, trainer.wording, trainer.views)
        return build(self.options, self.classes, trainer.known_classes, *parts)

    @torch.no_grad()
    def synthesized(self, synthesizer: Synthesizer) -> Synthesized:
        """OF_EACH features of each class; the same whenever they are asked for."""
        labels = torch.arange(len(self.classes), device=synthesizer.device).repeat_interleave(OF_EACH)
        with own_random_numbers(0):
            parts = [synthesizer.sample(some) for some in labels.split(AT_ONCE)]
        return Synthesized(self.classes, self.known, torch.cat(parts), labels)

    def judged(self) -> Pictures:
        """Those that the encoder is looked at with: pictures of base classes, or of all where there are none."""
        if not self.known:
            return self.pictures
        return self.pictures.of(torch.nonzero(self.pictures.labels < self.known).flatten())

    @torch.no_grad()
    def posterior(self, pictures: Pictures) -> tuple[Tensor, Tensor]:
        """Mean and log-variance (N, Z) of z for pictures."""
        encoded = pictures.features
        if self.options.SYNTHESIS == RESIDUAL and self.options.ENCODER == "residual":
            encoded = encoded - self.templates[pictures.labels]
        return self.vae.encode(encoded)

    @torch.no_grad()
    def reconstructed(self, pictures: Pictures) -> Tensor:
        """Features (N, D) of the prompts that are written for the posterior's means, plus a gap that is learned."""
        writer = VAESynthesizer(self.vae, self.trainer.backbone, self.classes)
        z = self.posterior(pictures)[0]
        parts = zip(z.split(AT_ONCE), pictures.labels.split(AT_ONCE), strict=True)
        made = torch.cat([writer.write(*part) for part in parts])
        return made if self.vae.gap is None else normalize(made + self.vae.gap, dim=-1)


def ship_numbers(inspected: Inspected, map_kind: str = "") -> dict[str, Any]:
    """All numbers about the synthesis, without a map unless a kind is named; parts that cannot be had are None."""
    with redirect_stdout(io.StringIO()):  # what is read from the cache of features
        return _ship_numbers(inspected, map_kind)


def _ship_numbers(inspected: Inspected, map_kind: str) -> dict[str, Any]:
    pictures = inspected.pictures
    found: dict[str, Any] = {
        "synthesis": inspected.options.SYNTHESIS,
        "base": inspected.known,
        "new": len(inspected.classes) - inspected.known,
        "of_base": len(inspected.opened.base),
        "of_new": len(inspected.opened.new),
        "of_each": OF_EACH,
        **dict.fromkeys(("words", "latent", "reconstruction", "spread", "nearest_mean", "map", "walk", "sheet")),
    }
    if inspected.has_vae:
        found["words"] = context_words(inspected)
    if inspected.has_vae and pictures is not None:
        found |= {"latent": latent_numbers(inspected), "reconstruction": reconstruction(inspected)}
    synthesizer = None if pictures is None else inspected.synthesizer()  # some kinds need pictures themselves
    if synthesizer is None:
        return found
    made = inspected.synthesized(synthesizer)
    found |= {
        "spread": class_distances(made, pictures, inspected.templates),
        "nearest_mean": nearest_means(inspected, made),
        "map": synthesis_map(made, pictures, map_kind) if map_kind else None,
        "sheet": contact_sheet(made, pictures),
    }
    if inspected.has_vae:
        found["walk"] = walk(inspected, synthesizer, pictures, found["latent"])
    return found


# --- stage 1


@torch.no_grad()
def context_words(inspected: Inspected) -> dict[str, Any] | None:
    """Nearest words to the learned context c, and to c + r with r the mean over draws of z ~ N(0, I)."""
    vae, words = inspected.vae, Words.known_to(inspected.trainer.backbone)
    if words is None:
        return None
    with own_random_numbers(0):
        z = torch.randn(DRAWS, vae.latent_dim).to(vae.ctx)
    bias = vae.contexts(z) - vae.ctx  # (B, M, W)
    mean = bias.mean(dim=0)
    return {
        **words.about(),
        "context": described(vae.ctx.detach(), words),
        "with_bias": described((vae.ctx + mean).detach(), words),
        "draws": DRAWS,
        "bias_length": bias.norm(dim=-1).mean().item(),
        "bias_deviation": (bias - mean).square().sum(dim=-1).mean().sqrt().item(),
    }


@torch.no_grad()
def latent_numbers(inspected: Inspected) -> dict[str, Any]:
    """KL divergence in nats by latent dimension, and variance of the posterior's mean, over pictures."""
    pictures = inspected.judged()
    mean, log_var = inspected.posterior(pictures)
    kl, variance = kl_divergence(mean, log_var), mean.var(dim=0, unbiased=False)
    return {
        "pictures": len(pictures),
        "part": "base" if inspected.known else "new",
        "dimensions": len(kl),
        "kl": kl.tolist(),
        "kl_sum": kl.sum().item(),
        "variance": variance.tolist(),
        "active": int((variance > ACTIVE).sum()),
        "threshold": ACTIVE,
        "collapsed_below": NATS,
        "collapsed": bool(kl.sum() < NATS),
    }


def reconstruction(inspected: Inspected) -> dict[str, Any]:
    """Mean cosine to the real feature by class: of the reconstruction, and of the template's text feature."""
    pictures = inspected.pictures
    made = (inspected.reconstructed(pictures) * pictures.features).sum(dim=-1)
    plain = (inspected.templates[pictures.labels] * pictures.features).sum(dim=-1)
    names = inspected.classes.distinct()
    rows = [
        {
            "class": names[label],
            "part": "base" if label < inspected.known else "new",
            "pictures": int((pictures.labels == label).sum()),
            "reconstruction": made[pictures.labels == label].mean().item(),
            "template": plain[pictures.labels == label].mean().item(),
        }
        for label in pictures.labels.unique().tolist()
    ]
    means = means_by_part(rows, ("reconstruction", "template"))
    return {"by_class": rows, "means": means, "gap": inspected.vae.gap is not None}


# --- what is synthesized


def class_distances(made: Synthesized, pictures: Pictures, templates: Tensor) -> dict[str, Any]:
    """By class: how far the mean of synthesized features is from that of real ones, and how their covariances differ.

    Means by Euclidean distance, beside that of the template's text feature. Covariances by the Frobenius norm of
    their difference in parts of the real one's norm, and by the total variance (the trace) in parts of that.
    """
    names, rows = made.classes.distinct(), []
    for label in pictures.labels.unique().tolist():
        real, some = pictures.features[pictures.labels == label], made.of(label)
        centre = real.mean(dim=0)
        row = {
            "class": names[label],
            "part": made.part(label),
            "pictures": len(real),
            "mean": (some.mean(dim=0) - centre).norm().item(),
            "template": (templates[label] - centre).norm().item(),
            "covariance": None,
            "variance": None,
        }
        if len(real) > 1:
            ours, theirs = covariance(some), covariance(real)
            row["covariance"] = ((ours - theirs).norm() / theirs.norm()).item()
            row["variance"] = (ours.trace() / theirs.trace()).item()
        rows.append(row)
    return {"by_class": rows, "means": means_by_part(rows, ("mean", "template", "covariance", "variance"))}


def covariance(features: Tensor) -> Tensor:
    """Of features (N, D), (D, D), of the population."""
    return torch.cov(features.double().t(), correction=0)


def means_by_part(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> dict[str, dict[str, float | None]]:
    """Means over the classes of each half, {"base": {column: mean}, …}; None where there is nothing to average."""
    found = {}
    for part in ("base", "new"):
        mine = [row for row in rows if row["part"] == part]
        values = {name: [row[name] for row in mine if row[name] is not None] for name in columns}
        found[part] = {name: sum(some) / len(some) if some else None for name, some in values.items()}
    return found


@torch.no_grad()
def nearest_means(inspected: Inspected, made: Synthesized) -> dict[str, dict[str, Any]]:
    """By half: accuracy in % on real pictures of the nearest mean of synthesized features, among the half's classes.

    Beside it that of the template's text features, and of what the run has learned.
    """
    found, classifier = {}, inspected.trainer.classifier
    halves = {"base": range(made.known), "new": range(made.known, len(made.classes))}
    for part, labels in halves.items():
        rows = torch.nonzero((inspected.pictures.labels >= labels.start) & (inspected.pictures.labels < labels.stop))
        if len(labels) < 2 or not len(rows):
            continue
        pictures = inspected.pictures.of(rows.flatten())
        means = normalize(torch.stack([made.of(label).mean(dim=0) for label in labels]), dim=-1)
        true, templates = pictures.labels - labels.start, inspected.templates[labels.start : labels.stop]
        with classifier.among(made.classes.take(labels)):
            learned = classifier.predict(pictures.features)
        found[part] = {
            "classes": len(labels),
            "pictures": len(pictures),
            "synthesized": accuracy(pictures.features @ means.t(), true),
            "template": accuracy(pictures.features @ templates.t(), true),
            "learned": accuracy(learned, true),
        }
    return found


def accuracy(scores: Tensor, labels: Tensor) -> float:
    """In %, of scores (N, C)."""
    return 100 * (scores.argmax(dim=-1) == labels).double().mean().item()


def synthesis_map(made: Synthesized, pictures: Pictures, kind: str) -> dict[str, Any]:
    """Real features of some base and new classes beside synthesized ones of the same new classes."""
    there = pictures.labels.unique().tolist()
    base = chosen([label for label in there if label < made.known], CLASSES)
    new = chosen([label for label in there if label >= made.known], CLASSES)
    groups = []
    for title, features, labels, wanted in (
        ("real, base", pictures.features, pictures.labels, base),
        ("real, new", pictures.features, pictures.labels, new),
        ("synthesized", made.features, made.labels, new or base),
    ):
        rows = torch.isin(labels, torch.tensor(wanted, device=labels.device))
        if wanted:
            groups.append((title, features[rows], labels[rows]))
    return feature_map(groups, made.classes.distinct(), kind)


def contact_sheet(made: Synthesized, pictures: Pictures) -> dict[str, Any]:
    """The nearest real picture, by cosine, to some synthesized features of some classes that have pictures.

    `own_class` is the share in % of all synthesized features of such classes whose nearest picture is of their class.
    """
    names, there = made.classes.distinct(), pictures.labels.unique().tolist()
    new = [label for label in there if label >= made.known] or there
    rows = torch.isin(made.labels, torch.tensor(new, device=made.labels.device))
    nearest = nearest_pictures(made.features[rows], pictures)
    own = pictures.labels[nearest] == made.labels[rows]
    sheet = []
    for label in chosen(new, SHEET):
        places = nearest_pictures(made.of(label)[:ACROSS], pictures)
        sheet.append({"class": names[label], "pictures": shown(made.of(label)[:ACROSS], places, pictures, names)})
    return {"rows": sheet, "own_class": 100 * own.double().mean().item(), "classes": len(new), "features": len(own)}


def nearest_pictures(features: Tensor, pictures: Pictures) -> Tensor:
    """Rows (N,) of the pictures that are nearest to features (N, D) by cosine."""
    return torch.cat([(some @ pictures.features.t()).argmax(dim=-1) for some in features.split(AT_ONCE)])


def shown(features: Tensor, places: Tensor, pictures: Pictures, names: Sequence[str]) -> list[dict[str, Any]]:
    """Files, classes and cosines of the pictures in some places."""
    cosines = (features * pictures.features[places]).sum(dim=-1).tolist()
    return [
        {"path": pictures.paths[at], "class": names[int(pictures.labels[at])], "cosine": cosine}
        for at, cosine in zip(places.tolist(), cosines, strict=True)
    ]


@torch.no_grad()
def walk(
    inspected: Inspected, synthesizer: Synthesizer, pictures: Pictures, latent: dict[str, Any]
) -> dict[str, Any]:
    """One class, z = 0 but for one of the most active dimensions: the nearest real pictures on the way.

    `apart` is the cosine of the features at the two ends.
    """
    label = inspected.known if inspected.known < len(inspected.classes) else 0
    active = sorted(range(latent["dimensions"]), key=lambda one: -latent["variance"][one])[:DIMENSIONS]
    steps = torch.linspace(-REACH, REACH, STEPS)
    labels, rows = torch.full((STEPS,), label, device=synthesizer.device), []
    for dimension in active:
        noise = torch.zeros_like(synthesizer.noise(STEPS))
        noise[:, dimension] = steps.to(noise)
        features = synthesizer.write(noise, labels)
        places = nearest_pictures(features, pictures)
        rows.append(
            {
                "dimension": dimension,
                "variance": latent["variance"][dimension],
                "apart": (features[0] * features[-1]).sum().item(),
                "pictures": shown(features, places, pictures, inspected.classes.distinct()),
            }
        )
    return {"class": inspected.classes.distinct()[label], "steps": steps.tolist(), "rows": rows}
