"""Which values the configuration's keys can have; Dassl takes any of the right type, and fails somewhere later."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from yacs.config import CfgNode

from ..clip.precision import PRECISIONS
from ..clip.prompts import POSITIONS
from ..errors import InputError, did_you_mean
from ..synthesis.synthesizers import SYNTHESES

TRANSFORMS = """random_translation random_crop random_resized_crop random_flip colorjitter randomgrayscale
    gaussian_blur cutout normalize gaussian_noise instance_norm imagenet_policy cifar10_policy svhn_policy
    randaugment randaugment_fixmatch randaugment2""".split()
SAMPLERS = "RandomSampler SequentialSampler RandomClassSampler RandomDomainSampler SeqDomainSampler".split()


@dataclass(frozen=True)
class Rule:
    """What a value must be: the test, and the words for it; `choices` where it is one of a few names."""

    holds: Callable[[object], bool]
    words: str
    choices: tuple[str, ...] = ()


def whole(least: int, most: float = math.inf, also: str = "") -> Rule:
    words = f"a whole number of at least {least}" if most == math.inf else f"a whole number from {least} to {most}"
    return Rule(lambda value: type(value) is int and least <= value <= most, words + also)


def number(least: float, most: float = math.inf, above: bool = False) -> Rule:
    """A finite number; `above`: greater than the least."""

    def holds(value: object) -> bool:
        numeric = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        return numeric and least <= value <= most and not (above and value == least)

    if most < math.inf:
        return Rule(holds, f"a number from {least} to {most}{f', and not {least}' if above else ''}")
    return Rule(holds, f"a finite number {'above' if above else 'of at least'} {least}")


def one_of(*choices: str) -> Rule:
    return Rule(lambda value: value in choices, "one of " + ", ".join(choices), choices)


def several(count: int | None, each: Rule, words: str) -> Rule:
    """A tuple or list; of any length where the count is None."""

    def holds(value: object) -> bool:
        return (
            isinstance(value, (tuple, list)) and count in (None, len(value)) and all(each.holds(one) for one in value)
        )

    return Rule(holds, words, each.choices)


def only(value: object, why: str) -> Rule:
    return Rule(lambda given: given is value, f"{value}: {why}")


POSITIVE, NOT_NEGATIVE, SHARE = number(0, above=True), number(0), number(0, 1)
AT_LEAST_ONE, AT_LEAST_ZERO = whole(1), whole(0)
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
    "TRAINER.COOP": {
        "N_CTX": AT_LEAST_ONE,
        "PREC": one_of(*PRECISIONS),
        "CLASS_TOKEN_POSITION": one_of(*POSITIONS),
    },
    "TRAINER.COCOOP": {"N_CTX": AT_LEAST_ONE, "PREC": one_of(*PRECISIONS)},
    "TRAINER.CLIPADAPTER": {"RATIO": SHARE, "REDUCTION": AT_LEAST_ONE, "PREC": one_of(*PRECISIONS)},
    "TRAINER.TIPADAPTER": {
        "ALPHA": NOT_NEGATIVE,
        "BETA": NOT_NEGATIVE,
        "SEARCH_SCALE": several(2, number(0.1), "two numbers of at least 0.1: the largest beta and alpha"),
        "SEARCH_STEP": several(2, AT_LEAST_ONE, "two whole numbers of at least 1: how many values of beta and alpha"),
        "VIEWS": AT_LEAST_ONE,
        "PREC": one_of(*PRECISIONS),
        "ADAM_EPS": POSITIVE,
    },
    "TRAINER": {"TEXT_CHUNK": whole(-1, also="; 0 for all at once, -1 for as many as memory has room for")},
    "TRAINER.FEATURES": {
        "VIEWS": AT_LEAST_ZERO,
        "DEVICES": whole(0, also="; 0 for all GPUs, where that pays"),
        "RESUME_EVERY": AT_LEAST_ZERO,
        "IMAGE_PREC": Rule(lambda value: value in ("", "bf16"), '"" (the run\'s own precision) or bf16', ("bf16",)),
    },
    "TRAINER.GZSL": {"CALIBRATION_COST": number(0, 100)},
    "TRAINER.SHIP": {
        "CLASSIFIER": one_of("CoOp", "CoCoOp", "CLIPAdapter", "TipAdapterF"),
        "PREC": one_of(*PRECISIONS),
        "SYNTHESIS": one_of(*SYNTHESES),
        "SYNTHESIZED": AT_LEAST_ZERO,
        "AHEAD": AT_LEAST_ZERO,
        "N_CTX": AT_LEAST_ONE,
        "ENCODER_DIM": AT_LEAST_ONE,
        "GENERATOR_DIM": AT_LEAST_ONE,
        "GENERATOR_SLOPE": NOT_NEGATIVE,
        "LATENT_DIM": AT_LEAST_ZERO,
        "KL_WEIGHT": NOT_NEGATIVE,
        "KL_ANNEAL": AT_LEAST_ZERO,
        "FREE_BITS": NOT_NEGATIVE,
        "BATCH_SIZE": AT_LEAST_ONE,
        "ADAM_EPS": POSITIVE,
    },
    "TRAINER.SHIP.OPTIM": OPTIM,
}


def check_values(cfg: CfgNode) -> None:
    """Raises InputError naming the first key whose value the methods of this project cannot use."""
    for section, rules in RULES.items():
        node = section_of(cfg, section)
        for name, rule in rules.items() if node is not None else ():
            if name in node:
                check_value(f"{section}.{name}".lstrip("."), node[name], rule)
        if section.endswith("OPTIM"):
            check_momentum(section, node)


def section_of(cfg: CfgNode, section: str) -> CfgNode | None:
    """The node of that name; None where there is none: other checkouts have other trainers."""
    for name in section.split(".") if section else ():
        cfg = cfg.get(name)
        if cfg is None:
            return None
    return cfg


def check_value(key: str, value: object, rule: Rule) -> None:
    if rule.holds(value):
        return
    wrong = [one for one in flat(value) if rule.choices and one not in rule.choices]
    hint = did_you_mean(str(wrong[0]), rule.choices) if wrong else ""
    raise InputError(f"{key} is {value!r}; it should be {rule.words}.{hint}")


def flat(value: object) -> Iterator[object]:
    yield from value if isinstance(value, (tuple, list)) else [value]


def check_momentum(section: str, optim: CfgNode) -> None:
    if optim.NAME == "sgd" and optim.SGD_NESTEROV and (optim.MOMENTUM == 0 or optim.SGD_DAMPNING != 0):
        raise InputError(f"{section}.SGD_NESTEROV needs a MOMENTUM above 0 and an SGD_DAMPNING of 0.")
