"""What a method is: a classifier of features with its keys, its loss, and its name among the others.

A method is one file in this folder: a subclass of FeatureClassifier under @method. From it follow the registered
trainer, TRAINER.<node> with defaults and checks, SHIP on it, its checkpoints and its place in docs/configuration.md.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

import torch
from dassl.metrics import compute_accuracy
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from yacs.config import CfgNode

from ..clip.backbone import Backbone
from ..clip.precision import PRECISIONS
from ..clip.prompts import IMAGENET_TEMPLATES
from ..clip.wording import Wording
from ..features.batches import Batches
from ..keys import Key, Keys, defaults, one_of
from ..run.classes import ByClasses, Classes

Loss = tuple[Tensor, dict[str, Tensor | float]]  # the loss, and what a training line shows beside it
FAMILIES = ("zero-shot", "prompts", "adapters", "linear", "closed_form")  # in the order of tables
METHODS: dict[str, type["FeatureClassifier"]] = {}  # by the name of the trainer
PREC = Key("fp16", one_of(*PRECISIONS), "numeric precision; without a GPU fp32 stands in for fp16, amp and mixed")


def method(name: str, family: str, year: int, node: str = "") -> Callable[[type], type]:
    """Registers a FeatureClassifier: the trainer's name, one of FAMILIES, and the year of its first publication.

    `node` is the section of its keys under TRAINER; by default the name in capitals.
    """

    def register(cls: type["FeatureClassifier"]) -> type["FeatureClassifier"]:
        cls.name, cls.family, cls.year, cls.node = name, family, year, node or name.upper()
        METHODS[name] = cls
        return cls

    return register


class FeatureClassifier(nn.Module):
    """Classifies L2-normalized image features (B, D) among the classes chosen by `select`.

    `learned` is what is trained and stored, under the folder `checkpoint_name`; None where nothing is. Names in it
    are upstream's where there is an upstream, so that checkpoints can be exchanged. With SHIP, features synthesized
    for classes without images go through `loss` beside real ones, and into `remember` where a method has it.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    year: ClassVar[int]
    node: ClassVar[str]
    keys: ClassVar[Keys] = {}
    checkpoint_name: ClassVar[str] = ""
    remembers: ClassVar[bool] = False  # whether training starts with `remember`
    views_apart: ClassVar[bool] = False  # whether `remember` gets an image's views one by one, and not their mean
    trains: ClassVar[bool] = True  # whether training takes steps; without, there is nothing for SHIP to fine-tune
    shots: int = 0  # features that it keeps of each class, for methods in which classes can be lacking
    knows_new: ClassVar[bool] = True  # whether it can say anything about classes that it has seen no image of

    learned: nn.Module | None

    def __init__(
        self, options: CfgNode, backbone: Backbone, classnames: Sequence[str], dataset: str | Wording
    ) -> None:
        """`options` has the method's keys; `dataset` is a name in the registry, or what a run says instead.

        The classes are those of the training images; what follows from them is made in `classes_changed`.
        """
        super().__init__()
        self.options, self.backbone, self.learned = options, backbone, None
        self.wording = Wording.of(dataset)
        self.classes = Classes(())
        self._templates = ByClasses()  # their text features

    @classmethod
    def of(
        cls, backbone: Backbone, classnames: Sequence[str], dataset: str | Wording = "", **options: object
    ) -> "FeatureClassifier":
        """The method among these classes, with its keys' defaults but for those given."""
        values = defaults(cls.keys)
        values.update(options)
        made = cls(values, backbone, classnames, dataset)
        made.select(classnames)
        return made

    @property
    def classnames(self) -> list[str]:
        """Names of the classes that it classifies among."""
        return list(self.classes)

    def select(self, classnames: Sequence[str]) -> None:
        """Classifies among these classes from now on, in this order; Classes tell those of one name apart.

        Raises InputError naming classes that the learned state would have to know and does not.
        """
        classes = Classes.of(classnames)
        if self.classes != classes:
            self.classes_changed(classes)
            self.classes = classes

    @contextmanager
    def among(self, classnames: Sequence[str]) -> Iterator[None]:
        """Classifies among these classes for a while."""
        before = self.classes
        self.select(classnames)
        try:
            yield
        finally:  # a step whose memory is out is taken again
            self.select(before)

    def classes_changed(self, classnames: Sequence[str]) -> None:
        """Makes ready for other classes than before; the first ones too."""
        raise NotImplementedError

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, D) to logits (B, C)."""
        raise NotImplementedError

    def loss(self, features: Tensor, labels: Tensor) -> Loss:
        """What training minimizes, for features (B, D) and labels (B,)."""
        return cross_entropy_of(self(features), labels)

    def predict(self, features: Tensor) -> Tensor:
        """Logits (N, C) of any number of features, without gradients."""
        with torch.no_grad():
            return self(features)

    def remember(self, features: Tensor, labels: Tensor) -> None:
        """Takes in the training set's features (N, D) and labels (N,), for methods that keep or fit them.

        Of each image they are the mean of VIEWS (a key) views, or with `views_apart` each of these; VIEWS 0 is the
        view that the test has.
        """

    def training_batches(self, batches: Batches) -> Batches:
        """What training goes through, given batches of the training features; asked for once, when it begins.

        What SHIP synthesizes comes beside it. Batches of a bank of views have it as `bank`.
        """
        return batches

    def lacks(self, classnames: Sequence[str]) -> Classes:
        """Those of these classes that it cannot be asked about before `learn_more` has features of them."""
        return Classes(())

    def learn_more(self, features: Tensor, labels: Tensor, classnames: Sequence[str]) -> None:
        """Takes in features (N, D) of such classes, after training; labels (N,) index their names."""

    def tune(self, features: Tensor, labels: Tensor) -> None:
        """Chooses what is chosen on validation features (N, D) and labels (N,), for methods that do."""

    def logits(self, features: Tensor, text_features: Tensor) -> Tensor:
        """CLIP's logits (B, C): scale · f · t_c, of features (B, D) and normalized text features (C, D)."""
        return self.backbone.logit_scale * features @ text_features.t()

    def template_features(self, classnames: Sequence[str]) -> Tensor:
        """Normalized text features (C, D) of the dataset's template, or of what the run has in its place."""
        return self._templates.of(classnames, lambda classes: self.wording.features(self.backbone, classes))

    def selected_features(self, classnames: Sequence[str]) -> Tensor:
        """The same; on ImageNet and its variants the mean over seven selected templates, normalized."""
        if not self.dataset.startswith("ImageNet") or self.wording.changed:
            return self.template_features(classnames)
        return self.backbone.text_features(classnames, IMAGENET_TEMPLATES)

    @property
    def dataset(self) -> str:
        """The dataset's name in the registry."""
        return self.wording.dataset


def cross_entropy_of(logits: Tensor, labels: Tensor) -> Loss:
    """Cross-entropy of logits (B, C), with the batch's accuracy in %."""
    return cross_entropy(logits, labels), {"acc": compute_accuracy(logits, labels)[0]}
