"""Training on features that are there already: the same trainer and loop, without a dataset or files of its own."""

import copy
from collections.abc import Callable, Sequence
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from dassl.utils import set_random_seed
from torch import Tensor
from yacs.config import CfgNode

from ..clip.backbone import Backbone
from ..features.batches import Batch, FeatureBank
from ..run.classes import Classes
from .feature_trainer import FeatureTrainer
from .without_dataset import WithoutDataset


class FromFeatures(WithoutDataset):
    """In front of a trainer's class: it trains on features (N, D) and labels (N,), and writes nothing."""

    given: tuple[Tensor, Tensor]
    known: Classes
    names: Classes  # of classes of which only the names are known
    shared: Backbone | None = None  # in fp32, what made the features

    def load_backbone(self) -> Backbone:
        """One with the weights of the shared one, where there is one, and not a copy of them for each trainer."""
        loaded = super().load_backbone()  # all the same: loading draws random numbers, and a run loads
        shares = self.shared is not None and self.numerics.name in ("fp32", "amp")
        return with_weights_of(self.shared) if shares else loaded

    def build_data_loader(self) -> None:
        features, labels = self.given
        classes = self.known + self.names
        items = [SimpleNamespace(label=int(label), classname=classes[int(label)], impath="") for label in labels]
        self.stand_in(classes, items, range(len(self.known), len(classes)))
        size = self.cfg.DATALOADER.TRAIN_X.BATCH_SIZE
        self.image_loader = self.train_loader_x = FeatureBank(features[None], labels).batches(size, self.drop_last)
        self.image_loader.dataset = None

    def bank(self) -> FeatureBank:
        features, labels = (part.to(self.device) for part in self.given)
        return FeatureBank(features[None], labels)

    def plain_images(self) -> None:
        """There are none."""

    def plain_features(self, *images: object) -> Batch:
        """In the place of those of the view that a test has."""
        return self.bank().pool()

    def before_train(self) -> None:
        """As always; but the folder that Dassl makes for curves is not left in the working directory."""
        with TemporaryDirectory() as folder:
            self.output_dir, output = folder, self.output_dir
            super().before_train()
            self.output_dir = output

    def stoppable(self, train: Callable[[], None]) -> None:
        """Signals are the caller's: Ctrl-C is a KeyboardInterrupt, as no state is left to go on from."""
        train()

    def init_writer(self, log_dir: str) -> None:
        pass

    def save_model(self, *args, **kwargs) -> None:
        pass

    def resume_model_if_exist(self, directory: str) -> int:
        return 0


def with_weights_of(backbone: Backbone) -> Backbone:
    """A backbone with the same tensors in modules of its own, on which a trainer can set what it computes with."""
    tensors = {id(tensor): tensor for tensor in (*backbone.parameters(), *backbone.buffers())}
    return copy.deepcopy(backbone, tensors)


def on_features(
    trainer: type[FeatureTrainer],
    cfg: CfgNode,
    features: Tensor,
    labels: Tensor,
    known: Sequence[str],
    names: Sequence[str] = (),
    **parts: object,
) -> FeatureTrainer:
    """A trainer with features (N, D) and labels (N,) of known classes, and other classes by name; `train` is next.

    It begins with the configuration's seed; `parts` are attributes and methods that stand for the trainer's own.
    """
    given = {"given": (features, labels), "known": Classes.of(known), "names": Classes.of(names), **parts}
    if cfg.SEED >= 0:
        set_random_seed(cfg.SEED)
    return type(trainer.__name__, (FromFeatures, trainer), given)(cfg)
