"""Training on pictures of some classes and the names of others, and making up for classes with few pictures."""

import json
from collections import Counter

import pytest
import torch

from trainers.blocks.synthesis.synthesizers import MixedBatches, lacking

KNOWN, NAMED = ["abyssinian", "bengal", "birman", "bombay"], ["beagle", "boxer"]
ONLY = ("DATASET.LABEL_ONLY", "beagle, boxer")
SMALL = ("TRAINER.SHIP.ENCODER_DIM", 8, "TRAINER.SHIP.GENERATOR_DIM", 8)
BALANCE = ("TRAINER.SHIP.BALANCE", True)


@pytest.fixture
def few(pets):
    """The same pets, of which bombay has one training image and bengal two."""
    path = pets / "oxford_pets/split_zhou_OxfordPets.json"
    split, left = json.loads(path.read_text()), {"bombay": 1, "bengal": 2}
    seen = Counter()
    kept = []
    for row in split["train"]:
        seen[row[2]] += 1
        if seen[row[2]] <= left.get(row[2], 4):
            kept.append(row)
    path.write_text(json.dumps({**split, "train": kept}))


def test_ship_trains_among_all_and_opens_no_picture_of_a_named_class_before_the_test(ship, encoded):
    trainer = ship(*ONLY, *SMALL, "TEST.NO_TEST", True, classes="all")
    trainer.train()
    assert trainer.classifier.classnames == KNOWN + NAMED
    assert trainer.synthesizer.classnames == NAMED
    assert encoded
    assert not [path for path in encoded if any(name in path for name in NAMED)]


def test_a_run_reports_seen_and_unseen_classes_that_compete(train_py):
    ended = train_py("SHIP", "run", *ONLY, *SMALL, "OPTIM.MAX_EPOCH", 1, classes="all")
    assert ended.results["metrics"].keys() >= {"accuracy", "seen", "unseen", "harmonic"}
    assert ended.results["classnames"] == KNOWN + NAMED
    again = train_py(
        *("SHIP", "again", *ONLY, *SMALL, "OPTIM.MAX_EPOCH", 1),
        flags=("--eval-only", "--model-dir", ended.folder),
        classes="all",
    )
    assert again.results["metrics"] == ended.results["metrics"]


def test_methods_that_know_new_classes_take_it_and_others_say_what_to_do(train_py):
    ended = train_py("CoOp", "coop", *ONLY, "OPTIM.MAX_EPOCH", 1, classes="all")
    assert ended.results["metrics"].keys() >= {"seen", "unseen"}
    refused = train_py("TipAdapter", "tip", *ONLY, classes="all")
    assert refused.status == 2
    assert "train SHIP on it" in refused.stderr


def test_figures_of_unseen_classes_need_test_pictures_of_some(train_py):
    ended = train_py("SHIP", "run", "DATASET.LABEL_ONLY", "red fox", *SMALL, "OPTIM.MAX_EPOCH", 1, classes="all")
    assert ended.results["classnames"][-1] == "red fox"
    assert "unseen" not in ended.results["metrics"]


def test_classes_lack_what_the_largest_has_more():
    assert lacking([0, 0, 2, 0], 4).tolist() == [0, 3, 2, 3]


def test_balanced_all_classes_weigh_alike(ship, few):
    trainer = ship(*ONLY, *SMALL, *BALANCE, "TRAINER.SHIP.SYNTHESIS", "untrained", classes="all")
    trainer.choose_classes()
    assert trainer.lacking.tolist() == [0, 2, 0, 3, 4, 4]
    batches = trainer.main_batches()
    torch.manual_seed(0)
    counts = torch.zeros(6)
    for _ in range(300):
        for _, labels in batches:
            counts += torch.bincount(labels, minlength=6)
    assert len(labels) == 3 + round(3 * 13 / 11)  # of the last batch, 3 real
    share = counts / counts.sum()
    assert (share - 1 / 6).abs().max() < 0.01


def test_balanced_a_cache_has_as_many_keys_of_each_class(ship, few):
    cache = ("TRAINER.SHIP.CLASSIFIER", "TipAdapterF", "TRAINER.SHIP.SYNTHESIS", "text")
    trainer = ship(*ONLY, *SMALL, *BALANCE, *cache, classes="all")
    trainer.choose_classes()
    _, labels = trainer.features_to_remember()
    assert torch.bincount(labels).tolist() == [4] * 6


def test_where_all_classes_have_as_many_balance_changes_nothing(ship):
    plain, balanced = (ship(*pairs, *SMALL, classes="all") for pairs in ((), BALANCE))
    for trainer in (plain, balanced):
        trainer.choose_classes()
    assert balanced.synthesizer.shares is None
    assert isinstance(balanced.main_batches().batches, MixedBatches)
    assert balanced.main_batches().batches.ratio == plain.main_batches().batches.ratio == 1


def test_balance_decides_the_number(train_py):
    refused = train_py("SHIP", "run", *BALANCE, "TRAINER.SHIP.SYNTHESIZED", 8)
    assert refused.status == 2
    assert "SYNTHESIZED has to be 0" in refused.stderr
