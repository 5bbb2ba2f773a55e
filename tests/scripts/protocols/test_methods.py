"""configs/methods.yaml, and SHIP on each method."""

import pytest
import yaml
from protocols import methods
from protocols.backbones import backbone_of
from protocols.layout import PROTOCOLS
from protocols.methods import (
    COMPARED,
    FAMILIES,
    METHODS,
    NAMES,
    Method,
    MethodError,
    Recipe,
    classifier_in,
    expand,
    family_of,
    find_method,
)

import train
from configuration import setup_cfg
from trainers.blocks import methods as classifiers
from trainers.blocks.methods import base


def test_every_recipe_that_the_file_names_is_there():
    for method in METHODS.values():
        own = (value for value in method.recipes.values() if isinstance(value, dict))
        names = {name for recipes in (method.recipes, *own) for name in recipes.values() if isinstance(name, str)}
        assert all(method.path(name).is_file() for name in names), method.name


@pytest.mark.parametrize("name", NAMES)
def test_every_method_has_a_recipe_by_every_protocol(name):
    for protocol in PROTOCOLS:
        recipe = find_method(name).recipe(protocol, "imagenet", 16)
        assert all(path.is_file() for path in recipe.files)


def test_ship_exists_on_every_method_that_learns():
    assert {"ship_coop", "ship_cocoop", "ship_clip_adapter", "ship_tip_adapter_f"} < set(NAMES)
    assert not {"ship_zsclip", "ship_ship"} & set(NAMES)
    assert find_method("ship_coop") is METHODS["ship"]
    assert find_method("ship_cocoop") is METHODS["ship_cocoop"]


@pytest.fixture
def ship_on_adapter() -> Method:
    """As if CLIP-Adapter had no recipe with SHIP."""
    return Method("ship_clip_adapter", "SHIP", "SHIP", {}, classifier="clip_adapter")


def test_without_a_recipe_of_its_own_ship_takes_its_recipe_and_that_of_the_method(ship_on_adapter):
    recipe = ship_on_adapter.recipe("base2new", "imagenet", 16)
    assert recipe.name == "vit_b16_imagenet_clip_adapter"
    files = [path.relative_to(methods.CONFIGS / "trainers").as_posix() for path in recipe.files]
    assert files == ["SHIP/vit_b16_imagenet.yaml", "CLIPAdapter/vit_b16_imagenet.yaml"]
    words = [word for path in recipe.files for word in ("--config-file", str(path))]
    cfg = setup_cfg(train.parse_args(["--trainer", "SHIP", *words, *recipe.pairs]))
    assert cfg.TRAINER.SHIP.CLASSIFIER == "CLIPAdapter"
    alone = [setup_cfg(train.parse_args(["--config-file", str(path)])) for path in recipe.files]
    assert cfg.TRAINER.SHIP.ENCODER_DIM == alone[0].TRAINER.SHIP.ENCODER_DIM == 4096
    settings = yaml.safe_load(recipe.files[1].read_text(encoding="utf-8"))["OPTIM"]
    assert {key: cfg.OPTIM[key] for key in settings} == {key: alone[1].OPTIM[key] for key in settings}
    assert cfg.OPTIM.MAX_EPOCH != alone[0].OPTIM.MAX_EPOCH


def test_a_chosen_recipe_is_that_of_the_method_that_ship_is_on(ship_on_adapter):
    recipe = ship_on_adapter.with_recipe("vit_b16").recipe("base2new", "imagenet", 16)
    assert recipe.name == "vit_b16_clip_adapter"
    with pytest.raises(MethodError, match=r"no recipe .*CLIPAdapter/nothing\.yaml"):
        ship_on_adapter.with_recipe("nothing")


def test_an_unknown_method_is_told_with_the_nearest():
    with pytest.raises(MethodError, match=r"no method 'shipp'; there are zsclip, .* Did you mean ship\?"):
        find_method("shipp")


@pytest.mark.parametrize(
    ("recipe", "name"),
    [
        ("vit_b16", "coop"),
        ("vit_b16_cocoop_imagenet", "cocoop"),
        ("shapes_tip_adapter", "tip_adapter"),
        ("shapes_tip_adapter_f", "tip_adapter_f"),
    ],
)
def test_a_recipe_of_ship_names_the_method_that_it_is_on(recipe, name):
    assert classifier_in(recipe) == name


def test_entries_and_the_methods_files_agree_on_classes_without_images():
    for entry in methods.METHODS.values():
        if not entry.synthesizes:
            assert entry.new_classes == classifiers.METHODS[entry.trainer].knows_new, entry.name


@pytest.mark.parametrize(
    ("recipe", "backbone", "name"),
    [
        ("vit_b16_ep50_ctxv1", "", "vit_b16_ep50_ctxv1"),
        ("vit_b16_ep50_ctxv1", "ViT-B/16", "vit_b16_ep50_ctxv1"),
        ("vit_b16_ep50_ctxv1", "RN101", "rn101_ep50_ctxv1"),
        ("vit_b16", "ViT-L/14@336px", "vit_l14_336px"),
        ("shapes", "RN50x4", "rn50x4_shapes"),
        ("vit_b16_tip_adapter_f", "/models/laion.v2.pt", "laion_v2_vit_b16_tip_adapter_f"),
        ("shapes", "coop.pt", "coop_shapes"),
        ("vit_b16_ep50_ctxv1", "datacomp_b16", "datacomp_b16_ep50_ctxv1"),
        ("rn50_imagenet_ctxv1", "open_clip:ViT-B-16/datacomp_xl_s13b_b90k", "datacomp_b16_imagenet_ctxv1"),
        ("shapes_tip_adapter_f", "datacomp_b16", "datacomp_b16_shapes_tip_adapter_f"),
        ("vit_b16", "open_clip:ViT-B-16/laion400m_e32", "vit_b_16_laion400m_e32_vit_b16"),
        ("vit_b16_cocoop", "open_clip:ViT-B-16//weights/mine.pt", "vit_b_16_mine_vit_b16_cocoop"),
        ("vit_b16", "hf:openai/clip-vit-base-patch16", "openai_clip_vit_base_patch16_vit_b16"),
        ("vit_b16", "hf:./models/Mine", "Mine_vit_b16"),
    ],
)
def test_a_recipe_under_another_backbone_is_named_after_it(recipe, backbone, name):
    under = Recipe(recipe, ()).under(backbone_of(backbone) if backbone else None)
    assert under.name == name
    assert classifier_in(under.name) == classifier_in(recipe)


def test_entries_and_the_methods_files_agree_on_family_and_year():
    for entry in METHODS.values():
        if not entry.synthesizes:
            method = classifiers.METHODS[entry.trainer]
            assert (entry.family, entry.year) == (method.family, method.year), entry.name


def test_families_are_those_of_the_methods_files_and_order_the_methods():
    assert FAMILIES == base.FAMILIES
    places = [
        (entry.synthesizes, FAMILIES.index(family_of(entry)), entry.year)
        for entry in METHODS.values()
        if not entry.synthesizes
    ]
    assert places == sorted(places)
    assert list(METHODS)[0] == "zsclip"
    assert [entry.synthesizes for entry in METHODS.values()] == sorted(
        entry.synthesizes for entry in METHODS.values()
    )


def names(*asked: str, datasets: tuple = (), recipe: str = "") -> list[str]:
    return [method.name for method in expand(asked, datasets, recipe)]


def test_a_family_stands_for_its_methods_and_ship_on_them():
    assert names("closed_form") == ["gda", "ship_gda"]
    linear = names("linear")
    assert {"linear_probe", "lp_plus_plus", "ship_linear_probe", "ship_lp_plus_plus"} <= set(linear)
    assert {family_of(find_method(name)) for name in linear} == {"linear"}
    assert names("coop", "closed_form", "coop") == ["coop", "gda", "ship_gda"]


def test_all_stands_for_every_method_once():
    everything = names("all")
    assert len(everything) == len(set(everything))
    assert {find_method(name).name for name in NAMES} == set(everything)


def test_a_group_leaves_out_what_has_no_recipe_for_a_dataset_and_a_name_does_not():
    assert "zsclip2" in names("zero-shot", datasets=("dtd",))
    assert names("zero-shot", datasets=("dtd", "shapes")) == ["zsclip"]
    assert names("zsclip2", datasets=("shapes",)) == ["zsclip2"]  # and then the request says what is missing
    assert "clip_adapter" not in names("adapters", recipe="rn50")
    assert "ape" in names("adapters", recipe="rn50")
    with pytest.raises(MethodError, match=r"no recipe .*CLIPAdapter/rn50\.yaml"):
        names("clip_adapter", recipe="rn50")


def test_a_group_that_does_not_exist_is_told_with_the_nearest():
    with pytest.raises(MethodError, match=r"no method 'closedform'.* Did you mean closed_form\?"):
        expand(["closedform"])


def test_without_methods_only_quick_ones_are_compared():
    assert COMPARED == ["zsclip", "coop", "cocoop", "clip_adapter", "tip_adapter", "tip_adapter_f"] + [
        "ship",
        "ship_cocoop",
        "ship_clip_adapter",
        "ship_tip_adapter_f",
    ]


def test_ship_is_on_what_can_learn_from_synthesized_features_and_on_nothing_else():
    from trainers.blocks.synthesis.ship_keys import CARRIERS

    on = {METHODS[name].trainer for name in methods.CLASSIFIERS}
    assert on == set(CARRIERS)
