"""TaskRes: Task Residual (Yu et al., CVPR 2023)."""

from ..keys import NOT_NEGATIVE, Key
from .base import PREC, method
from .class_weights import TextResiduals


@method("TaskRes", family="linear", year=2023)
class TaskRes(TextResiduals):
    """Weights t_c = b_c + ALPHA · x_c; cross-entropy alone."""

    keys = {"ALPHA": Key(0.5, NOT_NEGATIVE, "scale of the residual that is added to a text feature"), "PREC": PREC}

    @property
    def scale_of_rows(self) -> float:
        return self.options.ALPHA
