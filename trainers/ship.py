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
from .blocks.classifiers import METHODS, FeatureClassifier
from .blocks.errors import InputError
from .blocks.feature_trainer import FeatureTrainer, Stage
from .blocks.prompt_vae import PromptVAE, active_units, kl_divergence, reconstruction_loss, reparameterize
from .blocks.synthesis import Synthesizer, new_classnames


def extend_cfg(cfg: CfgNode) -> None:
    """Adds TRAINER.SHIP; defaults are the paper's. OPTIM and the classifier's own keys are stage 2's."""
    feature_trainer.extend_cfg(cfg)
    cfg.TRAINER.SHIP = CfgNode()
    cfg.TRAINER.SHIP.CLASSIFIER = "CoOp"  # the method that stage 2 trains, with its own keys (TRAINER.COOP)
    cfg.TRAINER.SHIP.PREC = "fp16"  # fp16, fp32, amp
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
    competing: list[str] = []  # the classes of stage 2, once they are known

    @property
    def schedule_per_step(self) -> bool:
        return self.cfg.TRAINER.SHIP.SCHEDULE_PER_STEP

    def check_cfg(self, cfg: CfgNode) -> None:
        if cfg.TRAINER.SHIP.CLASSIFIER not in METHODS:
            raise InputError(
                f"TRAINER.SHIP.CLASSIFIER is {cfg.TRAINER.SHIP.CLASSIFIER!r}; it can be {', '.join(METHODS)}."
            )

    def precision(self) -> str:
        return self.cfg.TRAINER.SHIP.PREC

    def build_classifier(self) -> FeatureClassifier:
        options = self.cfg.TRAINER.SHIP
        self.vae = PromptVAE(
            self.backbone.feature_dim,
            self.backbone.text.width,
            options.N_CTX,
            options.ENCODER_DIM,
            options.GENERATOR_DIM,
            options.GENERATOR_SLOPE,
        ).to(self.device)
        return METHODS[options.CLASSIFIER](self.cfg, self.backbone, self.dm.dataset.classnames)

    def learned(self) -> tuple[str, nn.Module]:
        """One checkpoint holds both stages."""
        name, module = super().learned()
        return "ship", nn.ModuleDict({"prompt_vae": self.vae, name: module})

    def register_learned(self, name: str, module: nn.Module) -> None:
        super().register_learned(name, module)
        for group in self.optimizer.param_groups:
            if "eps" in group:
                group["eps"] = self.cfg.TRAINER.SHIP.ADAM_EPS

    def before_train(self) -> None:
        super().before_train()
        base = self.dm.dataset.classnames
        new = new_classnames(self.cfg, base)
        if self.start_epoch == 0:  # else the checkpoint that is resumed from holds what stage 1 learned
            self.writer = Synthesizer(self.vae, self.backbone, base)
            self.run_stage(self.vae_stage())
        self.vae.requires_grad_(False)
        self.synthesizer = Synthesizer(self.vae, self.backbone, new)
        self.competing = [*base, *new]
        self.classifier.select(self.competing)

    def test(self, split: str | None = None) -> float:
        """Evaluates among the dataset's classes; training, if there is more, goes on among base and new ones."""
        self.classifier.select(self.dm.dataset.classnames)
        result = super().test(split)
        if self.competing:
            self.classifier.select(self.competing)
        return result

    def vae_stage(self) -> Stage:
        options = self.cfg.TRAINER.SHIP
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
        return reconstruction + self.cfg.TRAINER.SHIP.KL_WEIGHT * kl, summary

    def classification_loss(self, features: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Stage 2: cross-entropy over real features and as many synthesized ones, among base and new classes."""
        synthesized, new_labels = self.synthesizer.sample(len(features))
        logits = self.classifier(torch.cat([features, synthesized]))
        targets = torch.cat([labels, new_labels + self.num_classes])
        real, made = logits.split(len(features)), targets.split(len(features))
        summary = {
            "acc": compute_accuracy(real[0], made[0])[0].item(),
            "acc_syn": compute_accuracy(real[1], made[1])[0].item(),
        }
        return F.cross_entropy(logits, targets), summary
