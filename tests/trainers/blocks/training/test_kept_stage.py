"""Stage 1 is taken from a run that has trained the same, and from no other; figures are as if it had been trained."""

import functools
import json
from pathlib import Path

import pytest
import torch

from trainers.blocks.run import states
from trainers.blocks.training import kept_stage
from trainers.blocks.training.feature_trainer import FeatureTrainer

pytestmark = pytest.mark.usefixtures("kept_stages")
SMALL = ("TRAINER.SHIP.ENCODER_DIM", 8, "TRAINER.SHIP.GENERATOR_DIM", 8)
OFF = ("TRAINER.FEATURES.CACHE", False)


@pytest.fixture
def ship(ship):
    return functools.partial(ship, *SMALL)


@pytest.fixture
def first(ship, tmp_path) -> Path:
    """The folder of a run that has trained stage 1."""
    ship(folder="first").before_train()
    return tmp_path / "first"


def kept(cache: Path) -> list[Path]:
    return sorted(cache.glob("OxfordPets/*.stage"))


def finished(trainer) -> tuple[dict, dict]:
    """A run to its end: results.json and the weights that it leaves."""
    trainer.train()
    weights = {name: value for name, value in trainer.learned()[1].state_dict().items() if torch.is_tensor(value)}
    return json.loads(Path(trainer.output_dir, "results.json").read_text()), weights


@pytest.mark.parametrize("pairs", [(), ("TRAINER.SHIP.CLASSIFIER", "TipAdapterF"), ("TRAINER.SHIP.LOSS", "split")])
def test_a_run_that_takes_it_ends_as_one_that_trains_it(ship, first, pairs):
    taken, weights = finished(ship(*pairs, folder="second"))
    trained, expected = finished(ship(*pairs, *OFF, folder="off"))
    assert taken["taken"] == {"PromptVAE": str(first)}
    assert "taken" not in trained
    assert taken["training"] == trained["training"]
    assert taken["metrics"] == trained["metrics"]
    assert all(torch.equal(weights[name], value) for name, value in expected.items())


def test_what_was_taken_and_how_it_ended_is_told(ship, first, capsys):
    ship(folder="second").before_train()
    out = capsys.readouterr().out
    assert f"PromptVAE: as in {first}" in out
    assert "Its last epoch there: loss " in out
    assert "epoch [1/3]" not in out


@pytest.mark.parametrize(
    "pairs",
    [
        ("TRAINER.SHIP.SYNTHESIS", "mean"),
        ("TRAINER.SHIP.SYNTHESIZED", 3, "TRAINER.SHIP.AHEAD", 8, "TRAINER.SHIP.PULL", 1.0),
        ("OPTIM.LR", 0.1, "OPTIM.MAX_EPOCH", 1, "DATALOADER.TRAIN_X.BATCH_SIZE", 2),
        ("TRAINER.COOP.N_CTX", 2, "TRAINER.COOP.CTX_INIT", "a photo"),
    ],
)
def test_what_stage_one_does_not_depend_on_may_differ(ship, first, pairs):
    trainer = ship(*pairs, folder="second")
    trainer.before_train()
    assert trainer.taken


@pytest.mark.parametrize(
    "pairs",
    [
        ("SEED", 2),
        ("DATASET.NUM_SHOTS", 2),
        ("TRAINER.FEATURES.VIEWS", 2),
        ("TRAINER.FEATURES.AUGMENT", False),
        ("TRAINER.TEXT_CHUNK", 2),
        ("TRAINER.SHIP.BATCH_SIZE", 4),
        ("TRAINER.SHIP.KL_WEIGHT", 0.5),
        ("TRAINER.SHIP.FREE_BITS", 0.5),
        ("TRAINER.SHIP.GENERATOR_SLOPE", 0.2),
        ("TRAINER.SHIP.LATENT_DIM", 4),
        ("TRAINER.SHIP.OPTIM.LR", 0.01),
        ("TRAINER.SHIP.OPTIM.MAX_EPOCH", 2),
        ("TRAINER.SHIP.SYNTHESIS", "residual"),
    ],
)
def test_what_it_depends_on_may_not(ship, first, pairs):
    trainer = ship(*pairs, folder="second")
    trainer.before_train()
    assert not trainer.taken


def test_nor_may_the_classes(ship, first):
    trainer = ship(classes="all", folder="second")
    trainer.before_train()
    assert not trainer.taken


@pytest.mark.parametrize("key", ["PRIOR", "CENTRE", "NOISE"])
def test_parts_of_residual_that_come_later_share_its_stage_one(ship, key):
    residual = ("TRAINER.SHIP.SYNTHESIS", "residual")
    ship(*residual, folder="first").before_train()
    value = "normal" if key == "PRIOR" else False
    trainer = ship(*residual, f"TRAINER.SHIP.{key}", value, folder="second")
    trainer.before_train()
    assert trainer.taken


@pytest.mark.parametrize(
    "pairs",
    [
        ("TRAINER.SHIP.LIKELIHOOD", "fixed"),
        ("TRAINER.SHIP.GAP", False),
        ("TRAINER.SHIP.ENCODER", "features"),
        ("TRAINER.SHIP.CONTEXT", "random"),
        ("DATASET.TEMPLATE", "a picture of a {}."),
    ],
)
def test_parts_of_residual_that_are_trained_do_not(ship, pairs):
    residual = ("TRAINER.SHIP.SYNTHESIS", "residual")
    ship(*residual, folder="first").before_train()
    trainer = ship(*residual, *pairs, folder="second")
    trainer.before_train()
    assert not trainer.taken


def test_other_code_trains_anew(ship, first, monkeypatch, own_cache):
    monkeypatch.setattr(kept_stage, "CODE", "another")
    trainer = ship(folder="second")
    trainer.before_train()
    assert not trainer.taken
    assert len(kept(own_cache)) == 2


def test_a_gpu_that_is_to_be_deterministic_takes_nothing_from_one_that_was_not(ship, first, monkeypatch):
    monkeypatch.setattr(FeatureTrainer, "bits_on_cuda", {"deterministic": [True, True]})
    trainer = ship(folder="second")
    trainer.before_train()
    assert not trainer.taken


def test_the_hash_of_code_is_that_of_what_is_in_its_files(tmp_path):
    (tmp_path / "part").mkdir()
    file = tmp_path / "part" / "a.py"
    file.write_text("1")
    before = kept_stage.code_of(tmp_path)
    assert kept_stage.code_of(tmp_path) == before
    file.write_text("2")
    assert kept_stage.code_of(tmp_path) != before


def test_views_that_are_drawn_anew_keep_nothing(ship, own_cache):
    ship("TRAINER.FEATURES.VIEWS", 0).before_train()
    assert not kept(own_cache)


def test_without_the_cache_nothing_is_kept(ship, own_cache):
    ship(*OFF).before_train()
    assert not kept(own_cache)


def test_a_damaged_file_is_named_and_trained_again(ship, first, own_cache, capsys):
    (path,) = kept(own_cache)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    trainer = ship(folder="second")
    trainer.before_train()
    assert not trainer.taken
    assert f"Warning: {path} cannot be used" in capsys.readouterr().out
    assert states.read(path).about["run"].endswith("second")


def test_a_folder_that_cannot_be_written_costs_a_warning(ship, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept_stage, "write_whole", full)
    ship().before_train()
    assert "Warning: PromptVAE is not kept in" in capsys.readouterr().out


def stopped_in(stage: str, trainer) -> None:
    """Trains until the second epoch of a stage."""
    run_epoch = trainer.run_epoch

    def stopped():
        if trainer.stage.title == stage and trainer.epoch == 1:
            raise KeyboardInterrupt
        run_epoch()

    trainer.run_epoch = stopped
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    trainer.states.flush()


def test_a_run_that_took_it_says_so_after_it_was_stopped(ship, first, tmp_path):
    stopped_in("SHIP", ship(folder="second"))
    record, _ = finished(ship("RESUME", str(tmp_path / "second"), folder="second"))
    assert record["taken"] == {"PromptVAE": str(first)}


def test_a_run_that_stops_in_stage_one_goes_on_there(ship, first, tmp_path):
    """Its own state comes before what another has trained; a stage that was gone on with is kept all the same."""
    expected = ship("SEED", 2, *OFF, folder="whole")
    expected.before_train()
    stopped_in("PromptVAE", ship("SEED", 2, folder="second"))
    again = ship("SEED", 2, "RESUME", str(tmp_path / "second"), folder="second")
    again.before_train()
    assert not again.taken
    for name, value in expected.vae.state_dict().items():
        assert torch.equal(again.vae.state_dict()[name], value), name
    third = ship("SEED", 2, folder="third")
    third.before_train()
    assert third.taken == {"PromptVAE": str(tmp_path / "second")}
