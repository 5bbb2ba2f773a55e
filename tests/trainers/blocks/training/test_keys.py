"""Rules for several keys together."""

import pytest
from yacs.config import CfgNode

from trainers.blocks.errors import InputError
from trainers.blocks.training.keys import check_calibration, check_momentum


def optim(**values: object) -> CfgNode:
    return CfgNode({"NAME": "sgd", "SGD_NESTEROV": True, "MOMENTUM": 0.9, "SGD_DAMPNING": 0.0, **values})


@pytest.mark.parametrize(
    "values", [{}, {"MOMENTUM": 0.0, "SGD_NESTEROV": False}, {"MOMENTUM": 0.0, "NAME": "adam"}, {"MOMENTUM": 1e-3}]
)
def test_nesterov_with_a_momentum_passes(values):
    check_momentum("OPTIM", optim(**values))


@pytest.mark.parametrize("values", [{"MOMENTUM": 0.0}, {"SGD_DAMPNING": 0.1}, {"SGD_DAMPNING": -0.1}])
def test_nesterov_without_momentum_or_with_dampening_is_refused(values):
    with pytest.raises(InputError, match=r"OPTIM\.SGD_NESTEROV needs a MOMENTUM above 0"):
        check_momentum("OPTIM", optim(**values))


def test_a_cost_beside_a_penalty_chosen_on_classes_held_out_is_refused():
    for kind, cost in (("held_out", 0.0), ("cost", 1.0)):
        check_calibration(CfgNode({"CALIBRATION": kind, "CALIBRATION_COST": cost}))
    with pytest.raises(InputError, match=r"leave out TRAINER\.GZSL\.CALIBRATION_COST"):
        check_calibration(CfgNode({"CALIBRATION": "held_out", "CALIBRATION_COST": 1.0}))


def test_a_run_with_such_a_cost_does_not_begin(ship):
    with pytest.raises(InputError, match=r"leave out TRAINER\.GZSL\.CALIBRATION_COST"):
        ship("TRAINER.GZSL.CALIBRATION", "held_out", "TRAINER.GZSL.CALIBRATION_COST", 1.0)
