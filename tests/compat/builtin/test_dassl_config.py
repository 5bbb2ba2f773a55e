"""The default configuration."""

import pytest
import yaml
from dassl.config import clean_cfg, get_cfg_default


def plain(node):
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items()}
    return list(node) if isinstance(node, tuple) else node


def test_defaults_are_dassls(golden_dir):
    expected = yaml.safe_load((golden_dir / "default_config.yaml").read_text())
    assert plain(get_cfg_default()) == expected


def test_each_call_gives_a_fresh_copy():
    cfg = get_cfg_default()
    cfg.INPUT.PIXEL_MEAN[0] = 7.0
    cfg.OPTIM.LR = 7.0
    assert get_cfg_default().INPUT.PIXEL_MEAN[0] == 0.485
    assert get_cfg_default().OPTIM.LR == 0.0003


def test_coop_yaml_is_read_as_it_is(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text('INPUT:\n  SIZE: (32, 16)\n  TRANSFORMS: ["random_flip", "normalize"]\n')
    cfg = get_cfg_default()
    cfg.merge_from_file(str(path))
    assert cfg.INPUT.SIZE == (32, 16)
    assert cfg.INPUT.TRANSFORMS == ("random_flip", "normalize")


def test_unknown_key_is_yacs_error(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("OPTIM:\n  NO_SUCH_KEY: 1\n")
    with pytest.raises(KeyError, match="NO_SUCH_KEY"):
        get_cfg_default().merge_from_file(str(path))
    with pytest.raises(AssertionError, match="NO_SUCH_KEY"):
        get_cfg_default().merge_from_list(["OPTIM.NO_SUCH_KEY", 1])


def test_clean_cfg_keeps_one_trainer():
    cfg = get_cfg_default()
    clean_cfg(cfg, "FixMatch")
    assert set(cfg.TRAINER) == {"NAME", "FIXMATCH"}
