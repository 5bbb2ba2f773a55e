"""What a method is: a classifier of features with its keys, its loss, and its name among the others.

A method is one file in this folder: a subclass of FeatureClassifier under @method. From it follow the registered
trainer, TRAINER.<node> with defaults and checks, SHIP on it, its checkpoints and its place in docs/configuration.md.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar, Self

import torch
from dassl.metrics import compute_accuracy
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from yacs.config import CfgNode

from ..clip.backbone import Backbone
from ..clip.precision import PRECISIONS
from ..clip.prompts import template_of
from ..keys import Key, Keys, defaults, one_of
from ..run.classes import Classes

Loss = tuple[Tensor, dict[str, Tensor | float]]  # the loss, and what a training line shows beside it
FAMILIES = ("zero-shot", "prompts", "adapters", "linear", "closed form")  # in the order of tables
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
    trains: ClassVar[bool] = True  # whether training takes steps; without, there is nothing for SHIP to fine-tune
    knows_new: ClassVar[bool] = True  # whether it can say anything about classes that it has seen no image of

    learned: nn.Module | None

    def __init__(self, options: CfgNode, backbone: Backbone, classnames: Sequence[str], dataset: str) -> None:
        """`options` has the method's keys; `dataset` is a name in the registry, which decides the template.

        The classes are those of the training images; what follows from them is made in `classes_changed`.
        """
        super().__init__()
        self.options, self.backbone, self.dataset, self.learned = options, backbone, dataset, None
        self.classes = Classes(())

    @classmethod
    def of(cls, backbone: Backbone, classnames: Sequence[str], dataset: str = "", **options: object) -> Self:
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
        """Takes in the training set's features (N, D) and labels (N,), for methods that keep them."""

    def tune(self, features: Tensor, labels: Tensor) -> None:
        """Chooses what is chosen on validation features (N, D) and labels (N,), for methods that do."""

    def logits(self, features: Tensor, text_features: Tensor) -> Tensor:
        """CLIP's logits (B, C): scale · f · t_c, of features (B, D) and normalized text features (C, D)."""
        return self.backbone.logit_scale * features @ text_features.t()

    def template_features(self, classnames: Sequence[str]) -> Tensor:
        """Normalized text features (C, D) of the dataset's template."""
        return self.backbone.text_features(classnames, [template_of(self.dataset)])


def cross_entropy_of(logits: Tensor, labels: Tensor) -> Loss:
    """Cross-entropy of logits (B, C), with the batch's accuracy in %."""
    return cross_entropy(logits, labels), {"acc": compute_accuracy(logits, labels)[0]}
