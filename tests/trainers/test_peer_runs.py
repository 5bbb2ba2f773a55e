"""KgCoOp, ProGrad, TaskRes and CLAP's family against every recorded run of their authors' code."""

import math

import pytest
import torch
from torch.nn.functional import normalize
from torch.optim.lr_scheduler import LambdaLR

from tests.golden import peer_runs
from tests.golden.peer_runs import RUNS
from trainers.blocks.features.batches import FeatureBank

COLUMNS = {  # recorded columns, by what a step prints here
    "KgCoOp": {"loss": "loss", "acc": "acc", "distance": "distance"},
    "ProGrad": {"loss": "xe_loss", "kl": "kl_loss", "acc": "acc", "projected": "projected"},
    "TaskRes": {"loss": "loss", "acc": "acc"},
    "ZSLP": {"loss": "loss", "acc": "acc_train"},
    "CLAP": {"loss": "loss", "acc": "acc_train", "constraint": "constraint"},
    "CrossModal": {"loss": "loss", "acc": "acc_train"},
}


def runs_of(method: str) -> list[str]:
    return [name for name in RUNS if name.startswith(f"{method}/") and not name.endswith("/new")]


def tolerance(name: str) -> float:
    return 1e-5 if "/reseeded" in name else 2e-4


def check_steps(name: str, steps: list[peer_runs.Step]) -> None:
    expected, within = peer_runs.recorded(name), tolerance(name)
    assert [step.labels for step in steps] == [step["labels"] for step in expected]
    for printed, column in COLUMNS[peer_runs.trainer_of(name)].items():
        found = [step.printed[printed] for step in steps]
        recorded = [float(step[column]) for step in expected]
        assert found == pytest.approx(recorded, rel=0, abs=within), printed
    for norm in ("norm ctx", "norm text_feature_residuals"):
        if norm in expected[0]:
            assert [step.norm for step in steps] == pytest.approx([step[norm] for step in expected], rel=1e-4)
    if "grad_used_norm" in expected[0]:
        assert [step.gradient for step in steps] == pytest.approx(
            [step["grad_used_norm"] for step in expected], rel=1e-3
        )
    for rate in ("lr", "lr_used"):
        assert [getattr(step, rate) for step in steps] == pytest.approx([step[rate] for step in expected], rel=1e-6)


def check_settings(cfg, name: str) -> None:
    """All of the optimizer's but for what the record itself sets: from the recipe, and Dassl's defaults."""
    assert {key: cfg.OPTIM[key] for key in RUNS[name]["optim"]} == RUNS[name]["optim"]
    assert list(cfg.INPUT.TRANSFORMS) == ["random_resized_crop", "random_flip", "normalize"]


def check_logits(trainer, name: str) -> None:
    features, _ = trainer.evaluation_features("test")
    expected = torch.tensor(RUNS[name]["logits"])
    torch.testing.assert_close(trainer.classifier.predict(features), expected, rtol=1e-4, atol=tolerance(name))


def check_new_classes(name: str, trainer, pets, tiny_clip) -> None:
    """Where the record has them: logits of the new classes, by the weights of the base classes."""
    other = name.replace("/base", "/new")
    if other in RUNS and other != name:
        folder = trainer.output_dir
        new = peer_runs.build(name, pets, tiny_clip, f"{folder}_new", "DATASET.SUBSAMPLE_CLASSES", "new")
        new.load_model(folder, 3)
        check_logits(new, other)


@pytest.mark.parametrize("name", [name for method in ("KgCoOp", "ProGrad", "TaskRes") for name in runs_of(method)])
def test_learns_as_the_authors_code(name, pets, tiny_clip, tmp_path, encoded):
    trainer = peer_runs.build(name, pets, tiny_clip, tmp_path / "run")
    check_settings(trainer.cfg, name)
    steps = peer_runs.run(trainer, name, tiny_clip)
    images = [image for step in peer_runs.recorded(name) for image in step["images"]]
    assert [path.rpartition("/")[2] for path in encoded[: len(images)]] == images
    check_steps(name, steps)
    check_logits(trainer, name)
    check_new_classes(name, trainer, pets, tiny_clip)


def give_pool(trainer, monkeypatch) -> None:
    """Has the trainer take CLAP's pool, as its authors' code makes it, for the features of the training images."""
    pooled = []

    def remembered() -> tuple[torch.Tensor, torch.Tensor]:
        if not pooled:
            pooled.extend(peer_runs.pool(trainer))
        return tuple(pooled)

    def batches():
        features, labels = remembered()
        made = FeatureBank(features[None], labels).batches(4, drop_last=True)
        made.length = len(trainer.image_loader)  # an epoch takes no more features than there are images
        return made

    monkeypatch.setattr(trainer, "features_to_remember", remembered)
    monkeypatch.setattr(trainer, "feature_batches", batches)


@pytest.mark.parametrize("name", runs_of("CLAP"))
def test_learns_from_a_pool_as_the_authors_code(name, pets, tiny_clip, tmp_path, monkeypatch):
    trainer = peer_runs.build(name, pets, tiny_clip, tmp_path / "run")
    check_settings(trainer.cfg, name)
    give_pool(trainer, monkeypatch)
    steps = peer_runs.run(trainer, name, tiny_clip)
    if "multipliers" in RUNS[name]:
        found = trainer.classifier.learned.multipliers.tolist()
        assert found == pytest.approx(RUNS[name]["multipliers"], abs=2e-6)
    check_steps(name, steps)
    if "logits" in RUNS[name]:  # of all classes there are none
        check_logits(trainer, name)


def without_lag(trainer) -> None:
    """The cosine begins with the first epoch, and the warm-up takes that one's place."""
    rates = [
        trainer.cfg.OPTIM.WARMUP_CONS_LR / trainer.cfg.OPTIM.LR,
        *((1 + math.cos(math.pi * e / 3)) / 2 for e in (1, 2, 3)),
    ]
    for group in trainer.optimizer.param_groups:
        group["lr"] = trainer.cfg.OPTIM.LR
    trainer.scheduler = LambdaLR(trainer.optimizer, lambda epoch: rates[epoch])


def without_projection(trainer) -> None:
    trainer.classifier.projected = lambda own, against: own


def with_normalized_base(trainer) -> None:
    trainer.classifier.base = normalize(trainer.classifier.base, dim=-1)


def with_summed_constraint(trainer) -> None:
    remember, learned = trainer.classifier.remember, trainer.classifier.learned

    def remember_more(*batch) -> None:
        remember(*batch)
        learned.multipliers *= len(learned.multipliers)

    trainer.classifier.remember = remember_more


def without_multipliers(trainer) -> None:
    trainer.classifier.remember = lambda features, labels: None  # they stay 1


def with_another_scale(trainer) -> None:
    trainer.classifier.options.ALPHA = 1.0


ERRORS = [
    (without_lag, "KgCoOp/reseeded_fp32_teacher/seed1/base"),
    (without_lag, "ProGrad/reseeded/seed1/base"),
    (without_lag, "TaskRes/reseeded_lr0.02/seed1/base"),
    (without_lag, "CLAP/reseeded_ZS_l2/seed1/base"),
    (without_projection, "ProGrad/reseeded/seed1/base"),
    (without_projection, "ProGrad/reseeded_photo_of_a_coop_teacher/seed1/all"),
    (with_normalized_base, "TaskRes/reseeded_lr0.02/seed1/base"),
    (with_normalized_base, "CLAP/reseeded_ZS_none/seed1/base"),
    (with_another_scale, "TaskRes/reseeded_lr0.02/seed1/base"),
    (with_summed_constraint, "CLAP/reseeded_ZS_l2/seed1/base"),
    (without_multipliers, "CLAP/reseeded_ZS_l2/seed1/base"),
]


@pytest.mark.parametrize(("error", "name"), ERRORS, ids=lambda part: getattr(part, "__name__", part))
def test_a_deliberate_error_shows_in_the_losses(error, name, pets, tiny_clip, tmp_path, monkeypatch):
    """The records can tell: by five times the wider tolerance, and in the losses, not in the learning rates alone."""
    trainer = peer_runs.build(name, pets, tiny_clip, tmp_path / "run")
    if name.startswith("CLAP"):
        give_pool(trainer, monkeypatch)
    error(trainer)
    steps = peer_runs.run(trainer, name, tiny_clip)
    column = COLUMNS[peer_runs.trainer_of(name)]["loss"]
    gaps = [
        abs(step.printed["loss"] - row[column]) for step, row in zip(steps, peer_runs.recorded(name), strict=True)
    ]
    assert max(gaps) > 5 * 2e-4
    with pytest.raises(AssertionError, match="loss"):
        check_steps(name, steps)
