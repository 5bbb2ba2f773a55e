"""The few-shot methods as estimators in scikit-learn's manner, on features of a CLIP; and SHIP on any of them."""

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor
from yacs.config import CfgNode

from ..blocks.clip.class_names import first
from ..blocks.errors import InputError, did_you_mean
from ..blocks.methods import METHODS
from ..blocks.training.feature_trainer import FeatureTrainer
from ..blocks.training.from_features import on_features
from ..blocks.training.trainers import trainer_class
from ..ship import SHIP
from .clip import Clip
from .given import Features, check_width, names_of, plain, sorted_classes
from .settings import base_config, checked, fitting, keys_of, run_keys
from .ship import Ship

TRAINING = ("optimizer", "lr", "momentum", "weight_decay", "epochs", "batch_size")  # settings of Classifier


class FeatureEstimator(ClassifierMixin, BaseEstimator):
    """What estimators on features of `clip` share: input, and logits, probabilities and class names from it.

    Fitted, they have `classes_`, the class names in sorted order, `n_features_in_`, and `method_`, the method's
    trained module.
    """

    clip: Clip | None

    def _take(self, X: Features, y: Sequence[str]) -> tuple[Tensor, Tensor, list[str]]:
        """X (N, D) and labels (N,) as tensors, and the class names that these index, which are `classes_`."""
        if self.clip is None:
            raise InputError("clip is missing: give load_clip('ViT-B/16'), for instance.")
        X, y = validate_data(self, plain(X), y, dtype=np.float32)
        check_width(X.shape[1], self.clip.backbone)
        if y.dtype.kind == "f":
            check_classification_targets(y)  # which says what is wrong with numbers that are no classes
        self.classes_, labels = sorted_classes(y)
        return torch.tensor(X), labels, names_of(list(map(str, self.classes_)), self.clip.backbone)

    def _train(
        self, trainer: type[FeatureTrainer], cfg: CfgNode, verbose: bool, *given: object, **parts: object
    ) -> FeatureTrainer:
        """Trains on features, labels and class names; gives the trainer."""
        with fitting(verbose):
            trained = on_features(trainer, cfg, *given, shared=self.clip.backbone, **parts)
            if trained.classifier.learned is not None:
                trained.train()
        self.method_ = trained.classifier.eval()
        return trained

    def _logits(self, X: Features) -> Tensor:
        """(N, C), in fp64 on the CPU."""
        check_is_fitted(self, "method_")
        X = validate_data(self, plain(X), dtype=np.float32, reset=False)
        return self.method_.predict(torch.tensor(X, device=self.clip.backbone.device)).double().cpu()

    def decision_function(self, X: Features) -> np.ndarray:
        """Logits (N, C) in the order of `classes_`; of two classes (N,), by how much the second's is larger.

        Raises NotFittedError before `fit`.
        """
        logits = self._logits(X)
        return (logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits).numpy()

    def predict_proba(self, X: Features) -> np.ndarray:
        """Probabilities (N, C) in the order of `classes_`. Raises NotFittedError before `fit`."""
        return self._logits(X).softmax(dim=-1).numpy()

    def predict(self, X: Features) -> np.ndarray:
        """The likeliest class names (N,). Raises NotFittedError before `fit`."""
        best = self._logits(X).argmax(dim=-1).numpy()
        return self.classes_[best]


class Classifier(FeatureEstimator):
    """A method by its trainer's name, such as CoOp, CLIPAdapter or TipAdapterF, trained on features of `clip`.

    `template` is DATASET.TEMPLATE; `optimizer` to `epochs` are OPTIM's keys, with a cosine schedule after
    `warmup_epochs` at a learning rate of 1e-5, as CoOp's recipes have them; `options` are the method's own keys in
    small letters. `verbose` prints what train.py prints.

    >>> from ship_dassl import Classifier, load_clip
    >>> clip = load_clip("datasets/assets/shapes_clip.pt", device="cpu")
    >>> y = ["anchor", "kite"] * 4
    >>> X = clip.encode_text(y)  # put clip.encode_images(files) here
    >>> coop = Classifier(clip, "CoOp", epochs=2, batch_size=4, options={"n_ctx": 2}).fit(X, y)
    >>> coop.predict(X[:2]).tolist(), coop.score(X, y)
    (['anchor', 'kite'], 1.0)
    >>> coop.predict_proba(X).shape
    (8, 2)
    """

    def __init__(
        self,
        clip: Clip | None = None,
        method: str = "CoOp",
        template: str = "",
        optimizer: str = "sgd",
        lr: float = 0.002,
        momentum: float = 0.9,
        weight_decay: float = 5e-4,
        warmup_epochs: int = 0,
        epochs: int = 50,
        batch_size: int = 32,
        seed: int = 1,
        options: dict | None = None,
        verbose: bool = False,
    ) -> None:
        self.clip, self.method, self.template, self.options = clip, method, template, options
        self.optimizer, self.lr, self.momentum, self.weight_decay = optimizer, lr, momentum, weight_decay
        self.warmup_epochs, self.epochs, self.batch_size = warmup_epochs, epochs, batch_size
        self.seed, self.verbose = seed, verbose

    def keys(self) -> dict[str, object]:
        """The settings as keys of the configuration; raises InputError for a method or option that is not known."""
        if self.method not in METHODS:
            raise InputError(f"There is no method {self.method!r}.{did_you_mean(self.method, METHODS)}")
        known, node = base_config().TRAINER, METHODS[self.method].node
        settings = {name: getattr(self, name) for name in TRAINING} | (self.options or {})
        keys = keys_of(settings, f"TRAINER.{node}", "OPTIM", "DATALOADER.TRAIN_X.BATCH_SIZE", known.get(node, {}))
        warmup = {"OPTIM.WARMUP_EPOCH": self.warmup_epochs or -1, "OPTIM.WARMUP_TYPE": "constant"}
        precision = {f"TRAINER.{node}.PREC": "fp32"} if "PREC" in known.get(node, {}) else {}
        return {"OPTIM.LR_SCHEDULER": "cosine", "DATASET.TEMPLATE": self.template, **warmup, **precision, **keys}

    def fit(self, X: Features, y: Sequence[str]) -> "Classifier":
        """Learns from L2-normalized features (N, D) and class names (N,), of which the prompts are made.

        Raises InputError, a ValueError, for settings that are not known or break their rule, for labels that are no
        class names, and for a single class; ValueError for features of another width than the CLIP's.
        """
        features, labels, names = self._take(X, y)
        if len(names) == 1:
            raise InputError(f"There is one class only: {names[0]}.")
        cfg = checked(base_config(**run_keys(self.clip, self.method, self.seed) | self.keys()))
        self._train(trainer_class(self.method), cfg, self.verbose, features, labels, names)
        return self


class Synthesized(FeatureEstimator):
    """SHIP on a Classifier: it also knows `new_classnames`, classes without features, by what `ship` synthesizes.

    The method, its settings and the seed are those of `classifier`, which is not fitted itself; nor is `ship`. Where
    that is fitted its PromptVAE is taken; else stage 1 comes first, on the same features, as in a run of train.py.
    `classes_` are all that it knows; `ship_` is the fitted Ship.

    >>> from ship_dassl import Classifier, Ship, Synthesized, load_clip
    >>> clip = load_clip("datasets/assets/shapes_clip.pt", device="cpu")
    >>> y = ["anchor", "kite"] * 4
    >>> X = clip.encode_text(y)
    >>> coop, ship = Classifier(clip, "CoOp", epochs=2, batch_size=4), Ship(clip, epochs=2, latent_dim=16)
    >>> both = Synthesized(coop, ship, ["vase"]).fit(X, y)
    >>> both.classes_.tolist()
    ['anchor', 'kite', 'vase']
    >>> both.predict(both.ship_.synthesize(["vase"], per_class=2)).shape
    (2,)
    """

    def __init__(
        self, classifier: Classifier | None = None, ship: Ship | None = None, new_classnames: Sequence[str] = ()
    ) -> None:
        self.classifier, self.ship, self.new_classnames = classifier, ship, new_classnames

    @property
    def clip(self) -> Clip | None:
        """The classifier's."""
        return self.classifier and self.classifier.clip

    def fit(self, X: Features, y: Sequence[str]) -> "Synthesized":
        """Learns from L2-normalized features (N, D) and class names (N,), and from features that it synthesizes.

        Raises InputError, a ValueError, where Classifier does, for new names that are also in y, and for a `ship` on
        another CLIP. One class in y is enough.
        """
        features, labels, known = self._take(X, y)
        new = self._new_names(known)
        base, ship = self.classifier, self._own_ship()
        keys = {**base.keys(), **ship.keys(), "TRAINER.SHIP.CLASSIFIER": base.method}
        cfg = checked(base_config(**run_keys(self.clip, "SHIP", base.seed) | keys))
        parts = {}
        if hasattr(self.ship, "vae_"):
            state = self.ship.vae_.state_dict()
            parts["first_stage"] = lambda trainer: trainer.vae.load_state_dict(state)
        trained = self._train(SHIP, cfg, base.verbose, features, labels, known, new, **parts)
        self.ship_ = ship.hold(trained.vae, known)
        self.classes_ = np.array(sorted([*known, *new]))
        self.method_.select(self.classes_.tolist())
        return self

    def _new_names(self, known: list[str]) -> list[str]:
        """`new_classnames`, which should be others than the known ones."""
        new = names_of(self.new_classnames, self.clip.backbone)
        both = sorted(set(known) & set(new))
        if both:
            raise InputError(f"new_classnames should be classes without features, and y has {first(both)}.")
        return new

    def _own_ship(self) -> Ship:
        """One to be fitted here."""
        if self.ship is None:
            raise InputError("ship is missing: Synthesized(classifier, Ship(clip), new_classnames).")
        one, other = (clip.backbone.identity for clip in (self.ship.clip, self.clip))
        if one["backbone"] != other["backbone"]:
            raise InputError(f"ship is on {one['backbone_name']}, and classifier on {other['backbone_name']}.")
        return clone(self.ship)
