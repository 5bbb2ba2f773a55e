"""Optimizers and learning-rate schedules."""

import warnings

import pytest
import torch
from dassl.config import get_cfg_default
from dassl.optim import build_lr_scheduler, build_optimizer
from dassl.utils import UnavailableError
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

# How the sequences of the golden facts were made: 8 epochs from LR 0.002, given there only by name.
SCHEDULES = {
    "cosine": {"LR_SCHEDULER": "cosine"},
    "cosine_warm_const": {"LR_SCHEDULER": "cosine", "WARMUP_EPOCH": 1, "WARMUP_TYPE": "constant"},
    "cosine_warm_linear": {"LR_SCHEDULER": "cosine", "WARMUP_EPOCH": 2, "WARMUP_TYPE": "linear"},
    "multi_step": {"LR_SCHEDULER": "multi_step", "STEPSIZE": (3, 5)},
    "single_step": {"LR_SCHEDULER": "single_step", "STEPSIZE": (3,)},
}


def optim_cfg(**options):
    cfg = get_cfg_default().OPTIM
    cfg.LR = 0.002
    cfg.MAX_EPOCH = 8
    for name, value in options.items():
        cfg[name] = value
    return cfg


def build(cfg):
    optimizer = build_optimizer([nn.Parameter(torch.ones(2))], cfg)
    return optimizer, build_lr_scheduler(optimizer, cfg)


def rates(optimizer, scheduler, epochs):
    """Return the learning rates of `epochs` epochs."""
    sequence = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the optimizer is never stepped here
        for _ in range(epochs):
            sequence.append(optimizer.param_groups[0]["lr"])
            scheduler.step()
    return sequence


@pytest.mark.parametrize("name", SCHEDULES)
def test_learning_rates_are_dassls(name, facts):
    expected = facts[f"lr/{name}"]
    assert rates(*build(optim_cfg(**SCHEDULES[name])), len(expected)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("epochs", [1, 4])
def test_schedule_goes_on_where_it_was_stored(name, epochs, facts, tmp_path):
    cfg = optim_cfg(**SCHEDULES[name])
    optimizer, scheduler = build(cfg)
    rates(optimizer, scheduler, epochs)
    torch.save([optimizer.state_dict(), scheduler.state_dict()], tmp_path / "state")
    optimizer, scheduler = build(cfg)
    states = torch.load(tmp_path / "state", weights_only=True)
    for target, state in zip((optimizer, scheduler), states, strict=True):
        target.load_state_dict(state)
    expected = facts[f"lr/{name}"][epochs:]
    assert rates(optimizer, scheduler, len(expected)) == pytest.approx(expected, rel=1e-12)


def test_warmup_state_holds_no_objects():
    _, scheduler = build(optim_cfg(**SCHEDULES["cosine_warm_const"]))
    state = scheduler.state_dict()
    assert isinstance(state["successor"], dict)
    assert not any(isinstance(value, LRScheduler) for value in state.values())


def test_single_step_of_minus_one_never_drops():
    assert rates(*build(optim_cfg(STEPSIZE=(-1,))), 8) == [0.002] * 8


def test_main_schedule_counts_warmup_epochs_without_recount():
    options = SCHEDULES["cosine_warm_const"] | {"WARMUP_RECOUNT": False, "WARMUP_EPOCH": 2}
    _, scheduler = build(optim_cfg(**options))
    assert scheduler.successor.last_epoch == 2


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adam", torch.optim.Adam),
        ("amsgrad", torch.optim.Adam),
        ("sgd", torch.optim.SGD),
        ("rmsprop", torch.optim.RMSprop),
        ("radam", torch.optim.RAdam),
        ("adamw", torch.optim.AdamW),
    ],
)
def test_optimizers_by_name(name, kind):
    optimizer = build_optimizer(nn.Linear(2, 1), optim_cfg(NAME=name))
    group = optimizer.param_groups[0]
    assert type(optimizer) is kind
    assert (group["lr"], group["weight_decay"]) == (0.002, 5e-4)
    assert group.get("momentum", 0.9) == 0.9
    assert group.get("amsgrad", False) is (name == "amsgrad")


def test_parameter_groups_are_taken_as_given():
    layer = nn.Linear(2, 1)
    optimizer = build_optimizer(layer, optim_cfg(NAME="sgd"), param_groups=[{"params": [layer.bias], "lr": 1.0}])
    assert [group["lr"] for group in optimizer.param_groups] == [1.0]


def test_staged_rates_slow_down_all_but_new_layers():
    model = nn.ModuleDict({"body": nn.Linear(2, 2), "head": nn.Linear(2, 1)})
    optimizer = build_optimizer(model, optim_cfg(STAGED_LR=True, NEW_LAYERS=("head",)))
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.0002, 0.002])
    assert optimizer.param_groups[1]["params"] == list(model["head"].parameters())
    with pytest.raises(TypeError, match="STAGED_LR"):
        build_optimizer(list(model.parameters()), optim_cfg(STAGED_LR=True))


@pytest.mark.parametrize("options", [{"NAME": "sdg"}, {"LR_SCHEDULER": "cosin"}])
def test_unknown_name_is_an_error_with_the_nearest(options):
    with pytest.raises(UnavailableError, match="Did you mean '(sgd|cosine)'"):
        build(optim_cfg(**options))


@pytest.mark.parametrize("options", [{"STEPSIZE": (1.5,)}, {"LR_SCHEDULER": "multi_step", "STEPSIZE": 3}])
def test_wrong_stepsize_is_an_error(options):
    with pytest.raises(ValueError, match="STEPSIZE"):
        build(optim_cfg(**options))
