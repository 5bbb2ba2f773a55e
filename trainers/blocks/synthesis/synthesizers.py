"""Class names to synthesized features: SHIP's way, and the controls that it is compared with."""

import io
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from typing import TypeVar

import torch
from dassl.data.datasets import DatasetBase, build_dataset
from torch import Tensor
from torch.nn.functional import normalize

from ..clip.backbone import Backbone
from ..clip.products import fast_products
from ..clip.prompts import ClassSuffixes
from ..clip.wording import Wording
from ..errors import InputError
from ..features.batches import Batch, Batches
from ..run.classes import Classes
from .prompt_vae import PromptVAE


class Synthesizer(ABC):
    """Features of classes of which only the names are known."""

    needs_training = False  # whether stage 1 comes first

    def __init__(self, classnames: Sequence[str], device: torch.device) -> None:
        self.classnames, self.device = list(classnames), device
        self.shares: Tensor | None = None  # of the classes (C,), on the CPU, in any unit; None: all alike

    @abstractmethod
    def noise(self, count: int) -> Tensor:
        """What is drawn at random for `count` features: (B, …)."""

    @abstractmethod
    def write(self, noise: Tensor, labels: Tensor) -> Tensor:
        """L2-normalized features (B, D) of noise and labels (B,), which index the class names; without gradients."""

    def random_labels(self, count: int) -> Tensor:
        """Labels (B,), drawn uniformly or by `shares`."""
        if self.shares is not None:
            drawn = torch.multinomial(self.shares.float(), count, replacement=True)  # a GPU's is not deterministic
            return drawn.to(self.device, non_blocking=True)
        return torch.randint(len(self.classnames), (count,), device=self.device)

    def sample(self, labels: Tensor) -> Tensor:
        """L2-normalized features (B, D) of labels (B,)."""
        return self.write(self.noise(len(labels)), labels)


class VAESynthesizer(Synthesizer):
    """SHIP: z ~ N(0, I); the VAE writes a prompt, and CLIP's text encoder makes a feature of it.

    The prompt is [SOS] (c_1 + r) … (c_M + r) [class name] [.] [EOT], r the generator's bias for the latent.
    """

    needs_training = True

    def __init__(self, vae: PromptVAE, backbone: Backbone, classnames: Sequence[str]) -> None:
        super().__init__(classnames, backbone.device)
        self.vae, self.backbone = vae, backbone
        n_ctx = len(vae.ctx)
        self.suffixes = ClassSuffixes.of(
            backbone.text, classnames, " ".join([backbone.tokenizer.filler] * n_ctx), n_ctx
        )

    def __call__(self, z: Tensor, labels: Tensor) -> Tensor:
        """Latents (B, Z) and labels (B,) to L2-normalized features (B, D), with gradients."""
        with fast_products(z.device):  # the generator's, once it is frozen
            contexts = self.vae.contexts(z)
        return self.backbone.encode_prompts(*self.suffixes.after(contexts, labels))[0]

    def noise(self, count: int) -> Tensor:
        return torch.randn(count, self.vae.latent_dim, device=self.device)

    @torch.no_grad()
    def write(self, noise: Tensor, labels: Tensor) -> Tensor:
        return self(noise, labels)


class UntrainedSynthesizer(VAESynthesizer):
    """Control: the generator as it was initialized."""

    needs_training = False


class MeanSynthesizer(VAESynthesizer):
    """Control: z = 0, one feature for each class."""

    def noise(self, count: int) -> Tensor:
        return torch.zeros(count, self.vae.latent_dim, device=self.device)


class TextSynthesizer(Synthesizer):
    """Control: the text feature of the dataset's template stands in for features of images."""

    def __init__(self, backbone: Backbone, classnames: Sequence[str], wording: Wording) -> None:
        super().__init__(classnames, backbone.device)
        self.text_features = wording.features(backbone, classnames)

    def noise(self, count: int) -> Tensor:
        return torch.empty(count, 0, device=self.device)

    def write(self, noise: Tensor, labels: Tensor) -> Tensor:
        return self.text_features[labels]


class GaussianSynthesizer(TextSynthesizer):
    """Control: text feature plus normal noise with mean and covariance of the base classes' residuals (N, D).

    The noise is a weighted sum of centred residuals with weights N(0, 1 / (N − 1)): this has their covariance
    without the need to form it.
    """

    def __init__(self, backbone: Backbone, classnames: Sequence[str], wording: Wording, residuals: Tensor) -> None:
        super().__init__(backbone, classnames, wording)
        self.mean = residuals.mean(dim=0)
        self.factor = covariance_factor(residuals - self.mean)

    def noise(self, count: int) -> Tensor:
        return torch.randn(count, len(self.factor), device=self.device)

    def write(self, noise: Tensor, labels: Tensor) -> Tensor:
        return normalize(self.text_features[labels] + self.mean + noise @ self.factor, dim=-1)


def covariance_factor(centred: Tensor, means: int = 1) -> Tensor:
    """F (N, D) with FᵀF the covariance of features less their mean, or less the mean of their class, of several."""
    return centred / max(1, len(centred) - means) ** 0.5


Item = TypeVar("Item")


class SynthesizedBatches:
    """Batches of synthesized features alone, `ahead` features of which are made at once; 0: those of each step."""

    def __init__(self, synthesizer: Synthesizer, batch_size: int, steps: int, ahead: int = 0) -> None:
        self.synthesizer, self.batch_size, self.steps, self.ahead = synthesizer, batch_size, steps, ahead

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Batch]:
        for _, batch in made_ahead(
            self.synthesizer, ((None, self.batch_size) for _ in range(self.steps)), self.ahead
        ):
            yield batch


class MixedBatches:
    """Each batch of real features with `count` synthesized ones behind, `ratio` times as many as it has if that is 0.

    Labels of synthesized features start at `offset`; `ahead` of these are made at once, 0: those of each step.
    """

    def __init__(
        self,
        real: Batches,
        synthesizer: Synthesizer,
        offset: int,
        count: int = 0,
        ahead: int = 0,
        ratio: float = 1.0,
    ) -> None:
        self.real, self.synthesizer, self.offset, self.count, self.ahead = real, synthesizer, offset, count, ahead
        self.ratio = ratio

    def __len__(self) -> int:
        return len(self.real)

    def __iter__(self) -> Iterator[Batch]:
        real = ((batch, self.count or max(1, round(self.ratio * len(batch[0])))) for batch in self.real)
        for (features, labels), (made, made_labels) in made_ahead(self.synthesizer, real, self.ahead):
            yield torch.cat([features, made]), torch.cat([labels, made_labels + self.offset])


def made_ahead(
    synthesizer: Synthesizer, counted: Iterable[tuple[Item, int]], ahead: int
) -> Iterator[tuple[Item, Batch]]:
    """Each item with as many synthesized features and labels as it asks for, about `ahead` features made at once.

    Random numbers are drawn when an item comes, labels before noise, as if its features were made then: they do not
    depend on `ahead`.
    """
    waiting, count = [], 0
    for item, wanted in counted:
        labels = synthesizer.random_labels(wanted)
        waiting.append((item, synthesizer.noise(wanted), labels))
        count += wanted
        if count >= ahead:
            yield from made_together(synthesizer, waiting)
            waiting, count = [], 0
    yield from made_together(synthesizer, waiting)


def made_together(
    synthesizer: Synthesizer, waiting: Sequence[tuple[Item, Tensor, Tensor]]
) -> Iterator[tuple[Item, Batch]]:
    """Features and labels of (item, noise, labels), written in one go."""
    if waiting:
        items, noise, labels = zip(*waiting, strict=True)
        made = synthesizer.write(torch.cat(noise), torch.cat(labels)).split([len(some) for some in labels])
        yield from zip(items, zip(made, labels, strict=True), strict=True)


def classes_to_synthesize(cfg, dataset: DatasetBase, known: Classes) -> Classes:
    """The classes that stage 2 synthesizes features for, by DATASET.SUBSAMPLE_CLASSES and LABEL_ONLY.

    LABEL_ONLY: the classes of which only the names are known. base: the new classes, which the run's dataset keeps
    for evaluation. all: the known classes themselves, which then get synthesized features beside those of their
    images. Raises InputError where there are none.
    """
    subset = cfg.DATASET.SUBSAMPLE_CLASSES
    if subset == "all":
        named = getattr(dataset, "label_only", ())
        return Classes.of_dataset(dataset).take(named) if named else known
    if subset != "base":
        raise InputError(
            f"SHIP trains on the base classes or on all, and DATASET.SUBSAMPLE_CLASSES is {subset!r}: "
            "set it to base (the new classes' features are then synthesized) or to all."
        )
    found = new_classes(cfg, dataset)
    new = found.take([row for row, at in enumerate(known.find(found)) if at is None])
    if not new:
        raise InputError(f"There are no new classes to synthesize features for: {cfg.DATASET.NAME} has no others.")
    return new


def lacking(labels: Sequence[int], count: int) -> Tensor:
    """How many each of so many classes (C,) lacks to occur among the labels as often as that which does most."""
    there = torch.bincount(torch.tensor(labels), minlength=count)
    return there.max() - there


def new_classes(cfg, dataset: DatasetBase) -> Classes:
    """The new classes, where the dataset is of the base classes; reads lists at most, no image."""
    if hasattr(dataset, "left_out"):
        names, ids = zip(*dataset.left_out, strict=True) if dataset.left_out else ((), ())
        return Classes(names, ids, dataset.class_list)
    other = cfg.clone()  # a loader of another checkout: it is asked for the other half
    other.defrost()
    other.DATASET.SUBSAMPLE_CLASSES = "new"
    with redirect_stdout(io.StringIO()):  # what it says of that half would be taken for what is trained on
        return Classes.of_dataset(build_dataset(other))
