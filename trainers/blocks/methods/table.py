"""The methods by name: their configuration keys, and how a classifier is made from them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from yacs.config import CfgNode

from ..clip.backbone import Backbone
from ..clip.prompts import ConditionalPromptLearner, PromptLearner, template_of
from .classifiers import (
    AdapterClassifier,
    CacheClassifier,
    CoCoOpClassifier,
    CoOpClassifier,
    FeatureClassifier,
    ZeroshotClassifier,
)

COOP = {
    "N_CTX": 16,  # context tokens
    "CSC": False,  # a context per class
    "CTX_INIT": "",  # words to start from; they set N_CTX
    "PREC": "fp16",  # fp16, fp32, amp, bf16, mixed
    "CLASS_TOKEN_POSITION": "end",  # end, middle, front
}
COCOOP = {
    "N_CTX": 16,  # context tokens
    "CTX_INIT": "",  # words to start from; they set N_CTX
    "PREC": "fp16",  # fp16, fp32, amp, bf16, mixed
}
CLIPADAPTER = {
    "RATIO": 0.2,  # share of the adapted feature in the one that is classified
    "REDUCTION": 4,  # the bottleneck has 1 / REDUCTION of the feature's dimensions
    "PREC": "fp16",  # fp16, fp32, amp, bf16, mixed
}
TIPADAPTER = {
    "ALPHA": 1.0,  # weight of the cache, where the validation set has nothing to say
    "BETA": 5.5,  # sharpness of the cache, likewise
    "SEARCH": True,  # search both on the validation set
    "SEARCH_SCALE": (7.0, 3.0),  # largest beta and alpha tried
    "SEARCH_STEP": (200, 20),  # values of beta and alpha tried
    "VIEWS": 10,  # augmented views that a key is the mean of
    "PREC": "fp16",  # fp16, fp32, amp, bf16, mixed
    "SCHEDULE_PER_STEP": True,  # TipAdapterF: the learning rate changes with each step, not each epoch
    "ADAM_EPS": 1e-4,  # TipAdapterF: of Adam and its relatives
    "DROP_LAST": False,  # TipAdapterF: whether an epoch leaves out its incomplete last batch
}


@dataclass(frozen=True)
class Method:
    """Keys under TRAINER.<node> with their defaults, and the classifier: (options, dataset, backbone, classnames)."""

    node: str
    defaults: dict[str, object]
    build: Callable[[CfgNode, str, Backbone, Sequence[str]], FeatureClassifier]


def coop(options: CfgNode, dataset: str, backbone: Backbone, classnames: Sequence[str]) -> CoOpClassifier:
    learner = PromptLearner(
        backbone.text,
        classnames,
        n_ctx=options.N_CTX,
        ctx_init=options.CTX_INIT,
        class_specific=options.CSC,
        position=options.CLASS_TOKEN_POSITION,
    )
    return CoOpClassifier(backbone, announced(learner))


def cocoop(options: CfgNode, dataset: str, backbone: Backbone, classnames: Sequence[str]) -> CoCoOpClassifier:
    learner = ConditionalPromptLearner(
        backbone.text, classnames, backbone.feature_dim, n_ctx=options.N_CTX, ctx_init=options.CTX_INIT
    )
    return CoCoOpClassifier(backbone, announced(learner))


def announced(learner: PromptLearner) -> PromptLearner:
    print(f'Initial context: "{learner.context}"')
    print(f"Number of context words (tokens): {learner.ctx.shape[-2]}")
    return learner


def clip_adapter(options: CfgNode, dataset: str, backbone: Backbone, classnames: Sequence[str]) -> AdapterClassifier:
    zero_shot = ZeroshotClassifier(backbone, classnames, [template_of(dataset)])
    return AdapterClassifier(zero_shot, options.RATIO, options.REDUCTION)


def tip_adapter(options: CfgNode, dataset: str, backbone: Backbone, classnames: Sequence[str]) -> CacheClassifier:
    zero_shot = ZeroshotClassifier(backbone, classnames, [template_of(dataset)])
    grid = (options.SEARCH_SCALE, options.SEARCH_STEP) if options.SEARCH else None
    return CacheClassifier(zero_shot, options.ALPHA, options.BETA, grid)


METHODS = {
    "CoOp": Method("COOP", COOP, coop),
    "CoCoOp": Method("COCOOP", COCOOP, cocoop),
    "CLIPAdapter": Method("CLIPADAPTER", CLIPADAPTER, clip_adapter),
    "TipAdapter": Method("TIPADAPTER", TIPADAPTER, tip_adapter),
    "TipAdapterF": Method("TIPADAPTER", TIPADAPTER, tip_adapter),
}


def extend_cfg(cfg: CfgNode) -> None:
    """Adds the methods' keys, but for those that are there: a checkout of CoOp has its own."""
    for method in METHODS.values():
        if method.node not in cfg.TRAINER:
            cfg.TRAINER[method.node] = CfgNode(dict(method.defaults))
