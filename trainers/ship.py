"""SHIP: Synthesized Prompts (Wang et al., ICCV 2023), on any FeatureClassifier.

Stage 1 trains a PromptVAE on the base classes. Stage 2 trains the classifier on real base features and on features
synthesized for the new classes' names. No image of a new class is opened; the last epoch is what is evaluated.
"""

import torch
from dassl.engine import TRAINER_REGISTRY
from dassl.metrics import compute_accuracy
from dassl.optim import build_lr_scheduler, build_optimizer
from torch import Tensor, nn
from torch.nn import functional as F
from yacs.config import CfgNode

from .blocks import feature_trainer
from .blocks.classifiers import FeatureClassifier
from .blocks.errors import InputError
from .blocks.feature_trainer import FeatureTrainer, Stage
from .blocks.features import Batch
from .blocks.prompt_vae import PromptVAE, active_units, kl_divergence, reconstruction_loss, reparameterize
from .blocks.synthesis import Synthesizer, new_classnames

CLASSIFIERS = ("CoOp", "CoCoOp", "CLIPAdapter", "TipAdapterF")  # the methods that stage 2 can train


def extend_cfg(cfg: CfgNode) -> None:
    """Adds TRAINER.SHIP; defaults are the paper's. OPTIM and the classifier's own keys are stage 2's."""
    feature_trainer.extend_cfg(cfg)
    cfg.TRAINER.SHIP = CfgNode()
    cfg.TRAINER.SHIP.CLASSIFIER = "CoOp"  # the method that stage 2 trains, with its own keys (TRAINER.COOP)
    cfg.TRAINER.SHIP.PREC = "fp16"  # fp16, fp32, amp, bf16
    cfg.TRAINER.SHIP.N_CTX = 4  # M: context tokens of the prompts that the VAE writes
    cfg.TRAINER.SHIP.ENCODER_DIM = 2048  # H_e: hidden units of the encoder
    cfg.TRAINER.SHIP.GENERATOR_DIM = 4096  # H_g: hidden units of the generator
    cfg.TRAINER.SHIP.GENERATOR_SLOPE = 0.0  # of its LeakyReLU; 0 is ReLU
    cfg.TRAINER.SHIP.KL_WEIGHT = 1.0  # weight of the KL divergence in stage 1's loss
    cfg.TRAINER.SHIP.BATCH_SIZE = 256  # of stage 1; stage 2's is DATALOADER.TRAIN_X.BATCH_SIZE
    cfg.TRAINER.SHIP.SCHEDULE_PER_STEP = True  # stage 2's learning rate changes with each step, not each epoch
    cfg.TRAINER.SHIP.ADAM_EPS = 1e-8  # of Adam and its relatives in stage 2
    cfg.TRAINER.SHIP.OPTIM = cfg.OPTIM.clone()  # stage 1's optimizer and schedule, with the keys of OPTIM
    cfg.TRAINER.SHIP.OPTIM.NAME = "adamw"
    cfg.TRAINER.SHIP.OPTIM.LR = 1e-3
    cfg.TRAINER.SHIP.OPTIM.WEIGHT_DECAY = 0.01  # PyTorch's default for AdamW; the paper names none
    cfg.TRAINER.SHIP.OPTIM.MAX_EPOCH = 50


@TRAINER_REGISTRY.register()
class SHIP(FeatureTrainer):
    @property
    def options(self) -> CfgNode:
        return self.cfg.TRAINER.SHIP

    def check_cfg(self, cfg: CfgNode) -> None:
        if cfg.TRAINER.SHIP.CLASSIFIER not in CLASSIFIERS:
            raise InputError(
                f"TRAINER.SHIP.CLASSIFIER is {cfg.TRAINER.SHIP.CLASSIFIER!r}; it can be {', '.join(CLASSIFIERS)}."
            )

    def build_classifier(self) -> FeatureClassifier:
        self.vae = PromptVAE(
            self.backbone.feature_dim,
            self.backbone.text.width,
            self.options.N_CTX,
            self.options.ENCODER_DIM,
            self.options.GENERATOR_DIM,
            self.options.GENERATOR_SLOPE,
        )
        return self.build_method(self.options.CLASSIFIER)

    def learned(self) -> tuple[str, nn.Module]:
        """One checkpoint holds both stages."""
        name, module = super().learned()
        return "ship", nn.ModuleDict({"prompt_vae": self.vae, name: module})

    def before_train(self) -> None:
        super().before_train()
        base = self.dm.dataset.classnames
        new = new_classnames(self.cfg, base)
        if self.start_epoch == 0:  # else the checkpoint that is resumed from holds what stage 1 learned
            self.writer = Synthesizer(self.vae, self.backbone, base)
            self.run_stage(self.vae_stage())
        self.vae.requires_grad_(False)
        self.synthesizer = Synthesizer(self.vae, self.backbone, new)
        self.classifier.select([*base, *new])

    def mean_features(self) -> Batch:
        """Adds to the base images' features as many synthesized ones of each new class as there are shots."""
        features, labels = super().mean_features()
        shots, classes = self.cfg.DATASET.NUM_SHOTS, len(self.synthesizer.classnames)
        each = shots if shots > 0 else len(labels) // self.num_classes
        new_labels = torch.arange(classes, device=self.device).repeat_interleave(each)
        made = self.synthesizer.of(new_labels)
        return torch.cat([features, made]), torch.cat([labels, new_labels + self.num_classes])

    def vae_stage(self) -> Stage:
        options = self.options
        optimizer = build_optimizer(self.vae, options.OPTIM)
        return Stage(
            title="PromptVAE",
            batches=self.feature_batches(options.BATCH_SIZE),
            loss=self.vae_loss,
            optimizer=optimizer,
            scheduler=build_lr_scheduler(optimizer, options.OPTIM),
            epochs=options.OPTIM.MAX_EPOCH,
        )

    def vae_loss(self, features: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Stage 1: reconstruction + KL_WEIGHT · KL (the negative evidence lower bound)."""
        mean, log_var = self.vae.encode(features)
        reconstruction = reconstruction_loss(self.writer(reparameterize(mean, log_var), labels), features)
        kl = kl_divergence(mean, log_var)
        summary = {"rec": reconstruction.item(), "kl": kl.item(), "active": active_units(mean).item()}
        return reconstruction + self.options.KL_WEIGHT * kl, summary

    def classification_loss(self, features: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Stage 2: cross-entropy over real features and as many synthesized ones, among base and new classes."""
        synthesized, new_labels = self.synthesizer.sample(len(features))
        logits = self.classifier(torch.cat([features, synthesized]))
        targets = torch.cat([labels, new_labels + self.num_classes])
        halves = zip(logits.split(len(features)), targets.split(len(features)), strict=True)
        real, made = (compute_accuracy(*half)[0].item() for half in halves)
        return F.cross_entropy(logits, targets), {"acc": real, "acc_syn": made}
