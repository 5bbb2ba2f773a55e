"""The ablations as data: what each changes, and the rows of each."""

import json

import pytest
from ablating import kinds
from protocols.methods import METHODS, find_method

from configuration import default_cfg, merge_pairs
from tests.conftest import CHECKOUT
from trainers.blocks.training.keys import check_values


@pytest.mark.parametrize("name", kinds.KINDS)
def test_every_ablation_has_a_script_the_published_setting_and_each_variant_once(name):
    assert (CHECKOUT / f"scripts/ablations/{name}.sh").is_file()
    variants = kinds.KINDS[name]
    assert kinds.PUBLISHED in variants
    assert len({json.dumps(changed, sort_keys=True) for changed in variants}) == len(variants)


@pytest.mark.parametrize("name", kinds.KINDS)
def test_every_variant_changes_keys_that_there_are_to_values_that_they_can_have(name):
    for changed in kinds.KINDS[name]:
        cfg = default_cfg()
        merge_pairs(cfg, [word for key, value in changed.items() for word in (kinds.full_key(key), str(value))])
        check_values(cfg)


def rows(kind: str, ship: str) -> list[tuple[str, dict]]:
    return [(method.name, changed) for method, changed in kinds.rows_of(kind, find_method(ship))]


def test_compared_has_the_method_alone_kgcoop_and_ship_published_and_split():
    split = {"LOSS": "split"}
    assert rows("compared", "ship") == [
        *(("coop", {}), ("kgcoop", {}), ("ship", {}), ("ship", split)),
        *(("ship", {"SYNTHESIS": kind} | split) for kind in ("text", "gaussian")),
        ("ship", {"SYNTHESIS": "residual", "BATCH_SIZE": 64} | split),
    ]


def test_a_method_that_cannot_be_asked_about_new_classes_is_compared_as_ship_that_synthesizes_nothing():
    assert rows("compared", "ship_tip_adapter_f")[:2] == [
        ("ship_tip_adapter_f", {"SYNTHESIS": "none"}),
        ("ship_tip_adapter_f", {}),
    ]
    assert rows("compared", "ship_clip_adapter")[0] == ("clip_adapter", {})
    assert not METHODS["tip_adapter_f"].new_classes


def test_pull_is_left_out_on_methods_without_text_features_to_hold():
    with_pull, without = rows("controls", "ship"), rows("controls", "ship_tip_adapter_f")
    assert [changed for _, changed in without] == [changed for _, changed in with_pull if "PULL" not in changed]
    assert ("ship", {"SYNTHESIS": "none", "PULL": 2.0}) in with_pull
