"""SHIP: Synthesized Prompts (Wang et al., ICCV 2023), on any FeatureClassifier.

Stage 1 trains a PromptVAE on the base classes. Stage 2 trains the classifier on real base features and on features
synthesized for the new classes' names. No image of a new class is opened; the last epoch is what is evaluated.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from yacs.config import CfgNode

from .blocks.clip.class_names import check_class_names, first
from .blocks.engine import TRAINER_REGISTRY
from .blocks.errors import InputError
from .blocks.features.batches import Batch, Batches, RoundedBatches
from .blocks.features.cache import hash_of_tensors
from .blocks.methods import FeatureClassifier
from .blocks.run.checkpoints import load_state
from .blocks.run.classes import Classes
from .blocks.run.identity import to_plain
from .blocks.run.randomness import own_random_numbers, restored_random_state
from .blocks.run.results import versions
from .blocks.run.sources import source_checkpoint
from .blocks.synthesis.collapse import CollapseWatch
from .blocks.synthesis.kinds import OF_IMAGES, RESIDUAL, build, build_vae, needs_training
from .blocks.synthesis.losses import Pulled, SplitLoss
from .blocks.synthesis.prompt_vae import annealed, negative_elbo
from .blocks.synthesis.ship_keys import STAGE_TWO
from .blocks.synthesis.synthesizers import (
    MixedBatches,
    SynthesizedBatches,
    VAESynthesizer,
    classes_to_synthesize,
    lacking,
)
from .blocks.training.feature_trainer import FeatureTrainer, Stage
from .blocks.training.kept_stage import KeptStage
from .blocks.training.keys import extend_cfg
from .blocks.training.resumable import Loss

__all__ = ["SHIP", "extend_cfg"]

STAGE_ONE = "PromptVAE"
SIZES = tuple(f"TRAINER.SHIP.{name}" for name in ("LATENT_DIM", "ENCODER_DIM", "GENERATOR_DIM", "N_CTX"))


@TRAINER_REGISTRY.register()
class SHIP(FeatureTrainer):
    @property
    def options(self) -> CfgNode:
        return self.cfg.TRAINER.SHIP

    @property
    def sizes(self) -> tuple[str, ...]:
        return SIZES

    @property
    def step_sizes(self) -> tuple[str, ...]:
        return *super().step_sizes, "TRAINER.SHIP.SYNTHESIZED", "TRAINER.SHIP.AHEAD"

    @property
    def method(self) -> str:
        return f"SHIP on {self.options.CLASSIFIER}"

    def build_classifier(self) -> FeatureClassifier:
        self.vae = build_vae(self.options, self.backbone, self.wording.own[0])
        return self.build_method(self.options.CLASSIFIER)

    def learned(self) -> tuple[str, nn.Module]:
        """One checkpoint holds both stages."""
        name, module = super().learned()
        return "ship", nn.ModuleDict({"prompt_vae": self.vae, name: module})

    def before_train(self) -> None:
        super().before_train()
        self.choose_classes()  # before stage 1, so that names that do not fit are found early
        options = self.options
        if options.SOURCE:
            path = source_checkpoint(options.SOURCE)
            load_state(nn.ModuleDict({"prompt_vae": self.vae}), path, self.backbone.identity, whole=False)
            print(f"PromptVAE of {path}: features of all classes are synthesized, no image is trained on")
        elif needs_training(options.SYNTHESIS) and self.start_epoch == 0:  # else the checkpoint holds stage 1
            self.first_stage()
        self.vae.requires_grad_(False)

    def first_stage(self) -> None:
        self.writer = VAESynthesizer(self.vae, self.backbone, self.known_classes)
        stage, watch = self.vae_stage(), CollapseWatch()
        kept = self.kept_stage_one()
        if self.goes_on_with(stage) or not self.take(kept):
            self.run_stage(stage, after_epoch=lambda: watch.epoch(self.trained[STAGE_ONE]["kl"]))
            kept.keep(run=str(Path(self.output_dir).absolute()), trained=self.trained[STAGE_ONE])

    def kept_stage_one(self) -> KeptStage:
        """In the cache, where there is one and each epoch has the same features."""
        folder = self.cache.folder if self.banked_views else None
        return KeptStage(folder, STAGE_ONE, self.vae, folder and self.decides_stage_one())

    def decides_stage_one(self) -> dict:
        """What the VAE follows from beside its first weights and the random numbers, as JSON."""
        options = {key: value for key, value in to_plain(self.options).items() if key not in STAGE_TWO}
        centres, bank = self.text_features_subtracted(), self.bank()
        tensors = {"features": bank.features, "labels": bank.labels}
        if centres is not None:
            tensors["centres"] = centres
        return {
            "options": options,
            "residual": self.options.SYNTHESIS == RESIDUAL,
            "classes": self.known_classes.names,
            "backbone": [self.backbone.identity, self.backbone.activation],
            "text": [self.cfg.TRAINER.TEXT_CHUNK, self.cfg.TRAINER.TEXT_GRAPHS],
            "tensors": hash_of_tensors(tensors),
            "numerics": self.numerics.in_effect,
            "cuda": self.bits_on_cuda,
            "versions": versions(),
        }

    def take(self, kept: KeptStage) -> bool:
        """Takes the VAE as another run has trained it, where one has."""
        found = kept.take()
        if found is not None:
            self.trained[STAGE_ONE], self.taken[STAGE_ONE] = found["trained"], found["run"]
            numbers = " ".join(f"{name} {value:.4f}" for name, value in found["trained"].items() if name != "lr")
            print(f"{STAGE_ONE}: as in {found['run']}, from the same weights, features and random numbers")
            print(f"Its last epoch there: {numbers}")
        return found is not None

    def choose_classes(self) -> None:
        """Which classes features are synthesized for, and what the classifier is trained among."""
        known = self.classes if self.options.SOURCE else self.known_classes
        with restored_random_state():  # few-shot samples are drawn in the first run only, and read in later ones
            new = known if self.options.SOURCE else classes_to_synthesize(self.cfg, self.dm.dataset, known)
        check_class_names(new, self.backbone.tokenizer)
        every = known if new == known else known + new
        self.lacking = self.lacking_of(every)
        made = new if self.lacking is None else every
        self.synthesizer = build(self.options, made, known, self.vae, self.backbone, self.wording, self.views)
        if self.synthesizer is not None:
            self.synthesizer.shares = None if self.lacking is None else self.lacking.cpu()
        self.offset = 0 if len(made) == len(every) else len(known)  # label of the first class to synthesize for
        self.new = None if new == known else new
        self.classifier.select(every)

    def lacking_of(self, classes: Classes) -> Tensor | None:
        """How many images each of the classes (C,) lacks, where BALANCE is to make up for it; None: all get alike."""
        if not self.options.BALANCE or self.options.SOURCE:
            return None
        counts = lacking([item.label for item in self.dm.dataset.train_x], len(classes)).to(self.device)
        if not counts.any():
            print("TRAINER.SHIP.BALANCE: all classes have as many images, and get as many synthesized features")
            return None
        print(f"TRAINER.SHIP.BALANCE: {int((counts > 0).sum())} of {len(classes)} classes get synthesized features")
        return counts

    def features_to_remember(self) -> Batch:
        """The images' features, and synthesized ones, as many of a class as there are of one with images."""
        if self.synthesizer is None:
            return super().features_to_remember()
        shots = self.cfg.DATASET.NUM_SHOTS
        count = shots if shots > 0 else max(1, len(self.dm.dataset.train_x) // len(self.known_classes))
        counts = (count if self.lacking is None else self.lacking) * self.remembered_of_each
        labels = torch.arange(len(self.synthesizer.classnames), device=self.device).repeat_interleave(counts)
        made = self.synthesizer.sample(labels), labels + self.offset
        if self.options.SOURCE:
            return made
        return tuple(torch.cat(parts) for parts in zip(super().features_to_remember(), made, strict=True))

    def know(self, classes: Classes) -> None:
        """Synthesizes features for the classes that the classifier would need some of, as many of each as it has."""
        strangers = self.classifier.lacks(classes)
        if strangers:
            kind = self.options.SYNTHESIS
            if kind in OF_IMAGES:
                raise InputError(
                    f"Its synthesis (TRAINER.SHIP.SYNTHESIS {kind}) needs the training images, so that it cannot be "
                    f"asked about classes that it was not trained on: {first(list(strangers))}."
                )
            synthesizer = build(self.options, strangers, (), self.vae, self.backbone, self.wording, self.views)
            count = self.classifier.shots
            labels = torch.arange(len(strangers), device=self.device).repeat_interleave(count)
            with own_random_numbers(self.seed):
                self.classifier.learn_more(synthesizer.sample(labels), labels, strangers)
            print(f"Synthesized {count} features for each of {len(strangers)} classes: {first(list(strangers))}")
        super().know(classes)

    def tune(self) -> None:
        if not self.options.SOURCE:  # else no image of the dataset is looked at before the test
            super().tune()

    def vae_stage(self) -> Stage:
        batches = self.feature_batches(self.options.BATCH_SIZE)
        sizes = ("TRAINER.SHIP.BATCH_SIZE", "TRAINER.TEXT_CHUNK", *SIZES)
        return Stage.of(STAGE_ONE, batches, self.vae_loss, self.vae, self.options.OPTIM, sizes)

    def vae_loss(self, features: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, float]]:
        options = self.options
        weight = annealed(options.KL_WEIGHT, self.epoch, options.KL_ANNEAL)
        arguments = (self.vae, self.writer, features, labels, weight, options.FREE_BITS)
        if options.SYNTHESIS != RESIDUAL:
            return negative_elbo(*arguments)
        return negative_elbo(*arguments, self.text_features_subtracted(), options.LIKELIHOOD)

    def text_features_subtracted(self) -> Tensor | None:
        """Those of the known classes (C, D), where the encoder is told features less these."""
        options = self.options
        subtracts = options.SYNTHESIS == RESIDUAL and options.ENCODER == "residual"
        return self.synthesizer.known_text_features if subtracts else None

    def main_batches(self) -> Batches:
        """Stage 2's: real features and synthesized ones; with a SOURCE, as many steps of synthesized ones alone."""
        options = self.options
        if self.synthesizer is None:
            batches = super().main_batches()
        elif options.SOURCE:
            batch_size, steps = self.cfg.DATALOADER.TRAIN_X.BATCH_SIZE, len(self.image_loader)
            batches = SynthesizedBatches(self.synthesizer, batch_size, steps, options.AHEAD)
        else:
            ratio = 1.0 if self.lacking is None else int(self.lacking.sum()) / len(self.dm.dataset.train_x)
            numbers = (self.offset, options.SYNTHESIZED, options.AHEAD, ratio)
            batches = MixedBatches(super().main_batches(), self.synthesizer, *numbers)
        return RoundedBatches(batches) if options.ROUND_FEATURES else batches

    def main_loss(self) -> Loss:
        """Stage 2's: without real features (a SOURCE) or synthesized ones there is nothing to split."""
        options, classifier = self.options, self.classifier
        loss = Pulled(classifier, options.PULL) if options.PULL else classifier.loss
        if self.synthesizer is None:
            return self.among_known(loss)
        if options.LOSS == "joint" or options.SOURCE:
            return loss
        return SplitLoss(loss, classifier, self.known_classes, self.new, options.SYNTHESIZED)

    def among_known(self, loss: Loss) -> Loss:
        """The loss among the known classes alone, whatever classes a cache has been told of."""

        def minimized(features: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, float]]:
            with self.among_own_classes():
                return loss(features, labels)

        return minimized
