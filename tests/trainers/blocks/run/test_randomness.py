"""Random numbers: what is restored goes on as it would have, and numbers of one's own leave no trace."""

import random

import numpy as np
import torch

from trainers.blocks.run.randomness import (
    RenewedView,
    own_random_numbers,
    restore_random_state,
    restored_random_state,
    stored_random_state,
)


def draw() -> dict[str, float]:
    """One number of each kind."""
    return {"python": random.random(), "numpy": float(np.random.rand()), "torch": torch.rand(1).item()}


def differing(one: dict[str, float], other: dict[str, float]) -> set[str]:
    return {kind for kind in one if one[kind] != other[kind]}


def test_every_kind_goes_on_from_what_was_stored():
    stored = stored_random_state()
    first = draw()
    assert differing(first, draw()) == first.keys()
    restore_random_state(stored)
    assert draw() == first


def test_stored_state_survives_the_file_that_it_is_kept_in(tmp_path):
    torch.save(stored_random_state(), tmp_path / "state")
    first = draw()
    restore_random_state(torch.load(tmp_path / "state", weights_only=True))
    assert draw() == first


def test_what_is_drawn_inside_leaves_no_trace():
    stored = stored_random_state()
    first = draw()
    restore_random_state(stored)
    with restored_random_state():
        draw()
    assert draw() == first


def test_own_numbers_follow_from_the_whole_key():
    stored, found = stored_random_state(), []
    for key in ((1, 2), (1, 2), (1, 3), (2, 2), (2, 1)):
        with own_random_numbers(*key):
            found.append(draw())
    assert found[0] == found[1]
    for other in found[2:]:
        assert differing(found[0], other) == {"python", "numpy", "torch"}
    outside = draw()
    restore_random_state(stored)
    assert draw() == outside


def test_a_key_between_epochs_is_what_was_set_zeros_and_all():
    view = RenewedView([0, 1], 3, 0, 1)
    assert view.key == (3, 0, 1)
    for key in ((0, 0, 0), (2,), ()):
        view.key = key
        assert view.key == key
