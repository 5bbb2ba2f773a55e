"""torch's optimizers, built from cfg.OPTIM."""

from collections.abc import Callable, Iterable

from torch import nn, optim
from yacs.config import CfgNode

from ..utils import check_availability, tolist_if_not


def _adam(kind: Callable, **options: bool) -> Callable:
    return lambda params, cfg: kind(params, betas=(cfg.ADAM_BETA1, cfg.ADAM_BETA2), **_common(cfg), **options)


def _sgd(params: Iterable, cfg: CfgNode) -> optim.Optimizer:
    momentum = {"momentum": cfg.MOMENTUM, "dampening": cfg.SGD_DAMPNING, "nesterov": cfg.SGD_NESTEROV}
    return optim.SGD(params, **momentum, **_common(cfg))


def _rmsprop(params: Iterable, cfg: CfgNode) -> optim.Optimizer:
    return optim.RMSprop(params, momentum=cfg.MOMENTUM, alpha=cfg.RMSPROP_ALPHA, **_common(cfg))


def _common(cfg: CfgNode) -> dict[str, float]:
    return {"lr": cfg.LR, "weight_decay": cfg.WEIGHT_DECAY}


OPTIMIZERS = {
    "adam": _adam(optim.Adam),
    "amsgrad": _adam(optim.Adam, amsgrad=True),
    "sgd": _sgd,
    "rmsprop": _rmsprop,
    # Dassl's RAdam decays weights apart from the gradient.
    "radam": _adam(optim.RAdam, decoupled_weight_decay=True),
    "adamw": _adam(optim.AdamW),
}


def build_optimizer(
    model: nn.Module | Iterable, optim_cfg: CfgNode, param_groups: Iterable | None = None
) -> optim.Optimizer:
    """Return the optimizer that `optim_cfg` names, of `param_groups` or else of `model` or its parameters.

    With STAGED_LR (which needs a module) the children not in NEW_LAYERS learn at LR * BASE_LR_MULT.
    """
    check_availability(optim_cfg.NAME, OPTIMIZERS)
    if param_groups is None:
        if optim_cfg.STAGED_LR:
            param_groups = _staged_groups(model, optim_cfg)
        else:
            param_groups = model.parameters() if isinstance(model, nn.Module) else model
    return OPTIMIZERS[optim_cfg.NAME](param_groups, optim_cfg)


def _staged_groups(model: nn.Module, optim_cfg: CfgNode) -> list[dict]:
    if not isinstance(model, nn.Module):
        raise TypeError("OPTIM.STAGED_LR needs the module itself: it tells layers apart by name")
    if isinstance(model, nn.DataParallel):
        model = model.module
    layers = optim_cfg.NEW_LAYERS
    new_layers = list(layers) if isinstance(layers, tuple) else tolist_if_not(layers)
    base, new = [], []
    for name, child in model.named_children():
        (new if name in new_layers else base).extend(child.parameters())
    return [{"params": base, "lr": optim_cfg.LR * optim_cfg.BASE_LR_MULT}, {"params": new}]
