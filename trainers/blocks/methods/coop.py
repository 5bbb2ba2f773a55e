"""CoOp: Context Optimization (Zhou et al., IJCV 2022), zero-shot classification with a learned context."""

from collections.abc import Sequence

from torch import Tensor

from ..keys import AT_LEAST_ONE, TEXT, TRUTH, Key, one_of
from .base import PREC, FeatureClassifier, method
from .prompt_learner import POSITIONS, PromptLearner


@method("CoOp", family="prompts", year=2021)
class CoOp(FeatureClassifier):
    """Logits scale · f · t_c, t_c the text feature of "<learned context> <class name>."."""

    keys = {
        "N_CTX": Key(16, AT_LEAST_ONE, "context tokens"),
        "CSC": Key(False, TRUTH, "a context per class"),
        "CTX_INIT": Key("", TEXT, "words to start from; they set N_CTX"),
        "PREC": PREC,
        "CLASS_TOKEN_POSITION": Key("end", one_of(*POSITIONS), "where the class name stands in the context"),
    }
    checkpoint_name = "prompt_learner"

    def __init__(self, options, backbone, classnames: Sequence[str], dataset: str) -> None:
        super().__init__(options, backbone, classnames, dataset)
        self.learned = PromptLearner(
            backbone.text,
            classnames,
            n_ctx=options.N_CTX,
            ctx_init=options.CTX_INIT,
            class_specific=options.CSC,
            position=options.CLASS_TOKEN_POSITION,
        )
        self.learned.announce()

    def classes_changed(self, classnames: Sequence[str]) -> None:
        self.learned.select(classnames)

    def text_features(self) -> Tensor:
        """Normalized text features (C, D) of the prompts as they are now."""
        return self.backbone.encode_prompts(*self.learned())[0]

    def forward(self, features: Tensor) -> Tensor:
        return self.logits(features, self.text_features())
