"""configs/methods.yaml, and SHIP on each method."""

import pytest
import yaml
from protocols import methods
from protocols.layout import PROTOCOLS
from protocols.methods import METHODS, NAMES, Method, MethodError, Recipe, classifier_in, find_method

import train
from configuration import setup_cfg
from trainers.blocks import methods as classifiers


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
    ],
)
def test_a_recipe_under_another_backbone_is_named_after_it(recipe, backbone, name):
    under = Recipe(recipe, ()).under(backbone)
    assert under.name == name
    assert classifier_in(under.name) == classifier_in(recipe)
