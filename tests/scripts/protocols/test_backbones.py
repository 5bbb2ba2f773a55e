"""Backbones by name: files of configs/backbones, and all else that MODEL.BACKBONE.NAME takes."""

import clip
import pytest
import yaml
from protocols import backbones
from protocols.backbones import (
    KEY,
    Backbone,
    BackboneError,
    backbone_of,
    find_backbone,
    listed,
    read_folder,
    split_recipe,
)

import train
from configuration import check, setup_cfg
from tests.conftest import CHECKOUT
from trainers.blocks.run.identity import config_hash, differences, flatten

STEMS = [backbone.label for backbone in listed()]
OPENAIS = {"ViT-B/16": "ViT-B-16-quickgelu/openai", "ViT-L/14": "ViT-L-14-quickgelu/openai"}  # in open_clip's list


@pytest.mark.parametrize("backbone", listed(), ids=STEMS)
def test_each_file_agrees_with_open_clips_own_list(backbone):
    open_clip = pytest.importorskip("open_clip")
    architecture, tag = OPENAIS.get(backbone.name, backbone.name.removeprefix("open_clip:")).split("/")
    assert (architecture, tag) in open_clip.list_pretrained()
    trained = open_clip.get_pretrained_cfg(architecture, tag)
    stated = yaml.safe_load(backbone.file.read_text(encoding="utf-8"))["INPUT"]
    assert stated["PIXEL_MEAN"] == list(trained["mean"])
    assert stated["PIXEL_STD"] == list(trained["std"])
    assert stated["INTERPOLATION"] == trained["interpolation"]
    size = open_clip.get_model_config(architecture)["vision_cfg"]["image_size"]
    assert stated["SIZE"] == f"({size}, {size})"
    quick = open_clip.get_model_config(architecture).get("quick_gelu", False)
    assert quick == trained.get("quick_gelu", False), (
        "the architecture has not the activation that it was trained with"
    )


@pytest.mark.parametrize("backbone", listed(), ids=STEMS)
def test_each_file_goes_on_top_of_a_recipe_and_sets_what_belongs_to_the_model_alone(backbone):
    recipe = CHECKOUT / "configs/trainers/SHIP/vit_b16.yaml"
    words = ["--trainer", "SHIP", "--dataset-config-file", str(CHECKOUT / "configs/datasets/dtd.yaml")]
    args = train.parse_args([*words, "--config-file", str(recipe), "--config-file", str(backbone.file)])
    cfg = setup_cfg(args)
    check(cfg, args)
    alone = setup_cfg(train.parse_args([*words, "--config-file", str(recipe)]))
    assert backbone.name == cfg.MODEL.BACKBONE.NAME
    inputs = {f"INPUT.{name}" for name in ("SIZE", "PIXEL_MEAN", "PIXEL_STD", "INTERPOLATION")}
    assert {difference.key for difference in differences(cfg, alone)} <= inputs | {KEY}
    assert set(flatten(yaml.safe_load(backbone.file.read_text(encoding="utf-8")))) == {
        *inputs,
        KEY,
        "MODEL.BACKBONE.TITLE",
    }


def test_the_page_has_each_with_its_title_and_name():
    page = (CHECKOUT / "docs/backbones.md").read_text(encoding="utf-8")
    for one in listed():
        assert f"| `{one.label}` | {one.title} | `{one.name}` |" in page


def test_titles_are_short_and_each_its_own():
    titles = [backbone.title for backbone in listed()]
    assert len(set(titles)) == len(titles)
    assert max(map(len, titles)) <= 14  # the head of a column in a terminal's table


def test_a_title_is_no_part_of_what_a_run_is():
    cfg = setup_cfg(train.parse_args([]))
    titled = setup_cfg(train.parse_args(["MODEL.BACKBONE.TITLE", "mine"]))
    assert not differences(cfg, titled)
    assert config_hash(cfg) == config_hash(titled)


def test_clips_names_are_those_of_the_clip_package():
    assert list(backbones.OPENAI) == clip.available_models()


def test_a_file_and_the_name_of_its_model_mean_the_same():
    assert backbone_of("datacomp_b16") == backbone_of("open_clip:ViT-B-16/datacomp_xl_s13b_b90k")
    assert find_backbone("ViT-L/14").label == "vit_l14"
    assert find_backbone("RN50").pairs == (KEY, "RN50")


@pytest.mark.parametrize("word", ["open_clip:ViT-B-16/laion400m_e32", "hf:openai/clip-vit-base-patch16", "RN50x4"])
def test_names_of_libraries_and_of_clip_are_taken_as_they_are(word):
    assert find_backbone(word).name == word


def test_a_checkpoint_is_known_by_its_file(tmp_path):
    path = tmp_path / "my.clip.pt"
    path.touch()
    assert find_backbone(str(path)) == Backbone(str(path), "my_clip", "my_clip")


@pytest.mark.parametrize(
    ("word", "nearest"),
    [("datacomp_b61", "datacomp_b16"), ("siglip_b16", "siglip2_b16"), ("ViT-B/61", "ViT-B/16"), ("RN505", "RN50")],
)
def test_a_mistyped_name_is_told_with_the_nearest(word, nearest):
    with pytest.raises(BackboneError, match=rf"no backbone '{word}'; there are .* Did you mean {nearest}\?"):
        find_backbone(word)


@pytest.mark.parametrize(
    "content", ["", "MODEL: {}", "MODEL: {BACKBONE: }", "[1]", "MODEL: {BACKBONE: {TITLE: x}}", "{"]
)
def test_a_file_without_a_name_is_told(content, tmp_path):
    (tmp_path / "mine.yaml").write_text(content)
    with pytest.raises(BackboneError, match=r"mine\.yaml is no backbone's file: it says no MODEL\.BACKBONE\.NAME"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    "backbone", ["datacomp_b16", "RN50x4", "ViT-L/14@336px", "/m/my_clip.pt", "/m/vit_b16_mine.pt"]
)
@pytest.mark.parametrize(
    "recipe", ["vit_b16", "vit_b16_ep50_ctxv1", "vit_b16_tip_adapter_f_imagenet", "shapes", "shapes_cocoop"]
)
def test_a_recipes_name_is_split_where_it_was_joined(backbone, recipe):
    found = backbone_of(backbone)
    label, rest = split_recipe(found.renamed(recipe))
    assert (label, rest) == (found.label, split_recipe(recipe)[1])


@pytest.mark.parametrize("stem", ["laion_vit_b16", "my_rn50", "my-clip.v2", "vit_b16_mine"])
@pytest.mark.parametrize("recipe", ["vit_b16", "vit_b16_ep50_ctxv1", "shapes_cocoop"])
def test_so_it_is_under_a_file_of_ones_own(stem, recipe, tmp_path, monkeypatch):
    (tmp_path / f"{stem}.yaml").write_text("MODEL: {BACKBONE: {NAME: mine.pt}}")
    monkeypatch.setattr(backbones, "FOLDER", tmp_path)
    assert split_recipe(backbone_of(stem).renamed(recipe)) == (stem, split_recipe(recipe)[1])


@pytest.mark.parametrize(
    ("recipe", "parts"),
    [
        ("shapes", ("", "shapes")),
        ("shapes_tip_adapter_f", ("", "shapes_tip_adapter_f")),
        ("rn50_ep50", ("rn50", "ep50")),
        ("rn50/nctx16_cscFalse_ctpend", ("rn50", "/nctx16_cscFalse_ctpend")),
        ("a_users_own", ("", "a_users_own")),
    ],
)
def test_recipes_name_their_own_backbone_or_none(recipe, parts):
    assert split_recipe(recipe) == parts
