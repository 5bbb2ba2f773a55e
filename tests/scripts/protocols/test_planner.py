"""Runs under other backbones: planned by name, filed under it, and every method's recipe works there."""

import json

import pytest
import torch
import yaml
from clip.model import CLIP
from protocols import backbones
from protocols.methods import METHODS
from protocols.planner import plan
from run import parse_args

from tests.conftest import CHECKOUT, in_this_process

SHORT = ("DATALOADER.NUM_WORKERS", "0", "OPTIM.MAX_EPOCH", "1", "TRAINER.SHIP.OPTIM.MAX_EPOCH", "1")


def planned(*words: str):
    return plan(parse_args([*words, "--output", "OUT", "--data", "DATA"])[1])


def test_a_backbones_file_goes_on_top_of_the_recipe_and_folders_are_named_after_it():
    trained, tested = planned("ship", "base2new", "oxford_pets", "1", "--backbone", "datacomp_b16")
    assert str(trained.folder) == "OUT/base2new/train_base/oxford_pets/shots_16/SHIP/datacomp_b16/seed1"
    assert str(tested.folder) == "OUT/base2new/test_new/oxford_pets/shots_16/SHIP/datacomp_b16/seed1"
    for run in (trained, tested):
        words = run.command()
        files = [words[index + 1] for index, word in enumerate(words) if word == "--config-file"]
        assert files == [
            str(CHECKOUT / f"configs/{name}.yaml") for name in ("trainers/SHIP/vit_b16", "backbones/datacomp_b16")
        ]
        assert words[words.index("MODEL.BACKBONE.NAME") + 1] == "open_clip:ViT-B-16/datacomp_xl_s13b_b90k"


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("protocol", ["base2new", "xd", "fewshot"])
def test_every_method_is_filed_under_the_backbone_by_every_protocol(name, protocol):
    own = planned(name, protocol, "imagenet", "1")
    under = planned(name, protocol, "imagenet", "1", "--backbone", "datacomp_b16")
    assert [str(run.folder) for run in under] == [str(run.folder).replace("vit_b16", "datacomp_b16") for run in own]


def test_several_backbones_are_run_one_after_the_other_each_with_all_methods():
    words = ("ship", "base2new", "dtd", "1", "--with-baselines", "--backbones", "RN50", "vit_l14", "OPTIM.LR", "0.1")
    recipes = list(dict.fromkeys(run.recipe.name for run in planned(*words)))
    assert recipes == ["rn50", "rn50_ctxv1", "vit_l14", "vit_l14_ctxv1"]
    assert all(run.pairs[-2:] == ("OPTIM.LR", "0.1") for run in planned(*words))


def test_the_recipes_own_backbone_keeps_its_folders():
    own = planned("ship", "base2new", "dtd", "1", "--with-baselines")
    for word in ("vit_b16", "ViT-B/16"):
        under = planned("ship", "base2new", "dtd", "1", "--with-baselines", "--backbone", word)
        assert [run.folder for run in under] == [run.folder for run in own]


def test_a_folder_with_a_run_under_another_backbone_is_refused():
    (run,) = planned("zsclip", "fewshot", "dtd", "1", "--backbone", "datacomp_b16")
    name = run.pairs[1]
    assert not run.conflicts({"config": {"MODEL": {"BACKBONE": {"NAME": name}}}})
    there = {"config": {"MODEL": {"BACKBONE": {"NAME": "ViT-B/16"}}}}
    assert run.conflicts(there) == [f"MODEL.BACKBONE.NAME {name} (there: ViT-B/16)"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--backbone", "datacomp_b61"), "Did you mean datacomp_b16?"),
        (("--backbone", "RN50", "MODEL.BACKBONE.NAME", "RN50"), "--backbones and MODEL.BACKBONE.NAME say the same"),
        (("--backbones", "a/clip.pt", "b/clip.pt"), "a/clip.pt and b/clip.pt would have the same folders, clip"),
        (("--backbones", "1"), "argument --backbones/--backbone: invalid name value: '1'"),
    ],
)
def test_backbones_that_cannot_be_are_refused(words, message, tmp_path, monkeypatch, capsys):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "clip.pt").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        planned("coop", "base2new", "dtd", "1", *words)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """A folder in the place of configs/backbones: a CLIP whose widths, layers and images are unlike ViT-B/16's."""
    folder = tmp_path_factory.mktemp("backbones")
    torch.manual_seed(1)
    vision, text = (64, 1, 64, 32), (77, 49408, 128, 2, 1)
    torch.save(CLIP(96, *vision, *text).state_dict(), folder / "narrow.pt")
    own = {"SIZE": "(64, 64)", "INTERPOLATION": "bilinear", "PIXEL_MEAN": [0.5] * 3, "PIXEL_STD": [0.5] * 3}
    settings = {"INPUT": own, "MODEL": {"BACKBONE": {"NAME": str(folder / "narrow.pt"), "TITLE": "Narrow"}}}
    (folder / "narrow_32.yaml").write_text(yaml.safe_dump(settings))
    return folder


@pytest.mark.parametrize(
    "name", [name for name in METHODS if not METHODS[name].synthesizes] + ["ship", "ship_task_res"]
)
def test_every_methods_recipe_works_under_a_backbone_of_other_sizes(name, narrow, pets, tmp_path, monkeypatch):
    monkeypatch.setattr(backbones, "FOLDER", narrow)
    words = ["--backbone", "narrow_32", "--shots", "4", "--output", str(tmp_path), "--data", str(pets), *SHORT]
    trained = plan(parse_args([name, "base2new", "oxford_pets", "1", *words])[1])[0]
    status, _, error = in_this_process(trained.command()[2:])
    assert status == 0, error
    record = json.loads((trained.folder / "results.json").read_text(encoding="utf-8"))
    assert trained.recipe.name.startswith("narrow_32")
    assert record["config"]["INPUT"]["SIZE"] == [64, 64]
    assert record["config"]["MODEL"]["BACKBONE"]["TITLE"] == "Narrow"
