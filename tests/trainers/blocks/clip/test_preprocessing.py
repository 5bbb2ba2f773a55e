"""INPUT's keys follow the backbone where nobody has chosen them."""

import pytest

import train
from trainers.blocks.clip.backbone import stated_preprocessing
from trainers.blocks.clip.preprocessing import MEAN, Preprocessing, take_preprocessing
from trainers.blocks.errors import InputError

SIGLIP = Preprocessing(256, (0.5,) * 3, (0.5,) * 3, "bicubic", squashed=True)


@pytest.fixture
def cfg():
    return train.default_cfg()


def test_what_is_left_as_it_is_by_default_is_taken_from_the_backbone(cfg):
    cfg.freeze()
    take_preprocessing(cfg, SIGLIP)
    assert cfg.is_frozen()
    assert cfg.INPUT.SIZE == (256, 256) and cfg.INPUT.INTERPOLATION == "bicubic"
    assert cfg.INPUT.PIXEL_MEAN == cfg.INPUT.PIXEL_STD == [0.5, 0.5, 0.5]


def test_what_recipes_have_for_openais_models_and_for_the_embedded_benchmark_is_taken_too(cfg):
    cfg.INPUT.SIZE, cfg.INPUT.PIXEL_MEAN = (64, 64), list(MEAN)
    take_preprocessing(cfg, SIGLIP)
    assert (cfg.INPUT.SIZE, cfg.INPUT.PIXEL_MEAN) == ((256, 256), [0.5, 0.5, 0.5])


@pytest.mark.parametrize(
    ("key", "value"), [("SIZE", (48, 48)), ("PIXEL_STD", [0.1, 0.1, 0.1]), ("INTERPOLATION", "nearest")]
)
def test_what_is_chosen_otherwise_is_refused(key, value, cfg):
    cfg.INPUT[key] = value
    with pytest.raises(InputError, match=f"INPUT.{key} is "):
        take_preprocessing(cfg, SIGLIP)


def test_a_files_own_statistics_stand_where_those_of_its_kind_are_but_likely(cfg):
    cfg.INPUT.PIXEL_STD = [0.1, 0.1, 0.1]
    likely = Preprocessing(256, SIGLIP.mean, SIGLIP.std, likely=True)
    take_preprocessing(cfg, likely)
    assert (cfg.INPUT.PIXEL_MEAN, cfg.INPUT.PIXEL_STD) == ([0.5, 0.5, 0.5], [0.1, 0.1, 0.1])
    line = likely.describe(cfg.INPUT)
    assert line.startswith("Images: SIZE (256, 256), PIXEL_MEAN (0.5, 0.5, 0.5), as the backbone states; PIXEL_STD")
    cfg.INPUT.SIZE = (48, 48)
    with pytest.raises(InputError, match="INPUT.SIZE"):
        take_preprocessing(cfg, likely)


def test_what_nothing_states_stays(cfg):
    before = cfg.INPUT.clone()
    take_preprocessing(cfg, Preprocessing())
    assert before == cfg.INPUT


@pytest.mark.parametrize(("name", "size"), [("ViT-B/16", 224), ("ViT-L/14@336px", 336), ("RN50x4", 288)])
def test_of_openais_published_models_the_size_is_known(name, size):
    assert stated_preprocessing(name) == Preprocessing(size)


def test_a_run_has_what_it_takes_in_its_configuration():
    words = ["--backbone", "open_clip:ViT-B-16-SigLIP-384/webli"]
    cfg = train.setup_cfg(train.parse_args([*words, "INPUT.PIXEL_MEAN", str(list(MEAN))]))
    assert cfg.INPUT.SIZE == (384, 384) and cfg.INPUT.PIXEL_MEAN == [0.5, 0.5, 0.5]
