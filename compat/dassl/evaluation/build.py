"""The registry of evaluators."""

from typing import Any

from yacs.config import CfgNode

from ..utils import Registry

EVALUATOR_REGISTRY = Registry("EVALUATOR")


def build_evaluator(cfg: CfgNode, **kwargs: Any) -> Any:
    """Return the evaluator that cfg.TEST.EVALUATOR names, built with `cfg` and `kwargs`."""
    return EVALUATOR_REGISTRY.build(cfg.TEST.EVALUATOR, cfg, **kwargs)
