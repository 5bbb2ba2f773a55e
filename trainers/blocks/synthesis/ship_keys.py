"""SHIP's configuration keys, TRAINER.SHIP; the defaults are those of the authors' code."""

from yacs.config import CfgNode

KEYS = {
    "CLASSIFIER": "CoOp",  # the method that stage 2 trains, with its own keys (TRAINER.COOP)
    "PREC": "fp32",  # fp32, mixed, fp16, amp, bf16
    "SYNTHESIS": "vae",  # where features without images come from: the method (vae) or a control, see synthesis.py
    "SOURCE": "",  # output folder of a run on another dataset, whose PromptVAE is taken; then no image is trained on
    "SYNTHESIZED": 0,  # synthesized features a step; 0: as many as real ones
    "AHEAD": 0,  # synthesized features made at once, for steps to come; 0: those of each step. Same random numbers
    # PromptVAE
    "N_CTX": 4,  # M: context tokens of the prompts that the VAE writes
    "ENCODER_DIM": 2048,  # H_e: hidden units of the encoder
    "GENERATOR_DIM": 4096,  # H_g: hidden units of the generator
    "GENERATOR_SLOPE": 0.0,  # of its LeakyReLU; 0 is ReLU
    "LATENT_DIM": 0,  # of z; 0: that of the features
    "BIAS_PER_TOKEN": False,  # a bias for each context token instead of one for all
    # stage 1; its optimizer and schedule are OPTIM below
    "KL_WEIGHT": 1.0,  # weight of the KL divergence
    "KL_ANNEAL": 0,  # epochs over which that weight rises from 0
    "FREE_BITS": 0.0,  # nats that each latent dimension may carry at no cost
    "BATCH_SIZE": 256,  # of stage 1; stage 2's is DATALOADER.TRAIN_X.BATCH_SIZE
    # stage 2; its optimizer and schedule are the run's OPTIM
    "SCHEDULE_PER_STEP": True,  # the learning rate changes with each step, not each epoch
    "ADAM_EPS": 1e-8,  # of Adam and its relatives
    "DROP_LAST": False,  # whether an epoch leaves out its incomplete last batch, as Dassl does
    "ROUND_FEATURES": True,  # whether real and synthesized features are rounded to fp16
}
STAGE_ONE_OPTIM = {
    "NAME": "adamw",
    "LR": 1e-3,
    "WEIGHT_DECAY": 0.01,  # PyTorch's default for AdamW; the paper names none
    "MAX_EPOCH": 50,
}


def extend_cfg(cfg: CfgNode) -> None:
    """Adds TRAINER.SHIP, with stage 1's OPTIM, which has the keys of the run's."""
    optim = {**cfg.OPTIM, **STAGE_ONE_OPTIM}
    cfg.TRAINER.SHIP = CfgNode({**KEYS, "OPTIM": CfgNode(optim)})
