"""The library: CLIP, Ship and estimators on features; the same objects, and the same weights, as train.py's."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score

from trainers.blocks.errors import InputError
from trainers.blocks.methods import METHODS
from trainers.library import Classifier, Clip, Ship, Synthesized, load_clip

NAMES = ["cat", "dog", "owl"]
SMALL = {"encoder_dim": 8, "generator_dim": 8, "epochs": 2, "batch_size": 4}
QUICK = {"epochs": 2, "batch_size": 4}


@pytest.fixture(scope="module")
def clip(tiny_clip) -> Clip:
    return load_clip(tiny_clip, device="cpu")


@pytest.fixture(scope="module")
def features(clip) -> torch.Tensor:
    """Twelve of unit length."""
    torch.manual_seed(0)
    return torch.nn.functional.normalize(torch.randn(12, clip.feature_dim), dim=-1)


LABELS = torch.arange(12) % 3
Y = [NAMES[label] for label in LABELS]


@pytest.fixture
def in_empty_folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_pictures_and_files_have_the_same_features_whatever_stands_beside_them(clip, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (3, 50, 60, 3), dtype=np.uint8)
    pictures = [Image.fromarray(one) for one in pixels]
    for number, one in enumerate(pictures):
        one.save(tmp_path / f"{number}.png")
    made = clip.encode_images(pictures, batch_size=4)
    assert torch.equal(made, clip.encode_images([tmp_path / f"{number}.png" for number in range(3)], batch_size=4))
    assert torch.equal(made[:1], clip.encode_images(pictures[:1], batch_size=4))
    torch.testing.assert_close(made.norm(dim=-1), torch.ones(3))


def test_text_has_the_template_or_the_mean_of_several(clip):
    one, other = clip.encode_text(NAMES, "a {}."), clip.encode_text(NAMES, "the {}.")
    mean = torch.nn.functional.normalize(one + other, dim=-1)
    torch.testing.assert_close(clip.encode_text(NAMES, ["a {}.", "the {}."]), mean)


def test_fitting_gives_the_weights_that_train_py_gives(ship, tiny_clip, clip):
    """Stage 1, and then both stages, on the features of the run's own training images."""
    short = ("TRAINER.SHIP.ENCODER_DIM", 8, "TRAINER.SHIP.GENERATOR_DIM", 8, "TRAINER.SHIP.BATCH_SIZE", 4)
    plain = ("TRAINER.FEATURES.AUGMENT", False, "TEST.NO_TEST", True, "OPTIM.LR", 0.1)
    run = ship(*short, *plain, "TRAINER.SHIP.OPTIM.MAX_EPOCH", 2, classes="base")
    run.train()
    items, names = run.dm.dataset.train_x, list(run.known_classes)
    batch = run.cfg.DATALOADER.TEST.BATCH_SIZE
    encoded = clip.encode_images([item.impath for item in items], batch_size=batch)
    assert torch.equal(encoded, run.bank().features[0])
    made = Ship(clip, seed=1, **SMALL).fit(encoded, [item.label for item in items], names)
    trained = run.vae.state_dict()
    assert all(torch.equal(value, trained[name]) for name, value in made.vae_.state_dict().items())


def test_coops_estimator_has_the_context_that_its_trainer_has(train_py, clip, pets):
    pairs = ("OPTIM.MAX_EPOCH", 2, "OPTIM.LR", 0.01, "DATALOADER.TRAIN_X.BATCH_SIZE", 4, "OPTIM.WARMUP_EPOCH", -1)
    ended = train_py("CoOp", "run", *pairs, "TRAINER.FEATURES.AUGMENT", False, "TRAINER.COOP.N_CTX", 4)
    assert ended.status == 0
    stored = torch.load(ended.folder / "prompt_learner/model.pth.tar-2", weights_only=False)["state_dict"]
    from datasets.label_only import read_as  # noqa: F401 - the loaders are registered
    from tests.datasets.trees import load

    items = load("OxfordPets", pets, shots=4, subset="base").train_x
    encoded = clip.encode_images([item.impath for item in items], batch_size=100)
    made = Classifier(clip, "CoOp", lr=0.01, options={"n_ctx": 4}, **QUICK).fit(encoded, [i.classname for i in items])
    torch.testing.assert_close(made.trainer_.classifier.learned.ctx.detach(), stored["ctx"], rtol=0, atol=0)


def test_features_are_synthesized_and_reconstructed(clip, features):
    ship = Ship(clip, **SMALL).fit(features, LABELS, NAMES)
    made = ship.synthesize(["fox", "wolf"], per_class=3)
    assert made.shape == (6, clip.feature_dim)
    assert torch.equal(made, ship.synthesize(["fox", "wolf"], per_class=3))
    assert not torch.equal(made, ship.synthesize(["fox", "wolf"], per_class=3, seed=2))
    again = ship.reconstruct(features, LABELS)
    assert again.shape == features.shape
    assert torch.equal(again, ship.reconstruct(features, LABELS))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_an_estimator_that_writes_nothing(name, clip, features, in_empty_folder):
    made = Classifier(clip, name, options={"n_ctx": 4} if "N_CTX" in METHODS[name].keys else None, **QUICK)
    assert made.fit(features, Y) is made
    probabilities = made.predict_proba(features)
    assert probabilities.shape == (12, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert list(made.classes_) == NAMES
    assert (made.predict(features) == made.classes_[probabilities.argmax(axis=1)]).all()
    assert made.score(features, Y) == np.mean(made.predict(features) == Y)
    assert not list(in_empty_folder.iterdir())


def test_an_estimator_is_cloned_and_cross_validated(clip, features):
    made = Classifier(clip, "CLIPAdapter", lr=0.1, **QUICK)
    assert made.get_params()["lr"] == 0.1
    assert clone(made.set_params(lr=0.2)).lr == 0.2
    assert cross_val_score(made, features.numpy(), Y, cv=2).shape == (2,)
    with pytest.raises(NotFittedError):
        made.predict(features)


@pytest.mark.parametrize("method", ["CoOp", "TipAdapterF"])
@pytest.mark.parametrize("fitted", [True, False])
def test_ship_on_an_estimator_also_knows_names(method, fitted, clip, features):
    ship = Ship(clip, **SMALL)
    if fitted:
        ship.fit(features, LABELS, NAMES)
    base = Classifier(clip, method, options={"n_ctx": 4} if method == "CoOp" else None, **QUICK)
    made = Synthesized(base, ship, ["fox", "ant"]).fit(features, Y)
    assert list(made.classes_) == [*NAMES, "fox", "ant"]
    assert made.predict_proba(features).shape == (12, 5)
    if fitted:
        learned = made.trainer_.vae.state_dict()
        assert all(torch.equal(value, learned[name]) for name, value in ship.vae_.state_dict().items())


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda clip, x: Ship(clip, kl_weigth=1.0), "no setting 'kl_weigth'. Did you mean kl_weight?"),
        (lambda clip, x: Ship(clip, kl_weight=-1.0).fit(x, LABELS, NAMES), "TRAINER.SHIP.KL_WEIGHT is -1.0"),
        (lambda clip, x: Classifier(clip, "Coop").fit(x, Y), "no method 'Coop'. Did you mean CoOp?"),
        (lambda clip, x: Classifier(clip).fit(x, ["cat"] * 12), "one class only: cat"),
        (lambda clip, x: Classifier(clip).fit(x, list(range(12))), "a class name for each of 12"),
        (lambda clip, x: Classifier().fit(x, Y), "clip is missing"),
        (lambda clip, x: Synthesized(Classifier(clip), Ship(clip), ["cat"]).fit(x, Y), "of which y has no features"),
    ],
)
def test_bad_input_is_named(call, said, clip, features):
    with pytest.raises(InputError, match=said.replace("?", r"\?")):
        call(clip, features)
