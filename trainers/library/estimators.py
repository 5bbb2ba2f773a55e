"""The few-shot methods as estimators in scikit-learn's manner, on features of a CLIP; and SHIP on any of them."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_array, check_is_fitted

from ..blocks.clip.class_names import check_class_names
from ..blocks.errors import InputError, did_you_mean
from ..blocks.methods import METHODS
from ..blocks.training.from_features import on_features
from ..blocks.training.trainers import trainer_of
from ..ship import SHIP
from .clip import Clip
from .settings import Features, base_config, checked, keys_of, quiet, run_keys
from .ship import Ship


class Classifier(ClassifierMixin, BaseEstimator):
    """A method by its trainer's name, such as CoOp, CLIPAdapter or TipAdapterF, trained on features of `clip`.

    `options` are the method's keys in small letters, {"n_ctx": 4}; `template` is DATASET.TEMPLATE. Labels are class
    names, from which the prompts are made.
    """

    def __init__(
        self,
        clip: Clip | None = None,
        method: str = "CoOp",
        template: str = "",
        optimizer: str = "sgd",
        lr: float = 0.002,
        epochs: int = 50,
        batch_size: int = 32,
        seed: int = 1,
        options: dict | None = None,
        verbose: bool = False,
    ) -> None:
        self.clip, self.method, self.template, self.options = clip, method, template, options
        self.optimizer, self.lr, self.epochs, self.batch_size = optimizer, lr, epochs, batch_size
        self.seed, self.verbose = seed, verbose

    def keys(self) -> dict[str, object]:
        """The settings as keys of the configuration; raises InputError for a method or option that is not known."""
        if self.method not in METHODS:
            raise InputError(f"There is no method {self.method!r}.{did_you_mean(self.method, METHODS)}")
        known, node = base_config().TRAINER, METHODS[self.method].node
        batch, optim = "DATALOADER.TRAIN_X.BATCH_SIZE", {"optimizer", "lr", "epochs", "batch_size"}
        settings = {name: getattr(self, name) for name in sorted(optim)} | (self.options or {})
        keys = keys_of(settings, f"TRAINER.{node}", "OPTIM", batch, known.get(node, {}))
        cosine = {"OPTIM.LR_SCHEDULER": "cosine", "DATASET.TEMPLATE": self.template}
        precision = {f"TRAINER.{node}.PREC": "fp32"} if "PREC" in known.get(node, {}) else {}
        return {**cosine, **precision, **keys}

    def fit(self, X: Features, y: Sequence[str]) -> Self:
        """Learns from L2-normalized features (N, D) and class names (N,)."""
        features, labels = self._taken(X, y)
        cfg = checked(base_config(**run_keys(self.clip, self.method, self.seed) | self.keys()))
        with quiet(self.verbose):
            trainer = on_features(trainer_of(self.method), cfg, features, labels, self.classes_.tolist())
            self._trained(trainer)
        return self

    def _taken(self, X: Features, y: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """X and y as tensors (N, D) and (N,), and the classes in sorted order."""
        if self.clip is None:
            raise InputError("clip is missing: Classifier(load_clip('ViT-B/16'), 'CoOp')")
        features = self._features(X)
        y = np.asarray(y)
        if y.shape != (len(features),) or y.dtype.kind not in "UO":
            raise InputError(f"y should have a class name for each of {len(features)} features.")
        self.classes_, labels = np.unique(y.astype(str), return_inverse=True)
        if len(self.classes_) < 1 + (type(self) is Classifier):
            raise InputError(f"There is one class only: {self.classes_[0]}.")
        check_class_names(self.classes_.tolist(), self.clip.backbone.tokenizer)
        self.n_features_in_ = features.shape[1]
        return features, torch.from_numpy(labels)

    def _features(self, X: Features) -> torch.Tensor:
        features = torch.from_numpy(check_array(np.asarray(X), dtype=np.float32))
        if features.shape[1] != self.clip.feature_dim:
            raise ValueError(f"X has {features.shape[1]} features, but {self.clip.name} has {self.clip.feature_dim}.")
        return features

    def _trained(self, trainer) -> None:
        if trainer.classifier.learned is not None:
            trainer.train()
        trainer.set_model_mode("eval")
        self.trainer_ = trainer

    def decision_function(self, X: Features) -> np.ndarray:
        """Logits (N, C), in the order of classes_."""
        check_is_fitted(self, "trainer_")
        features = self._features(X).to(self.trainer_.device)
        return self.trainer_.classifier.predict(features).double().cpu().numpy()

    def predict_proba(self, X: Features) -> np.ndarray:
        """Probabilities (N, C), in the order of classes_."""
        return torch.from_numpy(self.decision_function(X)).softmax(dim=-1).numpy()

    def predict(self, X: Features) -> np.ndarray:
        """The likeliest class names (N,)."""
        best = self.decision_function(X).argmax(axis=1)
        return self.classes_[best]


class Synthesized(Classifier):
    """SHIP on a Classifier: it also knows classes of which only the names are given, by features that `ship` makes.

    Where `ship` is fitted its model is taken; where it is not, stage 1 comes first, on the same features.
    """

    def __init__(
        self, classifier: Classifier | None = None, ship: Ship | None = None, new_classnames: Sequence[str] = ()
    ) -> None:
        self.classifier, self.ship, self.new_classnames = classifier, ship, new_classnames

    @property
    def clip(self) -> Clip | None:
        return self.classifier and self.classifier.clip

    def fit(self, X: Features, y: Sequence[str]) -> Self:
        """Learns from L2-normalized features (N, D) and class names (N,), and from synthesized features."""
        features, labels = self._taken(X, y)
        known, new, base = self.classes_.tolist(), list(self.new_classnames), self.classifier
        both = sorted(set(known) & set(new))
        if both or not new:
            raise InputError(f"new_classnames is {new}; it should name classes of which y has no features.")
        check_class_names(new, self.clip.backbone.tokenizer)
        keys = {**base.keys(), **self.ship.keys(), "TRAINER.SHIP.CLASSIFIER": base.method}
        cfg = checked(base_config(**run_keys(self.clip, "SHIP", base.seed) | keys))
        parts = {}
        if hasattr(self.ship, "vae_"):
            state = self.ship.vae_.state_dict()
            parts["first_stage"] = lambda trainer: trainer.vae.load_state_dict(state)
        with quiet(base.verbose):
            self._trained(on_features(SHIP, cfg, features, labels, known, new, **parts))
        self.classes_ = np.array([*known, *new])
        return self
