"""Rules for several keys together."""

import pytest
from yacs.config import CfgNode

from trainers.blocks.errors import InputError
from trainers.blocks.training.keys import check_momentum


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
