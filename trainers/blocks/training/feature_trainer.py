"""FeatureTrainer: one training loop for all methods that work on features of a frozen CLIP."""

import math
import platform
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from dassl.data import DataManager
from dassl.data.data_manager import DatasetWrapper
from dassl.data.datasets import Datum
from dassl.data.transforms import build_transform
from dassl.optim import build_lr_scheduler, build_optimizer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, Subset
from yacs.config import CfgNode

from ..clip.backbone import Backbone, check_weights, load_backbone, stated_preprocessing
from ..clip.chunks import Chunks
from ..clip.class_names import check_class_names
from ..clip.precision import Precision, encodes_in_bf16
from ..clip.preprocessing import take_preprocessing
from ..clip.wording import Wording
from ..errors import InputError
from ..features.batches import (
    Batch,
    Batches,
    EncodeRows,
    Extract,
    FeatureBank,
    FullBatches,
    ImageFeatures,
    KeptWorkers,
)
from ..features.cache import FeatureCache, cache_folder, hash_of_weights
from ..features.devices import MANY, extractor, usable_devices
from ..methods import METHODS, FeatureClassifier
from ..run.checkpoints import load_state
from ..run.classes import Classes
from ..run.identity import code_version
from ..run.made_by import mark
from ..run.memory import memory_for
from ..run.progress import progress
from ..run.randomness import OwnView, RenewedView, own_random_numbers, restored_random_state
from ..run.results import EVALUATION, TRAINING, to_plain, versions
from . import gzsl
from .calibrating import chosen_penalty
from .evaluating import EvaluatingTrainer
from .keys import check_values
from .resumable import Loss, Stage

FEATURE_VERSIONS = ("torch", "torchvision", "pillow", "numpy", "dassl")  # what features' bits depend on
PLAIN_KEYS = ("SIZE", "INTERPOLATION", "PIXEL_MEAN", "PIXEL_STD", "NO_TRANSFORM")  # of INPUT, in the test's transform
PLAIN_STEPS = ("normalize", "instance_norm")  # of INPUT.TRANSFORMS, likewise
FILLED = 10  # batches' worth of views are encoded together, so that filling the last one up costs at most a tenth
SIZES = ("N_CTX", "REDUCTION", "VIEWS")  # keys by which methods grow, where they have them


class FeatureTrainer(EvaluatingTrainer):
    """Trains a FeatureClassifier on features of a frozen CLIP, with Dassl's hooks, lines and checkpoints.

    By its name a trainer finds its method in METHODS. One with a stage before the classifier's overrides `options`
    and `build_classifier`, and adds the stage to `before_train`.
    """

    @property
    def options(self) -> CfgNode:
        """The trainer's own keys: PREC, see precision.py; SCHEDULE_PER_STEP, ADAM_EPS and DROP_LAST may be there."""
        node = METHODS[self.cfg.TRAINER.NAME].node
        without_keys = CfgNode({"PREC": "fp16" if self.device.type == "cuda" else "fp32"})
        return self.cfg.TRAINER.get(node, without_keys)

    def build_classifier(self) -> FeatureClassifier:
        """The method's classifier, among the classes of the run's dataset that have training images."""
        if self.label_only and not METHODS[self.cfg.TRAINER.NAME].knows_new:
            raise InputError(
                f"{self.cfg.TRAINER.NAME} knows nothing of classes without images, and there are "
                f"{len(self.label_only)}: train SHIP on it (--trainer SHIP), which synthesizes their features."
            )
        return self.build_method(self.cfg.TRAINER.NAME)

    def build_method(self, name: str) -> FeatureClassifier:
        method, options = METHODS[name], self.cfg.TRAINER.get(METHODS[name].node, {})
        return method.of(self.backbone, self.known_classes, self.wording, **options)

    @cached_property
    def wording(self) -> Wording:
        """How the classes are put into words, by the configuration."""
        return Wording.configured(self.cfg.DATASET)

    @property
    def schedule_per_step(self) -> bool:
        return self.options.get("SCHEDULE_PER_STEP", False)

    @property
    def drop_last(self) -> bool:
        """Whether an epoch leaves out its incomplete last batch: as Dassl does, unless the method's keys say no."""
        return self.options.get("DROP_LAST", True)

    def learned(self) -> tuple[str, nn.Module | None]:
        """What a checkpoint holds, and the name of its folder."""
        return self.classifier.checkpoint_name, self.classifier.learned

    @property
    def sizes(self) -> tuple[str, ...]:
        """Keys that decide how large what is learned is."""
        node = METHODS[self.cfg.TRAINER.NAME].node
        return tuple(f"TRAINER.{node}.{name}" for name in SIZES if name in self.options)

    @property
    def step_sizes(self) -> tuple[str, ...]:
        """Keys that decide how much memory a step of the classifier's training takes."""
        return "DATALOADER.TRAIN_X.BATCH_SIZE", "TRAINER.TEXT_CHUNK", *self.sizes

    @property
    def made_by(self) -> dict[str, str]:
        """What a checkpoint must have been made by to be loaded here."""
        return {"method": self.method, **self.backbone.identity}

    @property
    def method(self) -> str:
        return self.cfg.TRAINER.NAME

    # --- construction, in the order in which Dassl calls it

    def check_cfg(self, cfg: CfgNode) -> None:
        check_values(cfg)
        check_weights(cfg.MODEL.BACKBONE.NAME)  # before the images are listed, which can take a while
        take_preprocessing(cfg, stated_preprocessing(cfg.MODEL.BACKBONE.NAME))

    def build_data_loader(self) -> None:
        untouched = None if self.cfg.TRAINER.FEATURES.AUGMENT else build_transform(self.cfg, is_train=False)
        # without workers random numbers are drawn as Dassl draws them; with some, independently of their number
        wrapper = self.own_views if self.cfg.DATALOADER.NUM_WORKERS else None
        with restored_random_state():  # few-shot samples are drawn in the first run only, and read in later ones
            self.dm = DataManager(self.cfg, custom_tfm_train=untouched, dataset_wrapper=wrapper)
        for key in ("LABEL_ONLY", "LONGTAIL"):
            if self.cfg.DATASET.get(key) and not hasattr(self.dm.dataset, "label_only"):
                raise InputError(f"The loader of {self.cfg.DATASET.NAME} does not know DATASET.{key}.")
        self.image_loader = self.train_loader_x = self.training_loader()
        self.train_loader_u, self.val_loader = self.dm.train_loader_u, self.dm.val_loader
        self.test_loader, self.lab2cname = self.dm.test_loader, self.dm.lab2cname
        self.num_classes, self.num_source_domains = self.dm.num_classes, self.dm.num_source_domains

    def training_loader(self) -> DataLoader:
        """Dassl's loader of training images, with workers that stay, and the last batch where the method keeps it."""
        loader = self.dm.train_loader_x
        return KeptWorkers(
            loader.dataset,
            loader.batch_size,
            sampler=loader.sampler,
            drop_last=loader.drop_last and self.drop_last,
            **self.loading(),
        )

    def loading(self) -> dict[str, Any]:
        """What all loaders of images have in common."""
        return {"num_workers": self.cfg.DATALOADER.NUM_WORKERS, "pin_memory": self.device.type == "cuda"}

    def own_views(self, cfg: CfgNode, data_source: list, transform: object = None, is_train: bool = False) -> Dataset:
        """Dassl's dataset of images; in training each has random numbers of its own."""
        images = DatasetWrapper(cfg, data_source, transform=transform, is_train=is_train)
        return RenewedView(images, self.seed) if is_train else images

    @property
    def seed(self) -> int:
        return max(self.cfg.SEED, 0)

    def build_model(self) -> None:
        self.begin(self.cfg.TRAINER.FEATURES.RESUME_EVERY)
        self.mode, self.code = EVALUATION, code_version()
        self._bank: FeatureBank | None = None
        self._evaluation_features: dict[str, Batch] = {}
        self.images: dict[str, Counter] = {}  # by what they are: encoded by this process, and read from the cache
        self.model_record: dict = {}  # results.json of the run whose model is evaluated
        self.held_out: dict = {}  # the penalty of calibrating.py, and where it comes from
        self.numerics = Precision(self.options.PREC, self.device, self.cfg.TRAINER.TF32)
        name = self.cfg.MODEL.BACKBONE.NAME
        print(f"Loading CLIP (backbone: {name})")
        with memory_for(f"the backbone {name}", self.cfg, "MODEL.BACKBONE.NAME"):
            self.backbone = self.load_backbone()
        print(f"Activation: {self.backbone.activation}")
        print(f"Text encoder: {self.backbone.text.path}")
        print(self.backbone.preprocessing.describe(self.cfg.INPUT))
        torch.backends.cudnn.benchmark = self.tries_convolutions()
        check_resolution(self.cfg, self.backbone)
        self.devices = usable_devices(self.cfg.TRAINER.FEATURES.DEVICES, self.device)
        self.backbone.image.in_bf16 = encodes_in_bf16(
            "TRAINER.FEATURES.IMAGE_PREC", self.cfg.TRAINER.FEATURES.IMAGE_PREC, self.device
        )
        if encodes_in_bf16("TRAINER.TEXT_PREC", self.cfg.TRAINER.TEXT_PREC, self.device):
            self.backbone.text.cast(torch.bfloat16)
            self.numerics.text = "bf16"
        self.backbone.text.chunks = Chunks.on(self.device, self.cfg.TRAINER.TEXT_CHUNK)
        if self.cfg.TRAINER.TEXT_GRAPHS and self.device.type == "cuda":
            self.backbone.text.use_graphs()
        print("Building custom CLIP")
        check_class_names(self.classes, self.backbone.tokenizer)
        self.wording.tell(self.classes)
        with memory_for(f"the model of {self.method}", self.cfg, *self.sizes):
            self.classifier = self.build_classifier()
            print("Turning off gradients in both the image and the text encoder")
            name, module = self.learned()
            if module is not None:
                mark(module, self.made_by)
                self.register_learned(name, module.to(self.device))

    def load_backbone(self) -> Backbone:
        model = self.cfg.MODEL.BACKBONE
        return load_backbone(model.NAME, self.numerics.name, self.device, model.ACTIVATION)

    def tries_convolutions(self) -> bool:
        """Whether cuDNN is to time its algorithms: where a tower is made of convolutions, and bits may differ."""
        bound = self.device.type != "cuda" or torch.are_deterministic_algorithms_enabled()
        return not bound and self.backbone.image.convolves

    def register_learned(self, name: str, module: nn.Module) -> None:
        """Registers what is learned, so that Dassl saves and resumes it with its optimizer and schedule."""
        trained = self.classifier.learned
        if self.cfg.MODEL.INIT_WEIGHTS:
            load_state(trained, Path(self.cfg.MODEL.INIT_WEIGHTS), self.backbone.identity)
            print(f"Starting from the weights in {self.cfg.MODEL.INIT_WEIGHTS}")
        options = self.cfg.OPTIM.clone()
        if self.schedule_per_step:
            options.defrost()
            options.MAX_EPOCH *= len(self.image_loader)
            options.WARMUP_EPOCH *= len(self.image_loader)
        self.optimizer = build_optimizer(trained, options)
        for group in self.optimizer.param_groups:
            if "eps" in group:  # Adam and its relatives; Dassl has no key for it
                group["eps"] = self.options.get("ADAM_EPS", group["eps"])
        self.scheduler = build_lr_scheduler(self.optimizer, options)
        self.register_model(name, module, self.optimizer, self.scheduler)

    # --- features

    @property
    def banked_views(self) -> int:
        """How many views of each training image are encoded once: one where nothing is augmented; 0 for none."""
        return self.cfg.TRAINER.FEATURES.VIEWS if self.cfg.TRAINER.FEATURES.AUGMENT else 1

    def feature_batches(self, batch_size: int | None = None) -> Batches:
        """Batches of training features, as the training loader has them; with a batch size, all of each epoch's."""
        loading = self.cfg.DATALOADER
        if self.banked_views:
            drop_last = self.drop_last and batch_size is None
            return self.bank().batches(batch_size or loading.TRAIN_X.BATCH_SIZE, drop_last)
        loader = self.image_loader
        if batch_size is not None:
            loader = KeptWorkers(loader.dataset, batch_size, shuffle=True, **self.loading())
        return ImageFeatures(self.backbone.encode_image, loader, self.device)

    def bank(self) -> FeatureBank:
        """The training images' views, encoded when first asked for."""
        if self._bank is None:
            self._bank = self.encode_views(self.banked_views)
        return self._bank

    def encode_views(self, views: int) -> FeatureBank:
        images = self.image_loader.dataset
        images = images.images if isinstance(images, OwnView) else images  # a bank's views have numbers of their own
        with self.clock("features"):
            if not self.cfg.TRAINER.FEATURES.AUGMENT:
                features, labels = self.plain_features(images, self.dm.dataset.train_x, "train")
                return FeatureBank(features[None], labels)
            with self.extractor(views * len(images)) as extract:
                at_once = max(1, FILLED * self.cfg.DATALOADER.TEST.BATCH_SIZE // len(images))
                return FeatureBank.of(extract, images, views, self.seed, at_once, self.cached_views)

    def plain_features(self, images: Dataset, items: Sequence[Datum], title: str) -> Batch:
        """Features (N, D) and labels (N,) of items as the test sees them, `images`; each image is encoded once."""

        def encode(rows: Sequence[int]) -> Batch:
            # a loader draws random numbers even where nothing is random
            with own_random_numbers(0), self.extractor(len(rows)) as extract:
                return extract(Subset(images, rows), title)

        return self.kept(title, "test", items, plain_view(self.cfg.INPUT), encode)

    def cached_views(self, views: range, encode: EncodeRows) -> Batch:
        """Augmented views of all training images, view by view; an image's place in the list decides on its own."""
        items = self.dm.dataset.train_x
        marks = [f"-{place}-{view}" for view in views for place in range(len(items))]
        about = {"input": to_plain(self.cfg.INPUT), "random": self.seed}
        return self.kept("views", "views", [*items] * len(views), about, encode, marks)

    def kept(
        self,
        title: str,
        what: str,
        items: Sequence[Datum],
        about: object,
        encode: EncodeRows,
        marks: Sequence[str] = (),
    ) -> Batch:
        """Features (N, D) and labels (N,) from the cache, or encoded; results.json has under the title how many."""
        encoded: list[int] = []

        def noted(rows: Sequence[int]) -> Batch:
            encoded.extend(rows)
            return encode(rows)

        batch = self.cache.batch(what, items, about, self.device, noted, marks)
        count = self.images.setdefault(title, Counter(encoded=0, read=0))
        count.update(encoded=len(encoded), read=len(items) - len(encoded))
        return batch

    def extractor(self, count: int) -> AbstractContextManager[Extract]:
        """What encodes images, so many in all: on the devices asked for; on all there are only if that pays."""
        pays, size = self.cfg.TRAINER.FEATURES.DEVICES or count >= MANY, self.cfg.DATALOADER.TEST.BATCH_SIZE
        devices = self.devices if pays else self.devices[:1]
        return extractor(FullBatches(self.backbone.image, size), devices, batch_size=size, **self.loading())

    @cached_property
    def cache(self) -> FeatureCache:
        """Features on disk, with all in the key that the bits of a feature depend on, but for what the view is.

        Precision is that of the weights, whose hash has their types: of PREC's names some have the same image tower.
        The number of threads is not in it, though it can decide the last bit: features are then those of the run that
        encoded them, and runs that share the cores otherwise encode nothing again.
        """
        place = {name: value for name, value in self.numerics.of_images.items() if name != "precision"}
        about = {
            "batch": self.cfg.DATALOADER.TEST.BATCH_SIZE,
            "weights": hash_of_weights(self.backbone.image.tower),
            "activation": self.backbone.activation,
            "bf16": self.backbone.image.in_bf16,
            "device": place,
            "cuda": self.bits_on_cuda,
            "versions": {name: version for name, version in versions().items() if name in FEATURE_VERSIONS},
            "machine": platform.machine(),
            **self.backbone.about,
        }
        return FeatureCache(cache_folder() if self.cfg.TRAINER.FEATURES.CACHE else None, self.cfg.DATASET.NAME, about)

    @property
    def bits_on_cuda(self) -> dict[str, object]:
        """What they depend on, as JSON; on a CPU nothing."""
        return what_decides_on_cuda() if self.device.type == "cuda" else {}

    def views(self, fresh: int) -> FeatureBank:
        """The banked views; where none are banked, `fresh` ones."""
        return self.bank() if self.banked_views else self.encode_views(fresh)

    def features_to_remember(self) -> Batch:
        """What the method remembers of the training images: features (N, D) and labels (N,), see `remember`."""
        views, apart = self.classifier.options.VIEWS, self.classifier.views_apart
        if views == 0:
            return self.plain_features(self.plain_images(), self.dm.dataset.train_x, "train")
        bank = self.views(views)
        if apart:
            return FeatureBank(bank.features[:views], bank.labels).pool()
        return F.normalize(bank.features.mean(dim=0), dim=-1), bank.labels

    @property
    def remembered_of_each(self) -> int:
        """How many features of an image the method remembers."""
        if not self.classifier.views_apart:
            return 1
        views = max(1, self.classifier.options.VIEWS)
        return min(views, self.banked_views) if self.banked_views else views

    def plain_images(self) -> Dataset:
        """The training images as the test sees images."""
        return DatasetWrapper(self.cfg, self.dm.dataset.train_x, transform=self.test_loader.dataset.transform)

    def evaluation_features(self, split: str) -> Batch:
        """Features (N, D) and labels (N,) of the validation or test images, encoded once in a run."""
        if split not in self._evaluation_features:
            images = (self.val_loader if split == "val" else self.test_loader).dataset
            items = self.dm.dataset.val if split == "val" else self.dm.dataset.test
            self._evaluation_features[split] = self.plain_features(images, items, split)
        return self._evaluation_features[split]

    # --- prediction

    def know(self, classes: Classes) -> None:
        """Classifies among these classes from now on, with what was learned; raises InputError where it cannot."""
        self.classifier.select(classes)

    # --- training

    def train(self) -> None:
        if self.classifier.learned is None:
            print(f"{self.cfg.TRAINER.NAME} has nothing to train")
            self.test()
            return
        self.mode = TRAINING
        if self.cfg.TRAINER.GZSL.CALIBRATION == gzsl.HELD_OUT:
            self.held_out = chosen_penalty(self)
        keys = ("DATALOADER.TEST.BATCH_SIZE", "DATALOADER.NUM_WORKERS", "TRAINER.FEATURES.VIEWS", "DATASET.NUM_SHOTS")
        with memory_for("the features of the training images", self.cfg, *keys):
            self.stoppable(self.train_stages)

    def train_stages(self) -> None:
        self.before_train()
        if self.classifier.remembers and self.start_epoch == 0:
            self.classifier.remember(*self.features_to_remember())
        self.run_stage(self.main_stage(), self.start_epoch, self.after_epoch)
        if isinstance(self.image_loader, KeptWorkers):
            self.image_loader.end()
        if not self.classifier.trains and self.start_epoch == 0:  # no epoch has left a checkpoint
            self.save_model(self.epoch, self.output_dir)
        self.after_train()

    def main_stage(self) -> Stage:
        """The classifier's training, whose epochs Dassl counts and checkpoints."""
        return Stage(
            title=self.cfg.TRAINER.NAME,
            batches=self.main_batches(),
            loss=self.main_loss(),
            optimizer=self.optimizer,
            scheduler=self.scheduler,
            epochs=self.cfg.OPTIM.MAX_EPOCH if self.classifier.trains else 0,
            per_step=self.schedule_per_step,
            sizes=self.step_sizes,
        )

    def main_batches(self) -> Batches:
        """What the classifier is trained on."""
        return self.classifier.training_batches(self.feature_batches())

    def main_loss(self) -> Loss:
        """What its training minimizes."""
        return self.classifier.loss

    def run_stage(self, stage: Stage, first: int = 0, after_epoch: Callable[[], None] = lambda: None) -> None:
        """Trains a stage from epoch `first` on, through Dassl's `run_epoch`."""
        self.stage, self.train_loader_x, self.max_epoch = stage, stage.batches, stage.epochs
        steps = len(stage.batches)
        with self.clock(stage.title), memory_for(f"a step of {stage.title}", self.cfg, *stage.sizes):
            first = self.resume_stage(stage, first)
            self.epoch = max(0, first - 1)
            with progress(stage.epochs * steps, stage.title, first * steps) as self.bar:
                for self.epoch in range(first, stage.epochs):
                    with self.stop.postponed():
                        self.renew_views()
                        self.before_epoch()
                        self.run_epoch()
                        after_epoch()
                        self.states.save(self.about(self.epoch + 1), self.state())

    def renew_views(self) -> None:
        """Gives the images of loader workers other views than in the epochs before."""
        images = self.image_loader.dataset
        if isinstance(images, RenewedView):
            images.key = (self.seed, int(self.stage.title == self.cfg.TRAINER.NAME), self.epoch)

    def forward_backward(self, batch: Batch) -> dict[str, float]:
        numbers = self.backbone.text.within_memory(lambda: self.gradients(batch))
        self.numerics.update(self.stage.optimizer)
        if self.stage.per_step or self.batch_idx + 1 == self.num_batches:
            self.stage.scheduler.step()
        self.bar.set_postfix(loss=f"{numbers['loss']:.4f}", refresh=False)
        self.bar.update()
        self.stop.check()
        return numbers

    def gradients(self, batch: Batch) -> dict[str, float]:
        """Has those of the stage's loss made; the numbers that a line shows."""
        with self.numerics.autocast():
            loss, summary = self.stage.loss(*batch)
        numbers = read_at_once({"loss": loss, **summary})
        if not math.isfinite(numbers["loss"]):
            raise self.diverged(loss, batch)
        self.numerics.backward(loss, self.stage.optimizer)
        return numbers

    def write_scalar(self, tag: str, scalar_value: float, global_step: int | None = None) -> None:
        """Gives each stage curves of its own, and stores what its last epoch came to, for results.json."""
        part, _, name = tag.partition("/")
        if part == "train":
            self.trained.setdefault(self.stage.title, {})[name] = float(scalar_value)
            if self.stage.title != self.cfg.TRAINER.NAME:
                tag = f"{self.stage.title}/{name}"
        super().write_scalar(tag, scalar_value, global_step)

    def get_current_lr(self, names=None) -> float:
        return self.stage.optimizer.param_groups[0]["lr"]


def what_decides_on_cuda() -> dict[str, object]:
    """What bits on a GPU depend on, beside the GPU and the precision, as JSON."""
    return {
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "tries": torch.backends.cudnn.benchmark,
        "deterministic": [torch.backends.cudnn.deterministic, torch.are_deterministic_algorithms_enabled()],
    }


def read_at_once(values: Mapping[str, Tensor | float]) -> dict[str, float]:
    """Tensors of one number each, and numbers, as numbers: a GPU is waited for once."""
    tensors = {name: value.detach().double().flatten() for name, value in values.items() if torch.is_tensor(value)}
    read = dict(zip(tensors, torch.cat(list(tensors.values())).cpu().tolist(), strict=True)) if tensors else {}
    return {name: read.get(name, value) for name, value in values.items()}


def plain_view(options: CfgNode) -> dict:
    """What of INPUT decides how the test sees an image, as JSON; the rest is for training alone."""
    steps = [step for step in options.TRANSFORMS if step in PLAIN_STEPS]
    return {"steps": steps, **{key: to_plain(options[key]) for key in PLAIN_KEYS}}


def check_resolution(cfg: CfgNode, backbone: Backbone) -> None:
    """Raises InputError where images would not have the size that the backbone takes."""
    if tuple(cfg.INPUT.SIZE) != (backbone.resolution, backbone.resolution):
        raise InputError(
            f"INPUT.SIZE is {tuple(cfg.INPUT.SIZE)}, but the backbone {cfg.MODEL.BACKBONE.NAME} takes images of "
            f"{backbone.resolution} by {backbone.resolution}: set INPUT.SIZE "
            f'"({backbone.resolution}, {backbone.resolution})" or choose another backbone.'
        )
