"""docs/configuration.md is what the declarations say, and every key of the project is declared."""

import document_keys
import pytest
from dassl.config import get_cfg_default

from configuration import all_values, default_cfg
from trainers.blocks.training.keys import declared

ELSEWHERE = {"DATASET.SUBSAMPLE_CLASSES", "DATASET.CLASS_DRAW", "DATASET.HELD_OUT", "DATASET.FOLDER"}


def test_page_is_not_stale():
    document_keys.main(["--check"])


def test_stale_page_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(document_keys, "PAGE", tmp_path / "configuration.md")
    document_keys.main([])
    document_keys.main(["--check"])
    (tmp_path / "configuration.md").write_text("# Configuration\n")
    with pytest.raises(SystemExit, match="is stale"):
        document_keys.main(["--check"])


def test_every_key_that_is_not_dassls_is_declared_with_a_rule_that_its_default_obeys():
    of_dassl = {key for key, _ in all_values(get_cfg_default())}
    ours = {key for key, _ in all_values(default_cfg())} - of_dassl - ELSEWHERE
    keys = {f"{section}.{name}": key for section, entries in declared().items() for name, key in entries.items()}
    assert {key for key in ours if not key.startswith("TRAINER.SHIP.OPTIM.")} == keys.keys()
    for name, key in keys.items():
        assert key.rule.holds(key.default), name
        assert key.meaning, name
