"""SHIP's configuration keys, TRAINER.SHIP; the defaults are those of the authors' code."""

from ..clip.precision import PRECISIONS
from ..keys import AT_LEAST_ONE, AT_LEAST_ZERO, NOT_NEGATIVE, POSITIVE, TEXT, TRUTH, Key, one_of
from ..methods import METHODS
from . import residual
from .kinds import KINDS
from .losses import LOSSES

CARRIERS = tuple(name for name, method in METHODS.items() if method.trains or method.remembers)
KEYS = {
    "CLASSIFIER": Key("CoOp", one_of(*CARRIERS), "the method that stage 2 trains, with its own keys (TRAINER.COOP)"),
    "PREC": Key("fp32", one_of(*PRECISIONS), "numeric precision; see docs/reproduction.md"),
    "SYNTHESIS": Key("vae", one_of(*KINDS), "where features without images come from: the method or a control"),
    "SOURCE": Key(
        "", TEXT, "output folder of a run on another dataset, whose PromptVAE is taken; then no image is trained on"
    ),
    "SYNTHESIZED": Key(0, AT_LEAST_ZERO, "synthesized features a step; 0: as many as real ones"),
    "BALANCE": Key(
        False,
        TRUTH,
        "synthesize of each class what it lacks to have as many as that with most, so that all weigh alike",
    ),
    "AHEAD": Key(0, AT_LEAST_ZERO, "synthesized features made at once, for steps to come; 0: those of each step"),
    "LOSS": Key(
        "joint",
        one_of(*LOSSES),
        "stage 2: joint, as published; split: half real features among base classes, half synthesized among new",
    ),
    "PULL": Key(0.0, NOT_NEGATIVE, "stage 2: KgCoOp's pull of learned text features to the template's; 0: none"),
    # PromptVAE
    "N_CTX": Key(4, AT_LEAST_ONE, "M: context tokens of the prompts that the VAE writes"),
    "ENCODER_DIM": Key(2048, AT_LEAST_ONE, "H_e: hidden units of the encoder"),
    "GENERATOR_DIM": Key(4096, AT_LEAST_ONE, "H_g: hidden units of the generator"),
    "GENERATOR_SLOPE": Key(0.0, NOT_NEGATIVE, "of its LeakyReLU; 0 is ReLU"),
    "LATENT_DIM": Key(0, AT_LEAST_ZERO, "dimensions of z; 0: those of the features"),
    "BIAS_PER_TOKEN": Key(False, TRUTH, "a bias for each context token instead of one for all"),
    **residual.KEYS,
    # stage 1; its optimizer and schedule are OPTIM below
    "KL_WEIGHT": Key(1.0, NOT_NEGATIVE, "weight of the KL divergence"),
    "KL_ANNEAL": Key(0, AT_LEAST_ZERO, "epochs over which that weight rises from 0"),
    "FREE_BITS": Key(0.0, NOT_NEGATIVE, "nats that each latent dimension may carry at no cost"),
    "BATCH_SIZE": Key(256, AT_LEAST_ONE, "of stage 1; stage 2's is DATALOADER.TRAIN_X.BATCH_SIZE"),
    # stage 2; its optimizer and schedule are the run's OPTIM
    "SCHEDULE_PER_STEP": Key(True, TRUTH, "stage 2: the learning rate changes with each step, not each epoch"),
    "ADAM_EPS": Key(1e-8, POSITIVE, "stage 2: epsilon of Adam and its relatives"),
    "DROP_LAST": Key(False, TRUTH, "stage 2: whether an epoch leaves out its incomplete last batch, as Dassl does"),
    "ROUND_FEATURES": Key(True, TRUTH, "stage 2: whether real and synthesized features are rounded to fp16"),
}
STAGE_TWO = (  # keys that stage 1 does not depend on, though SYNTHESIS residual has a stage 1 of its own
    *("CLASSIFIER", "SYNTHESIS", "SOURCE", "SYNTHESIZED", "BALANCE", "AHEAD", "LOSS", "PULL"),
    *("SCHEDULE_PER_STEP", "ADAM_EPS", "DROP_LAST", "ROUND_FEATURES"),
    *residual.STAGE_TWO,
)
STAGE_ONE_OPTIM = {
    "NAME": "adamw",
    "LR": 1e-3,
    "WEIGHT_DECAY": 0.01,  # PyTorch's default for AdamW; the paper names none
    "MAX_EPOCH": 50,
}
