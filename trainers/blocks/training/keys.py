"""All keys of the configuration that the trainers read: their defaults, and the values that they can have.

Dassl takes any value of the right type for its own keys, and fails somewhere later; RULES are for these.
"""

import math
from collections.abc import Iterator, Mapping

from yacs.config import CfgNode

from ..clip import wording
from ..clip.activation import ACTIVATIONS
from ..clip.chunks import AUTOMATIC
from ..errors import InputError
from ..keys import (
    AT_LEAST_ONE,
    AT_LEAST_ZERO,
    NOT_NEGATIVE,
    POSITIVE,
    SHARE,
    TEXT,
    TRUTH,
    Key,
    Keys,
    Rule,
    check_value,
    defaults,
    number,
    one_of,
    only,
    several,
    whole,
)
from ..methods import METHODS
from ..synthesis import residual, ship_keys
from ..synthesis.kinds import NONE, OF_IMAGES, RESIDUAL
from . import gzsl

TRANSFORMS = """random_translation random_crop random_resized_crop random_flip colorjitter randomgrayscale
    gaussian_blur cutout normalize gaussian_noise instance_norm imagenet_policy cifar10_policy svhn_policy
    randaugment randaugment_fixmatch randaugment2""".split()
SAMPLERS = "RandomSampler SequentialSampler RandomClassSampler RandomDomainSampler SeqDomainSampler".split()


LOADER = {"SAMPLER": one_of(*SAMPLERS), "BATCH_SIZE": AT_LEAST_ONE, "N_DOMAIN": AT_LEAST_ZERO, "N_INS": AT_LEAST_ONE}
SCALE = several(2, number(0, above=True), "two numbers above 0, the smaller first")
OPTIM = {
    "NAME": one_of("adam", "amsgrad", "sgd", "rmsprop", "radam", "adamw"),
    "LR": POSITIVE,
    "WEIGHT_DECAY": NOT_NEGATIVE,
    "MOMENTUM": NOT_NEGATIVE,
    "SGD_DAMPNING": NOT_NEGATIVE,
    "RMSPROP_ALPHA": SHARE,
    "ADAM_BETA1": Rule(lambda value: SHARE.holds(value) and value < 1, "a number of at least 0 and below 1"),
    "ADAM_BETA2": Rule(lambda value: SHARE.holds(value) and value < 1, "a number of at least 0 and below 1"),
    "STAGED_LR": only(False, "what these methods learn has no layers to be told apart"),
    "LR_SCHEDULER": one_of("single_step", "multi_step", "cosine"),
    "STEPSIZE": several(None, whole(-1), "epochs, such as (10, 20); (-1,) for none"),
    "GAMMA": POSITIVE,
    "MAX_EPOCH": AT_LEAST_ONE,
    "WARMUP_EPOCH": whole(-1, also="; -1 for none"),
    "WARMUP_TYPE": one_of("linear", "constant"),
    "WARMUP_CONS_LR": NOT_NEGATIVE,
    "WARMUP_MIN_LR": NOT_NEGATIVE,
}
RULES: dict[str, Mapping[str, Rule]] = {
    "": {"SEED": whole(-1, 2**32 - 1)},
    "DATALOADER": {
        "NUM_WORKERS": AT_LEAST_ZERO,
        "K_TRANSFORMS": only(1, "these methods take one view of an image at a time"),
    },
    "DATALOADER.TRAIN_X": LOADER,
    "DATALOADER.TRAIN_U": LOADER,
    "DATALOADER.TEST": {"SAMPLER": one_of("SequentialSampler", "RandomSampler"), "BATCH_SIZE": AT_LEAST_ONE},
    "DATASET": {
        "NUM_SHOTS": Rule(
            lambda value: type(value) is int and (value > 0 or value == -1),
            "a whole number of at least 1, or -1 for all images",
        ),
        "CLASS_DRAW": AT_LEAST_ZERO,
        "HELD_OUT": AT_LEAST_ZERO,
    },
    "INPUT": {
        "SIZE": several(2, AT_LEAST_ONE, "height and width in whole pixels, such as (224, 224)"),
        "INTERPOLATION": one_of("bilinear", "bicubic", "nearest"),
        "TRANSFORMS": several(None, one_of(*TRANSFORMS), f"a list of these: {', '.join(TRANSFORMS)}"),
        "NO_TRANSFORM": only(False, "images have to become tensors of one size"),
        "PIXEL_MEAN": several(3, number(-math.inf), "three numbers"),
        "PIXEL_STD": several(3, POSITIVE, "three numbers above 0"),
        "CROP_PADDING": AT_LEAST_ZERO,
        "RRCROP_SCALE": Rule(
            lambda value: SCALE.holds(value) and value[0] <= value[1] <= 1,
            "two shares from 0 to 1, the smaller first",
        ),
        "CUTOUT_N": AT_LEAST_ONE,
        "CUTOUT_LEN": AT_LEAST_ONE,
        "GN_MEAN": number(-math.inf),
        "GN_STD": NOT_NEGATIVE,
        "COLORJITTER_B": NOT_NEGATIVE,
        "COLORJITTER_C": NOT_NEGATIVE,
        "COLORJITTER_S": NOT_NEGATIVE,
        "COLORJITTER_H": number(0, 0.5),
        "RGS_P": SHARE,
        "GB_P": SHARE,
        "GB_K": Rule(lambda value: AT_LEAST_ONE.holds(value) and value % 2 == 1, "an odd whole number"),
    },
    "OPTIM": OPTIM,
    "TRAIN": {
        "CHECKPOINT_FREQ": AT_LEAST_ZERO,
        "PRINT_FREQ": AT_LEAST_ONE,
        "COUNT_ITER": one_of("train_x", "train_u", "smaller_one"),
    },
    "TEST": {
        "SPLIT": one_of("val", "test"),
        "FINAL_MODEL": one_of("last_step", "best_val"),
    },
}
DATASET = {
    **wording.KEYS,
    "LABEL_ONLY": Key(
        "", TEXT, "classes of which only the names are known: names with commas between them, or a file of lines"
    ),
    "LONGTAIL": Key(
        0.0,
        SHARE,
        "share of the classes, drawn by the seed, without training images; those of the others fall from "
        "NUM_SHOTS to one by Zipf's law; 0: all have NUM_SHOTS",
    ),
}
BF16 = Rule(lambda value: value in ("", "bf16"), '"" (the run\'s own precision) or bf16', ("bf16",))
FEATURES = {  # how images become features, which is the same for all methods
    "VIEWS": Key(0, AT_LEAST_ZERO, "0: encode every image anew in every epoch; K: draw from K views encoded once"),
    "CACHE": Key(True, TRUTH, "keep features that are encoded once on disk, for other runs"),
    "DEVICES": Key(
        1, whole(0, also="; 0 for all GPUs, where that pays"), "GPUs that encode what is encoded once; 0: all"
    ),
    "IMAGE_PREC": Key(
        "",
        BF16,
        'of the image encoder; "": the method\'s PREC; bf16 changes results a bit',
    ),
    "AUGMENT": Key(True, TRUTH, "False: training images go through the test transform, and are encoded once"),
    "RESUME_EVERY": Key(1, AT_LEAST_ZERO, "epochs after which the run's state is kept, to go on from; 0: never"),
}
TEXT_CHUNK = Key(
    AUTOMATIC,
    whole(-1, also="; 0 for all at once, -1 for as many as memory has room for"),
    "prompts encoded at once; 0: all; -1: as many as a share of free memory holds",
)

TF32 = Key(False, TRUTH, "on a GPU, round inputs of fp32 products and convolutions to TF32: faster, less exact")
TEXT_PREC = Key(
    "", BF16, 'of the text encoder; "": the method\'s PREC; bf16: products alone, faster, and changes results a bit'
)
TEXT_GRAPHS = Key(
    False, TRUTH, "on a GPU, launch passes through the text encoder whose shapes repeat as CUDA graphs: faster"
)
EVERYWHERE = {  # of TRAINER, for all methods
    "TEXT_CHUNK": TEXT_CHUNK,
    "TEXT_PREC": TEXT_PREC,
    "TEXT_GRAPHS": TEXT_GRAPHS,
    "TF32": TF32,
}


BACKBONE = {
    "ACTIVATION": Key(
        "",
        Rule(lambda value: value in ("", *ACTIVATIONS), f'"" or one of {", ".join(ACTIVATIONS)}', ACTIVATIONS),
        'of the transformer blocks; "": what the model or a file beside its weights states, else quick_gelu',
    ),
    "TITLE": Key("", TEXT, "how tables call the backbone, as files of configs/backbones have it"),
}


def declared() -> dict[str, Keys]:
    """By section, the keys that this project adds to Dassl's."""
    methods = {f"TRAINER.{method.node}": method.keys for method in METHODS.values() if method.keys}
    own = {"TRAINER.FEATURES": FEATURES, "TRAINER.GZSL": gzsl.KEYS, "MODEL.BACKBONE": BACKBONE}
    return {
        "DATASET": DATASET,
        **methods,
        "TRAINER.SHIP": ship_keys.KEYS,
        "TRAINER": EVERYWHERE,
        **own,
    }


def extend_cfg(cfg: CfgNode) -> None:
    """Adds the keys of this project, but for those that are there: a checkout of CoOp has some of its own."""
    if "FEATURES" in cfg.TRAINER:
        return
    for section, keys in declared().items():
        node = cfg
        for name in section.split("."):
            node = node.setdefault(name, CfgNode())
        for name, value in defaults(keys).items():
            node.setdefault(name, value)
    cfg.TRAINER.SHIP.OPTIM = CfgNode({**cfg.OPTIM, **ship_keys.STAGE_ONE_OPTIM})  # the keys of the run's OPTIM


def all_rules() -> Iterator[tuple[str, Mapping[str, Rule]]]:
    """By section, the rules of its keys' values."""
    yield from RULES.items()
    for section, keys in declared().items():
        yield section, {name: key.rule for name, key in keys.items()}
    yield "TRAINER.SHIP.OPTIM", OPTIM


def check_values(cfg: CfgNode) -> None:
    """Raises InputError naming the first key whose value the methods of this project cannot use."""
    for section, rules in all_rules():
        node = section_of(cfg, section)
        for name, rule in rules.items() if node is not None else ():
            if name in node:
                check_value(f"{section}.{name}".lstrip("."), node[name], rule)
        if section.endswith("OPTIM"):
            check_momentum(section, node)
        if section == "TRAINER.GZSL":
            check_calibration(node)
        if section == "TRAINER.SHIP":
            check_synthesis(node)
            check_pull(node)


def section_of(cfg: CfgNode, section: str) -> CfgNode | None:
    """The node of that name; None where there is none: other checkouts have other trainers."""
    for name in section.split(".") if section else ():
        cfg = cfg.get(name)
        if cfg is None:
            return None
    return cfg


def check_synthesis(ship: CfgNode) -> None:
    if ship.BALANCE and ship.SYNTHESIZED:
        raise InputError("TRAINER.SHIP.BALANCE decides how many are synthesized a step: SYNTHESIZED has to be 0.")
    if ship.BALANCE and ship.LOSS == "split":
        raise InputError("TRAINER.SHIP.BALANCE synthesizes for base classes too: TRAINER.SHIP.LOSS has to be joint.")
    if ship.SOURCE and ship.SYNTHESIS in OF_IMAGES:
        what = "trains on images alone" if ship.SYNTHESIS == NONE else "fits training images"
        raise InputError(f"TRAINER.SHIP.SYNTHESIS {ship.SYNTHESIS} {what}, and with a SOURCE none is read.")
    changed = [name for name, key in residual.KEYS.items() if ship[name] != key.default]
    if changed and ship.SYNTHESIS != RESIDUAL:
        raise InputError(
            f"TRAINER.SHIP.{changed[0]} is a part of SYNTHESIS residual, and TRAINER.SHIP.SYNTHESIS is "
            f"{ship.SYNTHESIS!r}: set that to residual, or leave out {', '.join(changed)}."
        )


def check_calibration(options: CfgNode) -> None:
    if options.CALIBRATION == gzsl.HELD_OUT and options.CALIBRATION_COST:
        raise InputError(
            "TRAINER.GZSL.CALIBRATION held_out chooses the penalty: leave out TRAINER.GZSL.CALIBRATION_COST."
        )


def check_pull(ship: CfgNode) -> None:
    able = [name for name in ship_keys.CARRIERS if callable(getattr(METHODS[name], "text_features", None))]
    if ship.PULL and ship.CLASSIFIER not in able:
        raise InputError(
            f"TRAINER.SHIP.PULL holds learned text features near the template's, and {ship.CLASSIFIER} learns none "
            f"by class: set it to 0, or TRAINER.SHIP.CLASSIFIER to one of {', '.join(able)}."
        )


def check_momentum(section: str, optim: CfgNode) -> None:
    if optim.NAME == "sgd" and optim.SGD_NESTEROV and (optim.MOMENTUM == 0 or optim.SGD_DAMPNING != 0):
        raise InputError(f"{section}.SGD_NESTEROV needs a MOMENTUM above 0 and an SGD_DAMPNING of 0.")
