"""SHIP from end to end on the tiny OxfordPets: both stages, what they change, what they read."""

from pathlib import Path

import pytest
import torch
from dassl.engine import build_trainer
from dassl.utils import set_random_seed

import train
from tests.conftest import CHECKOUT

SHORT = ("OPTIM.MAX_EPOCH", 2, "TRAINER.SHIP.OPTIM.MAX_EPOCH", 3, "DATALOADER.TRAIN_X.BATCH_SIZE", 4)
BASE, NEW = ["abyssinian", "bengal", "birman"], ["bombay", "beagle", "boxer"]


@pytest.fixture
def trainer(pets, tiny_clip, tmp_path):
    """A SHIP trainer in this process, on base classes."""
    arguments = [
        *(
            "--root",
            pets,
            "--seed",
            1,
            "--trainer",
            "SHIP",
            "--output-dir",
            tmp_path / "run",
            "--backbone",
            tiny_clip,
        ),
        *("--dataset-config-file", CHECKOUT / "configs/datasets/oxford_pets.yaml"),
        *("--config-file", CHECKOUT / "configs/trainers/SHIP/vit_b16.yaml", "DATASET.NUM_SHOTS", 4),
        *("DATASET.SUBSAMPLE_CLASSES", "base", "DATALOADER.NUM_WORKERS", 0, "TRAINER.FEATURES.VIEWS", 1, *SHORT),
    ]
    cfg = train.setup_cfg(train.parse_args([str(word) for word in arguments]))
    set_random_seed(1)
    return build_trainer(cfg)


def weights(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in module.named_parameters()}


def test_training_changes_what_it_should_and_leaves_the_backbone_bit_identical(trainer):
    backbone = {name: value.clone() for name, value in trainer.backbone.state_dict().items()}
    vae, learned = weights(trainer.vae), weights(trainer.classifier.learned)
    trainer.train()
    for name, value in trainer.backbone.state_dict().items():
        assert torch.equal(value, backbone[name]), name
    for module, before in ((trainer.vae, vae), (trainer.classifier.learned, learned)):
        for name, parameter in module.named_parameters():
            assert not torch.equal(parameter, before[name]), name


def test_gradients_of_each_stage_reach_only_what_it_trains(trainer):
    trainer.before_train()
    features, labels = next(iter(trainer.feature_batches(8)))
    trainer.vae.requires_grad_(True)
    trainer.vae_loss(features, labels)[0].backward()
    assert all(parameter.grad.any() for parameter in trainer.vae.parameters())
    assert trainer.classifier.learned.ctx.grad is None
    trainer.vae.zero_grad()
    trainer.vae.requires_grad_(False)
    trainer.classification_loss(features, labels)[0].backward()
    assert trainer.classifier.learned.ctx.grad.any()
    assert all(parameter.grad is None for parameter in trainer.vae.parameters())
    assert all(parameter.grad is None for parameter in trainer.backbone.parameters())


def test_stage_two_classifies_real_and_synthesized_features_among_all_classes(trainer):
    trainer.before_train()
    assert trainer.classifier.classnames == BASE + NEW
    features, labels = next(iter(trainer.main_batches()))
    assert len(features) == len(labels) == 2 * 4
    assert set(labels[:4].tolist()) <= {0, 1, 2}
    assert set(labels[4:].tolist()) <= {3, 4, 5}
    loss, _ = trainer.classification_loss(features, labels)

    text = trainer.backbone.encode_prompts(*trainer.classifier.learned())[0]
    assert text.shape[0] == 6
    logits = trainer.backbone.logit_scale * features @ text.t()
    torch.testing.assert_close(loss, -logits.log_softmax(dim=-1)[torch.arange(8), labels].mean())


def test_kl_weight_and_its_annealing_reach_the_first_stages_loss(trainer):
    trainer.cfg.defrost()
    trainer.cfg.TRAINER.SHIP.KL_WEIGHT, trainer.cfg.TRAINER.SHIP.KL_ANNEAL = 0.25, 10
    trainer.before_train()
    features, labels = next(iter(trainer.feature_batches(8)))
    for trainer.epoch, weight in ((0, 0.025), (20, 0.25)):
        loss, printed = trainer.vae_loss(features, labels)
        assert loss.item() == pytest.approx(printed["rec"] + weight * printed["kl"], rel=1e-5)
        assert printed["kl"] > 0


def test_second_schedule_goes_on_with_every_step(trainer):
    trainer.train()
    assert trainer.scheduler.last_epoch == 2 * 3
    assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(0.0, abs=1e-9)


def test_one_checkpoint_evaluates_on_base_new_and_all_classes_elsewhere(train_py):
    run = train_py("SHIP", "run", *SHORT)
    assert run.status == 0, run.stderr
    assert [path.name for path in run.folder.glob("*/model*")] == ["model.pth.tar-2"]
    for classes, names in (("base", BASE), ("new", NEW), ("all", BASE + NEW)):
        flags = ("--eval-only", "--model-dir", run.folder)
        evaluated = train_py("SHIP", f"eval_{classes}", flags=flags, classes=classes)
        assert evaluated.status == 0, evaluated.stderr
        assert evaluated.results["classnames"] == names
        if classes == "base":
            assert evaluated.results["metrics"] == run.results["metrics"]


def test_training_opens_no_image_of_a_new_class(train_py, tmp_path):
    recorder, opened = CHECKOUT / "tests/record_opens.py", tmp_path / "opened.txt"
    run = train_py("SHIP", "run", *SHORT, before=(recorder, opened))
    assert run.status == 0, run.stderr
    images = {Path(line).name for line in opened.read_text().splitlines() if "oxford_pets/images/" in line}
    assert {name.split("_")[0] for name in images} == set(BASE)
    assert len(images) == 3 * (4 + 4)  # four shots and four test images of each base class


def test_resuming_after_the_last_epoch_only_evaluates(train_py):
    run = train_py("SHIP", "run", *SHORT)
    (run.folder / "results.json").unlink()
    again = train_py("SHIP", "run", *SHORT)
    assert again.status == 0, again.stderr
    assert "epoch [" not in again.stdout
    assert again.results["metrics"] == run.results["metrics"]


def test_checkpoint_of_another_size_is_refused(train_py):
    run = train_py("SHIP", "run", *SHORT)
    flags = ("--eval-only", "--model-dir", run.folder)
    other = train_py("SHIP", "other", "TRAINER.SHIP.ENCODER_DIM", 16, flags=flags)
    assert (other.status, other.results) == (2, None)
    assert "does not fit" in other.stderr
    assert "Traceback" not in other.stderr


@pytest.mark.parametrize("kind", ["text", "untrained", "mean", "gaussian"])
def test_controls_train_and_evaluate(kind, train_py):
    run = train_py("SHIP", "run", *SHORT, "TRAINER.SHIP.SYNTHESIS", kind, "TRAINER.FEATURES.VIEWS", 1)
    assert run.status == 0, run.stderr
    assert ("PromptVAE" in run.results["seconds"]) == (kind == "mean")
    flags = ("--eval-only", "--model-dir", run.folder)
    assert train_py("SHIP", "new", flags=flags, classes="new").status == 0


def test_all_classes_known_gives_these_synthesized_features_too(train_py):
    run = train_py("SHIP", "run", *SHORT, classes="all")
    assert run.status == 0, run.stderr
    assert run.results["classnames"] == BASE + NEW


@pytest.mark.parametrize("classifier", ["CoOp", "TipAdapterF"])
def test_prompt_vae_of_another_run_serves_classes_without_any_image(classifier, train_py, tmp_path):
    """The cross-dataset protocol: only names of the target's classes, and a PromptVAE made elsewhere."""
    source = train_py("SHIP", "source", *SHORT, "TRAINER.SHIP.CLASSIFIER", classifier)
    recorder, opened = CHECKOUT / "tests/record_opens.py", tmp_path / "opened.txt"
    pairs = (*SHORT, "TRAINER.SHIP.CLASSIFIER", classifier, "TRAINER.SHIP.SOURCE", source.folder)
    target = train_py("SHIP", "target", *pairs, "TEST.NO_TEST", True, classes="all", before=(recorder, opened))
    assert target.status == 0, target.stderr
    assert "epoch [2/2]" in target.stdout
    assert "PromptVAE of" in target.stdout
    assert not [line for line in opened.read_text().splitlines() if "oxford_pets/images/" in line]
    flags = ("--eval-only", "--model-dir", target.folder)
    evaluated = train_py("SHIP", "test", "TRAINER.SHIP.CLASSIFIER", classifier, flags=flags, classes="all")
    assert evaluated.status == 0, evaluated.stderr
