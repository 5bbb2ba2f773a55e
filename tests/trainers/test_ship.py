"""SHIP from end to end on the tiny OxfordPets: both stages, what they change, what they read."""

import json
from pathlib import Path

import pytest
import torch
from dassl.utils import set_random_seed
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.nn.functional import cross_entropy

from datasets import splits
from tests.conftest import CHECKOUT
from trainers.blocks.errors import InputError

SHORT = ("OPTIM.MAX_EPOCH", 2, "TRAINER.SHIP.OPTIM.MAX_EPOCH", 3, "DATALOADER.TRAIN_X.BATCH_SIZE", 4)
BASE, NEW = ["abyssinian", "bengal", "birman"], ["bombay", "beagle", "boxer"]


@pytest.fixture
def trainer(ship):
    return ship()


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


def test_dataset_is_read_once_and_new_classes_are_not_announced(ship, monkeypatch, capsys):
    listed = []
    file_names = splits.file_names
    monkeypatch.setattr(splits, "file_names", lambda folder: listed.append(folder) or file_names(folder))
    trainer = ship()
    trainer.before_train()
    out = capsys.readouterr().out
    assert trainer.classifier.classnames == BASE + NEW
    assert len(listed) == len(set(listed)) > 0
    assert (out.count("SUBSAMPLE BASE CLASSES!"), out.count("SUBSAMPLE NEW CLASSES!")) == (1, 0)


def test_gradients_of_each_stage_reach_only_what_it_trains(trainer):
    trainer.before_train()
    features, labels = next(iter(trainer.feature_batches(8)))
    trainer.vae.requires_grad_(True)
    trainer.vae_loss(features, labels)[0].backward()
    assert all(parameter.grad.any() for parameter in trainer.vae.parameters())
    assert trainer.classifier.learned.ctx.grad is None
    trainer.vae.zero_grad()
    trainer.vae.requires_grad_(False)
    trainer.classifier.loss(features, labels)[0].backward()
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
    loss, _ = trainer.classifier.loss(features, labels)

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
        assert loss.item() == pytest.approx(float(printed["rec"] + weight * printed["kl"]), rel=1e-5)
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
def test_controls_train_and_evaluate(kind, ship, tmp_path):
    trained = ship("TRAINER.SHIP.SYNTHESIS", kind)
    trained.train()
    assert ("PromptVAE" in trained.seconds) == (kind == "mean")
    new = ship("TRAINER.SHIP.SYNTHESIS", kind, classes="new", folder="new")
    new.load_model(str(tmp_path / "run"))
    new.test()
    assert (tmp_path / "new/results.json").is_file()


def test_all_classes_known_gives_these_synthesized_features_too(ship):
    trainer = ship(classes="all")
    trainer.train()
    assert trainer.synthesizer.classnames == trainer.classifier.classnames == BASE + NEW
    _, labels = next(iter(trainer.main_batches()))
    assert labels.max() < 6


@pytest.mark.parametrize("classifier", ["CoOp", "CoCoOp", "CLIPAdapter", "TipAdapterF"])
def test_prompt_vae_of_another_run_serves_classes_without_any_image(classifier, ship, tmp_path, monkeypatch):
    """The cross-dataset protocol: names of the target's classes, and a PromptVAE made elsewhere."""
    source = ship("TRAINER.SHIP.CLASSIFIER", classifier)
    source.train()
    pairs = ("TRAINER.SHIP.CLASSIFIER", classifier, "TRAINER.SHIP.SOURCE", tmp_path / "run", "TEST.NO_TEST", True)
    target = ship(*pairs, classes="all", folder="target")
    with monkeypatch.context() as patch:
        patch.setattr("PIL.Image.open", lambda *args, **kwargs: pytest.fail("an image was opened"))
        target.train()
    for name, parameter in source.vae.named_parameters():
        assert torch.equal(parameter, target.vae.state_dict()[name]), name
    target.test()
    assert (tmp_path / "target/results.json").is_file()


@pytest.mark.parametrize("kind", ["shifted", "isotropic", "within", "residual"])
@pytest.mark.parametrize("classifier", ["CoOp", "TipAdapterF"])
def test_further_kinds_train_and_evaluate_on_new_classes(kind, classifier, ship, tmp_path):
    pairs = ("TRAINER.SHIP.SYNTHESIS", kind, "TRAINER.SHIP.CLASSIFIER", classifier, "TRAINER.SHIP.LOSS", "split")
    trained = ship(*pairs)
    trained.train()
    assert ("PromptVAE" in trained.seconds) == (kind == "residual")
    new = ship(*pairs, classes="new", folder="new")
    new.load_model(str(tmp_path / "run"))
    new.test()
    assert (tmp_path / "new/results.json").is_file()


ALL_OFF = {
    "LIKELIHOOD": "fixed",
    "PRIOR": "normal",
    "CENTRE": False,
    "GAP": False,
    "ENCODER": "features",
    "NOISE": False,
    "CONTEXT": "random",
}


def test_residual_with_all_parts_off_is_the_published_run_number_by_number(ship, tmp_path):
    pairs = [word for key, value in ALL_OFF.items() for word in (f"TRAINER.SHIP.{key}", value)]
    published, off = ship(), ship("TRAINER.SHIP.SYNTHESIS", "residual", *pairs, folder="off")
    for trainer in (published, off):
        set_random_seed(1)
        trainer.train()
    one, other = ({**trainer.learned()[1].state_dict()} for trainer in (published, off))
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert not isinstance(value, torch.Tensor) or torch.equal(value, other[name]), name
    assert published.trained == off.trained


@pytest.mark.parametrize("key", ALL_OFF)
def test_each_part_of_residual_changes_the_run_and_is_refused_elsewhere(key, ship):
    whole, without = (
        ship("TRAINER.SHIP.SYNTHESIS", "residual", *pair, "TRAINER.SHIP.LATENT_DIM", 4, folder=f"run{len(pair)}")
        for pair in ((), (f"TRAINER.SHIP.{key}", ALL_OFF[key]))
    )
    found = []
    for trainer in (whole, without):
        set_random_seed(1)
        trainer.before_train()
        found.append((trainer.trained["PromptVAE"], next(iter(trainer.main_batches()))[0]))
    assert not torch.equal(found[0][1], found[1][1])
    of_stage_one = key in ("LIKELIHOOD", "GAP", "ENCODER", "CONTEXT")
    assert (found[0][0] != found[1][0]) == of_stage_one
    with pytest.raises(InputError, match=rf"TRAINER\.SHIP\.{key} is a part of SYNTHESIS residual"):
        ship(f"TRAINER.SHIP.{key}", ALL_OFF[key])


def test_residual_run_that_is_taken_up_again_ends_as_one_in_one_go(ship):
    """What is fitted to the base images is not stored: it is fitted again, to the VAE as it was."""
    kind = ("TRAINER.SHIP.SYNTHESIS", "residual")
    whole, stopped = ship(*kind, folder="whole"), ship(*kind, folder="stopped")
    set_random_seed(1)
    whole.train()
    set_random_seed(1)
    after_epoch = stopped.after_epoch

    def killed() -> None:
        after_epoch()
        if stopped.epoch == 1:
            raise KeyboardInterrupt

    stopped.after_epoch = killed
    with pytest.raises(KeyboardInterrupt):
        stopped.train()
    stopped.states.flush()
    again = ship(*kind, folder="stopped")
    again.train()
    assert again.seconds["PromptVAE"] and again.trained == whole.trained
    assert torch.equal(again.classifier.learned.ctx, whole.classifier.learned.ctx)


@pytest.mark.parametrize("classifier", ["CoOp", "CoCoOp", "CLIPAdapter", "TipAdapterF"])
def test_synthesis_none_trains_on_real_features_among_base_classes_and_knows_new_ones(classifier, ship, tmp_path):
    pairs = ("TRAINER.SHIP.SYNTHESIS", "none", "TRAINER.SHIP.CLASSIFIER", classifier)
    trainer = ship(*pairs)
    trainer.before_train()
    if trainer.classifier.remembers:
        trainer.classifier.remember(*trainer.features_to_remember())
    stage = trainer.main_stage()
    features, labels = next(iter(stage.batches))
    assert len(features) == 4 and labels.max() < 3 and len(stage.batches) == len(ship(folder="other").image_loader)
    expected = cross_entropy(trainer.classifier(features)[:, :3], labels)
    torch.testing.assert_close(stage.loss(features, labels)[0], expected)
    trained = ship(*pairs, folder="trained")
    trained.train()
    assert "PromptVAE" not in trained.seconds
    new = ship(*pairs, classes="new", folder="new")
    new.load_model(str(tmp_path / "trained"))
    new.test()
    if classifier == "TipAdapterF":  # without a key for a new class it is zero-shot CLIP there
        features, _ = new.evaluation_features("test")
        text = new.backbone.text_features(NEW, ["a photo of a {}, a type of pet."])
        torch.testing.assert_close(new.classifier(features), new.backbone.logit_scale * features @ text.t())


@pytest.mark.parametrize("kind", ["shifted", "isotropic", "within", "residual", "none"])
def test_kinds_that_need_images_are_refused_without(kind, ship):
    with pytest.raises(InputError, match=f"SYNTHESIS {kind} .*SOURCE none is read"):
        ship("TRAINER.SHIP.SOURCE", "elsewhere", "TRAINER.SHIP.SYNTHESIS", kind)


@pytest.mark.parametrize("classifier", ["CoOp", "CoCoOp", "CLIPAdapter", "TipAdapterF"])
def test_split_loss_trains_on_what_its_definition_says(classifier, ship):
    trainer = ship("TRAINER.SHIP.LOSS", "split", "TRAINER.SHIP.CLASSIFIER", classifier)
    trainer.before_train()
    if trainer.classifier.remembers:
        trainer.classifier.remember(*trainer.features_to_remember())
    stage = trainer.main_stage()
    features, labels = next(iter(stage.batches))
    logits = trainer.classifier(features)
    halves = cross_entropy(logits[:4, :3], labels[:4]), cross_entropy(logits[4:, 3:], labels[4:] - 3)
    torch.testing.assert_close(stage.loss(features, labels)[0], sum(halves) / 2)
    trainer.train()
    assert trainer.trained["SHIP"]["loss"] > 0


@pytest.mark.parametrize("pairs", [(), ("TRAINER.SHIP.SYNTHESIZED", 3)])
def test_split_loss_of_one_set_of_classes_is_among_all_of_them(pairs, ship):
    trainer = ship("TRAINER.SHIP.LOSS", "split", *pairs, classes="all")
    trainer.before_train()
    stage = trainer.main_stage()
    features, labels = next(iter(stage.batches))
    logits = trainer.classifier(features)
    halves = cross_entropy(logits[:4], labels[:4]), cross_entropy(logits[4:], labels[4:])
    torch.testing.assert_close(stage.loss(features, labels)[0], sum(halves) / 2)


def test_split_loss_without_real_features_is_the_plain_one(ship, tmp_path):
    """With a PromptVAE of another run: all that is trained on is synthesized."""
    ship().train()
    target = ship(
        "TRAINER.SHIP.SOURCE", tmp_path / "run", "TRAINER.SHIP.LOSS", "split", classes="all", folder="target"
    )
    target.before_train()
    stage = target.main_stage()
    features, labels = next(iter(stage.batches))
    expected = cross_entropy(target.classifier(features), labels)
    torch.testing.assert_close(stage.loss(features, labels)[0], expected)


def test_pull_of_a_method_without_text_features_to_hold_is_refused(ship):
    with pytest.raises(InputError, match=r"TRAINER\.SHIP\.PULL.*CLIPAdapter.*one of CoOp"):
        ship("TRAINER.SHIP.PULL", 1.0, "TRAINER.SHIP.CLASSIFIER", "CLIPAdapter")


def test_pull_is_added_to_stage_twos_loss(ship):
    plain, pulled = ship(), ship("TRAINER.SHIP.PULL", 4.0, folder="pulled")
    for trainer in (plain, pulled):
        trainer.before_train()
    features, labels = next(iter(plain.main_batches()))
    pulled.classifier.learned.ctx.data = plain.classifier.learned.ctx.data.clone()
    without, _ = plain.main_loss()(features, labels)
    loss, shown = pulled.main_loss()(features, labels)
    torch.testing.assert_close(loss, without + 4 * shown["pull"])
    assert shown["pull"] > 1e-3


def test_gaussian_without_images_is_refused(ship):
    with pytest.raises(InputError, match="gaussian fits training images"):
        ship("TRAINER.SHIP.SOURCE", "elsewhere", "TRAINER.SHIP.SYNTHESIS", "gaussian")


def test_evaluation_among_all_classes_gives_seen_and_unseen_figures(ship, tmp_path):
    trained = ship()
    trained.train()
    records = {}
    for cost in (0.0, 50.0):
        everything = ship("TRAINER.GZSL.CALIBRATION_COST", cost, classes="all", folder=f"all_{cost}")
        everything.load_model(str(tmp_path / "run"))
        everything.test()
        records[cost] = json.loads((tmp_path / f"all_{cost}" / "results.json").read_text())
    for record in records.values():
        by_class = record["per_class_accuracy"]
        metrics = record["metrics"]
        assert metrics["seen"] == pytest.approx(sum(by_class[name] for name in BASE) / 3, abs=1e-3)
        assert metrics["unseen"] == pytest.approx(sum(by_class[name] for name in NEW) / 3, abs=1e-3)
        assert record["model"] == str(tmp_path / "run")
    assert records[50.0]["metrics"]["unseen"] >= records[0.0]["metrics"]["unseen"]
    assert records[50.0]["metrics"]["seen"] <= records[0.0]["metrics"]["seen"]


def test_each_stage_has_curves_of_its_own_and_its_last_means_in_the_results(ship, tmp_path):
    trainer = ship()
    trainer.train()
    events = EventAccumulator(str(tmp_path / "run/tensorboard"))
    events.Reload()
    curves = set(events.Tags()["scalars"])
    assert {f"PromptVAE/{name}" for name in ("loss", "rec", "kl", "active", "lr")} <= curves
    assert {f"train/{name}" for name in ("loss", "acc", "lr")} <= curves
    assert len(events.Scalars("PromptVAE/loss")) == 3  # epochs of one step
    assert len(events.Scalars("train/loss")) == 2 * 3
    trained = json.loads((tmp_path / "run/results.json").read_text())["training"]
    assert trained["PromptVAE"]["kl"] == pytest.approx(events.Scalars("PromptVAE/kl")[-1].value, rel=1e-4)
    assert trained["SHIP"]["loss"] == pytest.approx(events.Scalars("train/loss")[-1].value, rel=1e-4)


def test_curves_count_the_steps_of_their_stage_and_figures_the_epochs(ship, tmp_path):
    """What trackers that read TensorBoard show: no two values of a curve at one step, and no curve of two stages."""
    ship().train()
    events = EventAccumulator(str(tmp_path / "run/tensorboard"))
    events.Reload()
    steps = {tag: [event.step for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    stages = {tag.partition("/")[0] for tag in steps}
    assert stages == {"PromptVAE", "train", "test"}
    assert all(found == [0, 1, 2] for tag, found in steps.items() if tag.startswith("PromptVAE/"))
    assert all(found == list(range(6)) for tag, found in steps.items() if tag.startswith("train/"))
    assert all(len(found) == 1 for tag, found in steps.items() if tag.startswith("test/"))
    assert "test/accuracy" in steps


def test_number_of_loader_workers_does_not_change_a_run(ship, tmp_path):
    found = []
    for workers in (1, 2):
        trainer = ship("DATALOADER.NUM_WORKERS", workers, "TRAINER.FEATURES.VIEWS", 0, folder=f"run{workers}")
        trainer.train()
        found.append(json.loads((tmp_path / f"run{workers}/results.json").read_text())["training"])
    assert found[0] == found[1]


def test_banked_views_differ_and_are_the_same_with_and_without_workers(ship):
    banks = [ship("TRAINER.FEATURES.VIEWS", 2, "DATALOADER.NUM_WORKERS", workers).bank() for workers in (0, 1)]
    assert torch.equal(banks[0].features, banks[1].features)
    assert not torch.allclose(*banks[0].features)


def test_evaluation_features_are_in_the_order_of_the_images_whatever_the_sampler(ship):
    """As those from the cache are."""
    for _ in ("encoded", "from the cache"):
        trainer = ship("DATALOADER.TEST.SAMPLER", "RandomSampler")
        labels = [item.label for item in trainer.dm.dataset.test]
        assert trainer.evaluation_features("test")[1].tolist() == labels


def test_new_classes_of_one_name_keep_labels_of_their_own(ship, pets):
    """As two of ImageNet's have: the first to synthesize for comes behind the known classes."""
    split = pets / "oxford_pets/split_zhou_OxfordPets.json"
    split.write_text(split.read_text().replace('"boxer"', '"bombay"'))
    trainer = ship()
    trainer.choose_classes()
    assert trainer.classifier.classnames[3:] == ["bombay", "beagle", "bombay"]
    assert trainer.offset == 3
