"""FeatureTrainer: which images a stage sees, in which order and views, and what features are kept by."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize
from torch.utils.data import Subset

from tests.golden import make_inputs
from trainers.blocks.clip.backbone import load_backbone
from trainers.blocks.clip.text_encoder import TextEncoder
from trainers.blocks.clip.whole_text import WholeTextEncoder
from trainers.blocks.errors import InputError

SMALL = ("TRAINER.SHIP.ENCODER_DIM", 8, "TRAINER.SHIP.GENERATOR_DIM", 8, "TEST.NO_TEST", True)
COOP = ("TRAINER.NAME", "CoOp", "TRAINER.COOP.PREC", "fp32", "TEST.NO_TEST", True)
TIP = ("TRAINER.NAME", "TipAdapterF", "TRAINER.TIPADAPTER.PREC", "fp32", "TEST.NO_TEST", True)


def recorded(trainer) -> dict[tuple[str, int], list[tuple]]:
    """Has a trainer note the batches of each epoch, by stage and epoch."""
    epochs: dict[tuple[str, int], list[tuple]] = {}
    forward_backward = trainer.forward_backward

    def note(batch):
        epochs.setdefault((trainer.stage.title, trainer.epoch), []).append(batch)
        return forward_backward(batch)

    trainer.forward_backward = note
    return epochs


def sizes(batches) -> list[int]:
    return [len(labels) for _, labels in batches]


@pytest.mark.parametrize("views", [0, 1])
@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (COOP, [5, 5]),  # as Dassl does
        (TIP, [5, 5, 2]),
        ((*TIP, "TRAINER.TIPADAPTER.DROP_LAST", True), [5, 5]),
        ((*SMALL, "TRAINER.SHIP.SYNTHESIZED", 1), [6, 6, 3]),
        ((*SMALL, "TRAINER.SHIP.SYNTHESIZED", 1, "TRAINER.SHIP.DROP_LAST", True), [6, 6]),
    ],
)
def test_incomplete_last_batch_is_dropped_or_kept_as_the_method_says(pairs, expected, views, ship):
    """Twelve images, which five do not divide; SHIP adds a synthesized one to each batch."""
    trainer = ship(*pairs, "TRAINER.FEATURES.VIEWS", views, "DATALOADER.TRAIN_X.BATCH_SIZE", 5)
    if trainer.cfg.TRAINER.NAME == "SHIP":
        trainer.choose_classes()
    batches = trainer.main_batches()
    assert sizes(batches) == expected
    assert len(batches) == len(expected)


@pytest.mark.parametrize("views", [0, 1])
def test_first_stage_keeps_an_incomplete_last_batch_whatever_the_second_does(views, ship):
    pairs = ("TRAINER.FEATURES.VIEWS", views, "TRAINER.SHIP.BATCH_SIZE", 5, "TRAINER.SHIP.DROP_LAST", True)
    assert sizes(ship(*SMALL, *pairs).vae_stage().batches) == [5, 5, 2]


@pytest.mark.parametrize("views", [0, 1])
def test_every_image_comes_once_in_an_epoch_of_the_first_stage_in_another_order(views, ship):
    trainer = ship(*SMALL, "TRAINER.FEATURES.VIEWS", views, "TRAINER.SHIP.BATCH_SIZE", 5)
    in_order = [item.label for item in trainer.dm.dataset.train_x]
    batches = trainer.vae_stage().batches
    first, second = (torch.cat([labels for _, labels in batches]).tolist() for _ in range(2))
    assert sorted(first) == sorted(second) == sorted(in_order)
    assert len({tuple(first), tuple(second), tuple(in_order)}) == 3


@pytest.mark.parametrize(("workers", "augment"), [(0, True), (1, True), (0, False), (1, False)])
def test_images_look_new_in_every_epoch_of_both_stages_where_they_are_augmented(workers, augment, ship):
    trainer = ship(
        *SMALL,
        *("TRAINER.FEATURES.VIEWS", 0, "TRAINER.FEATURES.AUGMENT", augment, "DATALOADER.NUM_WORKERS", workers),
        *("TRAINER.SHIP.OPTIM.MAX_EPOCH", 2, "TRAINER.SHIP.BATCH_SIZE", 6),
    )
    epochs = recorded(trainer)
    trainer.train()
    assert [len(epochs["PromptVAE", epoch]) for epoch in (0, 1)] == [2, 2]
    assert [len(epochs["SHIP", epoch]) for epoch in (0, 1)] == [3, 3]
    for batches in epochs.values():
        seen = [features[labels < 3] for features, labels in batches]  # the real ones
        assert sum(map(len, seen)) == 12
    views = torch.cat([features[labels < 3] for batches in epochs.values() for features, labels in batches])
    views = views.half()  # as stage 2 has them
    assert len(views.unique(dim=0)) == (4 * 12 if augment else 12)


def test_banked_images_come_in_all_of_their_views(ship):
    trainer = ship(*COOP, "TRAINER.FEATURES.VIEWS", 3, "DATALOADER.TRAIN_X.BATCH_SIZE", 5)
    bank, batches = trainer.bank(), trainer.main_batches()
    seen = torch.cat([features for _ in range(40) for features, _ in batches]).unique(dim=0)
    assert bank.features.shape[:2] == (3, 12)
    assert torch.equal(seen, bank.features.flatten(end_dim=1).unique(dim=0))


@pytest.mark.parametrize("pairs", [("TRAINER.FEATURES.VIEWS", 3), ("TRAINER.FEATURES.VIEWS", 0)])
def test_a_caches_keys_are_the_normalized_mean_of_an_images_views(pairs, ship):
    trainer = ship(*TIP, *pairs, "TRAINER.TIPADAPTER.VIEWS", 3)
    features, labels = trainer.features_to_remember()
    views = trainer.encode_views(3).features
    torch.testing.assert_close(features, normalize(views.sum(dim=0), dim=-1))
    torch.testing.assert_close(features.norm(dim=-1), torch.ones(12))
    assert views.mean(dim=0).norm(dim=-1).max() < 0.9999  # so that it matters
    assert labels.tolist() == [item.label for item in trainer.dm.dataset.train_x]


@pytest.mark.parametrize("banked", [0, 3])
def test_a_method_that_takes_views_apart_remembers_each_of_its_first_ones(banked, ship):
    pairs = ("TRAINER.NAME", "GDA", "TRAINER.GDA.PREC", "fp32", "TRAINER.GDA.VIEWS", 2)
    trainer = ship(*pairs, "TRAINER.FEATURES.VIEWS", banked)
    features, labels = trainer.features_to_remember()
    assert torch.equal(features, trainer.encode_views(2).features.flatten(end_dim=1))
    assert labels.tolist() == 2 * [item.label for item in trainer.dm.dataset.train_x]


def test_a_method_of_no_views_remembers_what_the_test_would_see(ship):
    trainer = ship("TRAINER.NAME", "LinearProbe", "TRAINER.LINEARPROBE.PREC", "fp32", "TRAINER.FEATURES.VIEWS", 3)
    features, labels = trainer.features_to_remember()
    items = trainer.dm.dataset.train_x
    images = torch.stack([trainer.test_loader.dataset.transform(make_inputs.Image.open(i.impath)) for i in items])
    torch.testing.assert_close(features, trainer.backbone.encode_image(images), atol=1e-5, rtol=1e-5)
    assert labels.tolist() == [item.label for item in items]


@pytest.mark.parametrize("split", ["val", "test"])
def test_evaluation_features_are_those_of_the_splits_own_images(split, ship):
    """Also where they are read from the cache."""
    for _ in ("encoded", "from the cache"):
        trainer = ship(*COOP)
        items = trainer.dm.dataset.val if split == "val" else trainer.dm.dataset.test
        features, labels = trainer.evaluation_features(split)
        assert labels.tolist() == [item.label for item in items]
        images = torch.stack([trainer.test_loader.dataset.transform(make_inputs.Image.open(i.impath)) for i in items])
        expected = trainer.backbone.encode_image(images)
        torch.testing.assert_close(features, expected, atol=1e-5, rtol=1e-5)


@pytest.fixture
def count(encoded):
    """How many images a trainer encodes for a split."""

    def count(trainer, split: str = "test") -> int:
        encoded.clear()
        trainer.evaluation_features(split)
        return len(encoded)

    return count


@pytest.mark.parametrize(("split", "size"), [("val", 6), ("test", 12)])
def test_a_changed_image_of_the_split_is_encoded_again(split, size, ship, count):
    assert count(ship(*COOP), split) == size
    assert count(ship(*COOP), split) == 0
    trainer = ship(*COOP)
    other = {"val": trainer.dm.dataset.test, "test": trainer.dm.dataset.val}[split]
    make_inputs.Image.new("RGB", (64, 64)).save(other[0].impath, format="PNG")
    assert count(ship(*COOP), split) == 0
    own = {"val": trainer.dm.dataset.val, "test": trainer.dm.dataset.test}[split]
    make_inputs.Image.new("RGB", (64, 64)).save(own[0].impath, format="PNG")
    assert count(ship(*COOP), split) == 1


@pytest.fixture
def other_clip(tiny_clip, tmp_path) -> Path:
    """The same CLIP with one weight of its image encoder changed."""
    weights = torch.load(tiny_clip, weights_only=True)
    weights["visual.conv1.weight"][0, 0, 0, 0] += 1
    torch.save(weights, tmp_path / "other_clip.pt")
    return tmp_path / "other_clip.pt"


@pytest.mark.parametrize(
    "pairs",
    [
        ("INPUT.INTERPOLATION", "nearest"),
        ("INPUT.PIXEL_MEAN", "[0.5, 0.5, 0.5]"),
        ("INPUT.PIXEL_STD", "[0.5, 0.5, 0.5]"),
        ("INPUT.TRANSFORMS", "('random_resized_crop', 'random_flip')"),
        ("INPUT.TRANSFORMS", "('random_flip', 'normalize', 'instance_norm')"),
        ("DATALOADER.TEST.BATCH_SIZE", 7),
        ("TRAINER.COOP.PREC", "bf16"),
        ("TRAINER.FEATURES.IMAGE_PREC", "bf16"),
    ],
)
def test_features_are_not_read_where_what_made_them_differs(pairs, ship, count):
    assert count(ship(*COOP)) == 12
    assert count(ship(*COOP, *pairs)) == 12


@pytest.mark.parametrize(
    "pairs",
    [
        ("OPTIM.LR", 0.5, "SEED", 2),
        ("INPUT.RRCROP_SCALE", "(0.1, 0.2)"),
        ("INPUT.TRANSFORMS", "('normalize',)"),
        ("TRAINER.FEATURES.AUGMENT", False),
    ],
)
def test_features_are_read_where_training_alone_differs(pairs, ship, count):
    assert count(ship(*COOP)) == 12
    assert count(ship(*COOP, *pairs)) == 0


def test_features_of_another_backbone_are_not_read(ship, other_clip, count):
    assert count(ship(*COOP)) == 12
    assert count(ship(*COOP, backbone=other_clip)) == 12


def test_parts_of_a_dataset_share_features_that_are_bit_for_bit_their_own(ship, count):
    """A feature does not depend on the images beside it, so that it does not matter which run came first."""
    own = {part: ship(*COOP, "TRAINER.FEATURES.CACHE", False, classes=part) for part in ("all", "base", "new")}
    asked = [count(ship(*COOP, classes="new")), count(ship(*COOP, classes="all")), count(ship(*COOP))]
    assert asked == [12, 12, 0]
    for part, trainer in own.items():
        shared = ship(*COOP, classes=part).evaluation_features("test")
        assert [torch.equal(*pair) for pair in zip(shared, trainer.evaluation_features("test"), strict=True)] == [
            True
        ] * 2


@pytest.mark.parametrize("images", [1, 3])
def test_feature_of_few_images_is_that_among_many(images, ship):
    """Where a batch of few would be computed in another way, as by PyTorch on a CPU."""
    trainer = ship(*COOP, "TRAINER.FEATURES.CACHE", False)
    items, dataset = trainer.dm.dataset.test, trainer.test_loader.dataset
    whole, _ = trainer.plain_features(dataset, items, "all")
    some, labels = trainer.plain_features(Subset(dataset, range(images)), items[:images], "some")
    assert torch.equal(some, whole[:images])
    assert labels.tolist() == [item.label for item in items[:images]]


def test_training_images_that_are_not_augmented_are_kept_by_image(ship, encoded):
    first = ship(*COOP, "TRAINER.FEATURES.AUGMENT", False, "DATASET.NUM_SHOTS", 2).bank()
    more = ship(*COOP, "TRAINER.FEATURES.AUGMENT", False, "DATASET.NUM_SHOTS", -1).bank()
    assert (first.features.shape[:2], more.features.shape[:2]) == ((1, 6), (1, 18))
    assert len(encoded) == len(set(encoded)) == 18


def test_lists_that_begin_alike_share_views_that_are_bit_for_bit_their_own(ship, encoded):
    """As base classes' images do among all; and more views share those that fewer have."""
    some = (*COOP, "DATASET.NUM_SHOTS", 2, "TRAINER.FEATURES.VIEWS")
    own = {part: ship(*some, 2, "TRAINER.FEATURES.CACHE", False, classes=part).bank() for part in ("base", "all")}
    encoded.clear()
    for part, views, expected in [("base", 2, 12), ("all", 2, 12), ("base", 3, 6), ("base", 2, 0), ("all", 2, 0)]:
        bank = ship(*some, views, classes=part).bank()
        assert len(encoded) == expected
        assert torch.equal(bank.features[:2], own[part].features) and torch.equal(bank.labels, own[part].labels)
        encoded.clear()


def test_results_say_how_many_images_were_encoded_and_how_many_read(ship):
    first, second = ({"encoded": 12, "read": 0}, {"encoded": 0, "read": 12})
    for expected in (first, second):
        trainer = ship(*COOP, "TRAINER.FEATURES.VIEWS", 1, "TEST.NO_TEST", False, "OPTIM.MAX_EPOCH", 1)
        trainer.train()
        record = json.loads(Path(trainer.output_dir, "results.json").read_text(encoding="utf-8"))
        assert record["images"] == {"views": expected, "test": expected}


def test_views_of_another_seed_or_transform_are_not_read(ship):
    first = ship(*COOP).bank().features
    assert torch.equal(ship(*COOP).bank().features, first)
    for pairs in (("SEED", 2), ("INPUT.RRCROP_SCALE", "(0.1, 0.2)"), ("TRAINER.FEATURES.AUGMENT", False)):
        assert not torch.equal(ship(*COOP, *pairs).bank().features, first)


def rates(trainer) -> list[float]:
    """The learning rate of each of the main stage's steps."""
    found, forward_backward = [], trainer.forward_backward

    def note(batch):
        if trainer.stage.title == trainer.cfg.TRAINER.NAME:
            found.append(trainer.optimizer.param_groups[0]["lr"])
        return forward_backward(batch)

    trainer.forward_backward = note
    trainer.train()
    return found


WARM_UP = ("OPTIM.WARMUP_EPOCH", 1, "OPTIM.WARMUP_TYPE", "constant", "OPTIM.WARMUP_CONS_LR", 1e-5, "OPTIM.LR", 0.1)


@pytest.mark.parametrize("pairs", [SMALL, COOP, (*TIP, "OPTIM.NAME", "adamw")])
def test_warm_up_lasts_whole_epochs_whether_or_not_the_schedule_goes_on_with_every_step(pairs, ship):
    found = rates(ship(*pairs, *WARM_UP, "OPTIM.MAX_EPOCH", 3))
    assert found[:3] == [1e-5] * 3  # twelve images in batches of four
    assert found[3] == pytest.approx(0.1, rel=0.1 if pairs is COOP else 0.3)
    assert len(found) == 9
    assert len(set(found[3:])) == (2 if pairs is COOP else 6)


@pytest.mark.parametrize(
    ("pairs", "eps"),
    [
        ((*SMALL, "TRAINER.SHIP.ADAM_EPS", 1e-3), 1e-3),
        ((*SMALL, "TRAINER.SHIP.CLASSIFIER", "TipAdapterF", "TRAINER.SHIP.ADAM_EPS", 1e-2), 1e-2),
        ((*TIP, "TRAINER.TIPADAPTER.ADAM_EPS", 1e-3), 1e-3),
        (COOP, 1e-8),
    ],
)
def test_eps_of_adam_is_the_methods_own(pairs, eps, ship):
    trainer = ship(*pairs, "OPTIM.NAME", "adamw")
    assert [group["eps"] for group in trainer.optimizer.param_groups] == [eps]


def test_states_say_how_many_epochs_of_which_stage_are_over(ship, monkeypatch):
    trainer, kept = ship(*SMALL), []
    write = trainer.states.write

    def note(about, state=None) -> None:
        kept.append((about["stage"], about["epoch"]))

    monkeypatch.setattr(trainer.states, "save", note)
    monkeypatch.setattr(trainer.states, "write", lambda saved: (note(saved.about), write(saved)))
    trainer.train()
    assert kept == [*(("PromptVAE", epoch) for epoch in range(4)), ("SHIP", 1), ("SHIP", 2)]


def test_results_name_the_checkpoint_that_training_left(ship, tmp_path):
    ship(*SMALL[:-2]).train()
    left = json.loads((tmp_path / "run/results.json").read_text())["checkpoint"]
    assert left["sha256"] == hashlib.sha256((tmp_path / "run" / left["file"]).read_bytes()).hexdigest()


def test_what_the_last_epoch_came_to_is_kept_by_stage(ship, tmp_path):
    trainer = ship(*SMALL[:-2])
    epochs, losses = recorded(trainer), []
    forward_backward = trainer.forward_backward

    def note(batch):
        figures = forward_backward(batch)
        losses.append((trainer.stage.title, trainer.epoch, figures["loss"]))
        return figures

    trainer.forward_backward = note
    trainer.train()
    assert len(epochs) == 3 + 2
    trained = json.loads((tmp_path / "run/results.json").read_text())["training"]
    for title, last in (("PromptVAE", 2), ("SHIP", 1)):
        own = [loss for stage, epoch, loss in losses if (stage, epoch) == (title, last)]
        assert trained[title]["loss"] == pytest.approx(own[-1] if len(own) == 1 else sum(own) / len(own), rel=1e-6)


def test_threads_do_not_decide_what_features_are_kept_by(ship):
    keys, threads = [], torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            keys.append(ship().cache.about)
    finally:
        torch.set_num_threads(threads)
    assert keys[0] == keys[1]


def test_precisions_of_the_text_tower_alone_do_not_decide_what_features_are_kept_by(ship):
    """fp16, amp and mixed have the same image tower, as a GPU computes in it."""
    keys = []
    for name in ("fp16", "amp", "mixed", "fp32"):
        trainer = ship()
        trainer.backbone = load_backbone(trainer.cfg.MODEL.BACKBONE.NAME, name, "cpu")
        trainer.numerics.name = trainer.numerics.in_effect["precision"] = name
        keys.append(trainer.cache.about)
    assert keys[0] == keys[1] == keys[2] != keys[3]


def test_tf32_is_off_unless_the_key_says_so_and_is_in_what_features_are_kept_by(ship):
    try:
        for wanted in (True, False):
            trainer = ship("TRAINER.TF32", wanted)
            assert torch.backends.cudnn.allow_tf32 == torch.backends.cuda.matmul.allow_tf32 == wanted
            assert trainer.cache.about["device"] == {"device": "cpu", "tf32": False}
    finally:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


def test_cudnn_tries_algorithms_for_towers_of_convolutions_on_gpus_alone(ship, monkeypatch):
    trainer = ship()
    assert not torch.backends.cudnn.benchmark
    monkeypatch.setattr(trainer, "device", torch.device("cuda"))
    assert not trainer.tries_convolutions()
    convolutions = torch.nn.Sequential(*(torch.nn.Conv2d(3, 3, 1) for _ in range(2)))  # as a ResNet has
    monkeypatch.setattr(trainer.backbone.image, "tower", convolutions)
    assert trainer.tries_convolutions()
    monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: True)
    assert not trainer.tries_convolutions()


@pytest.mark.parametrize("classifier", ["CoOp", "ProGrad"])
@pytest.mark.parametrize("loss", ["joint", "split"])
def test_a_run_whose_memory_runs_out_in_each_stage_has_the_figures_of_one_whose_does_not(
    classifier, loss, ship, monkeypatch, capsys
):
    """In the backward pass of stage 1, and in stage 2 also while the method classifies among some classes."""
    times = 3 if loss == "joint" else 2

    def losses(folder: str, full: bool) -> list[float]:
        pairs = ("TRAINER.SHIP.CLASSIFIER", classifier, "TRAINER.SHIP.LOSS", loss, "OPTIM.LR", 1e-3)
        trainer = ship(*SMALL, *pairs, folder=folder)
        failed, found, forward_backward = set(), [], trainer.forward_backward
        backward, encode = trainer.numerics.backward, trainer.backbone.encode_prompts

        def fail(where: str) -> None:
            if full and (trainer.stage.title, where) not in failed:
                failed.add((trainer.stage.title, where))
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

        def without_memory(*arguments) -> None:
            if len(found) % 2 and (loss == "joint" or trainer.stage.title != "SHIP"):
                fail("backward")  # once alone, where there are too few classes for a quarter
            backward(*arguments)

        def encode_without_memory(*arguments) -> torch.Tensor:
            features = encode(*arguments)
            if trainer.stage.title == "SHIP" and torch.is_grad_enabled() and not len(found) % 2:
                fail("forward")
            return features

        def note(batch):
            figures = forward_backward(batch)
            found.append(figures["loss"])
            return figures

        monkeypatch.setattr(trainer.numerics, "backward", without_memory)
        monkeypatch.setattr(trainer.backbone, "encode_prompts", encode_without_memory)
        trainer.forward_backward = note
        trainer.train()
        assert len(failed) == (times if full else 0)
        return found

    expected = losses("expected", full=False)
    capsys.readouterr()
    assert losses("found", full=True) == pytest.approx(expected, rel=1e-4)
    assert capsys.readouterr().out.count("at once from here on (TRAINER.TEXT_CHUNK)") == times


@pytest.fixture
def in_hardware(monkeypatch):
    """A CPU that computes in bf16."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)


def test_prompts_in_bf16_are_named_in_the_record_and_leave_images_as_they_are(ship, in_hardware, count, tmp_path):
    assert count(ship(*COOP)) == 12
    trainer = ship(*COOP[:4], "TRAINER.TEXT_PREC", "bf16", folder="bf16")
    assert trainer.backbone.text.autocast == torch.bfloat16 and count(trainer) == 0
    trainer.train()
    record = json.loads((tmp_path / "bf16/results.json").read_text(encoding="utf-8"))
    assert record["numerics"] == {"device": "cpu", "precision": "fp32", "tf32": False, "text": "bf16"}
    assert {weights.dtype for weights in trainer.classifier.learned.parameters()} == {torch.float32}


def test_prompts_in_bf16_make_another_run(ship):
    one, other = (ship(*COOP, "TRAINER.TEXT_PREC", precision) for precision in ("", "bf16"))
    assert one.identity["hash"] != other.identity["hash"]


def test_a_tower_that_runs_whole_is_not_cast(ship, in_hardware, monkeypatch):
    monkeypatch.setattr(TextEncoder, "cast", WholeTextEncoder.cast)
    with pytest.raises(InputError, match=r"TRAINER\.TEXT_PREC"):
        ship(*COOP, "TRAINER.TEXT_PREC", "bf16")
