"""LP++ against the figures of its authors' code, and the linear probe against its definition."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from tests.golden.peers_features import NAMES, NEW_NAMES, RUNS, MadeUp, gap, make
from trainers.blocks.errors import InputError
from trainers.blocks.methods.linear_probe import LinearProbe
from trainers.blocks.methods.lp_plus_plus import LPplusplus

WITHIN = 1e-4


@pytest.fixture
def made() -> dict:
    return make(1)


def lp(made: dict, seed: int = 1, **options) -> LPplusplus:
    classifier = LPplusplus.of(MadeUp(made), NAMES, **options)
    torch.manual_seed(seed)  # as the records: it decides the bias
    classifier.remember(*made["train"])
    return classifier


@pytest.mark.parametrize("seed", [1, 2])
def test_losses_text_weights_and_logits_of_lp_plus_plus_are_the_authors(seed):
    made, run = make(seed), RUNS[f"LPpp/fp32/seed{seed}"]
    classifier = lp(made, seed, STEPS=run["steps"])
    features, labels = made["train"]
    text = classifier.text_features
    heads = [tuple(tensor.clone() for tensor in head) for head in classifier.steps()]
    losses = [cross_entropy(classifier.head_logits(features, text, *head), labels).item() for head in heads]
    torch.testing.assert_close(torch.tensor(losses[:-1]), torch.tensor(run["losses"][1:]), atol=1e-5, rtol=0)
    assert gap(torch.stack([heads[0][2], heads[10][2], heads[20][2]]), run["alpha_at_steps_1_11_21"]) < WITHIN
    for name, tensor in zip(("weight", "bias", "alpha"), heads[-1], strict=True):
        whole = name != "weight"
        found = tensor if whole else tensor[:, :4]
        assert gap(found, run[f"{name}_end" if whole else "weight_end_first4"]) < WITHIN
    assert gap(classifier.predict(made["test"][0]), run["final_test_logits"]) < WITHIN


@pytest.mark.parametrize("seed", [1, 2])
def test_lp_plus_plus_takes_the_step_that_the_authors_take(seed, capsys):
    made, run = make(seed), RUNS[f"LPpp/fp32/seed{seed}"]
    classifier = lp(made, seed, STEPS=run["steps"])
    classifier.tune(*made["val"])
    best = max(run["val_accuracy"])
    assert f"step {run['best_step_from_0'] + 1}, accuracy {best:.2f}%" in capsys.readouterr().out
    right = (classifier.predict(made["test"][0]).argmax(dim=-1) == made["test"][1]).float().mean()
    assert 100 * right == pytest.approx(run["reported_test_accuracy"], abs=1e-3)


def test_the_records_tell_summed_from_single_gradients_of_the_text_weights(made):
    """A deliberate error: text weights that follow their gradient every step end elsewhere."""
    run = RUNS["LPpp/fp32/seed1"]
    assert gap(lp(made, STEPS=30).learned.text_weight, run["alpha_end"]) < WITHIN
    assert gap(lp(made, STEPS=30, TEXT_EVERY=1).learned.text_weight, run["alpha_end"]) > 100 * WITHIN


def test_lp_plus_plus_without_a_search_keeps_its_last_step(made):
    classifier = lp(made, 2, STEPS=30, SEARCH=False)
    before = classifier.learned.weight.clone()
    classifier.tune(*made["val"])
    assert torch.equal(classifier.learned.weight, before)


def test_lp_plus_plus_searches_among_classes_without_images_too(made, capsys):
    classifier = lp(made, STEPS=30)
    features, labels = made["val"]
    with classifier.among([*NAMES, *NEW_NAMES]):
        classifier.tune(features, labels)
        right = (classifier.predict(features).argmax(dim=-1) == labels).float().mean()
    assert f"accuracy {100 * right:.2f}%" in capsys.readouterr().out
    assert len(classifier.learned.weight) == len(NAMES)


def test_lp_plus_plus_leaves_classes_without_images_their_text_feature(made):
    classifier = lp(made, STEPS=30)
    features = made["test_new"][0]
    classifier.select([NEW_NAMES[0], NAMES[1], NEW_NAMES[1]])
    logits = classifier.predict(features)
    mean = classifier.learned.text_weight.mean()
    torch.testing.assert_close(logits[:, 0], mean * features @ made["text_new"][0])
    classifier.select(NAMES)
    torch.testing.assert_close(logits[:, 1], classifier.predict(features)[:, 1])


@pytest.mark.parametrize("method", [LPplusplus, LinearProbe])
def test_what_a_linear_method_learned_follows_its_class_names(method, made):
    first, second = method.of(MadeUp(made), NAMES), method.of(MadeUp(made), NAMES[::-1])
    first.remember(*made["train"])
    second.learned.load_state_dict(first.learned.state_dict())
    features = made["test"][0]
    torch.testing.assert_close(second.predict(features), first.predict(features)[:, range(4, -1, -1)])


def probe(made: dict, **options) -> LinearProbe:
    classifier = LinearProbe.of(MadeUp(made), NAMES, **options)
    classifier.remember(*made["train"])
    return classifier


def test_the_linear_probe_is_at_the_minimum_of_its_penalized_loss(made):
    features, labels = made["train"]
    classifier = probe(made, C=10.0, MAX_ITER=10000)
    weight, bias = (tensor.detach().clone().requires_grad_() for tensor in classifier.learned.among(NAMES))
    loss = cross_entropy(features @ weight.t() + bias, labels, reduction="sum") + weight.square().sum() / (2 * 10)
    gradients = torch.autograd.grad(loss, (weight, bias))
    assert max(gradient.abs().max() for gradient in gradients) < 1e-2  # at weights of 0 it is 5
    torch.testing.assert_close(classifier.predict(features), features @ weight.t() + bias)


def test_the_linear_probe_searches_powers_then_halves_the_interval(made, monkeypatch, capsys):
    classifier, tried = probe(made, SEARCH_STEPS=2), []
    fitted = LinearProbe.fitted
    monkeypatch.setattr(LinearProbe, "fitted", lambda self, power: tried.append(power) or fitted(self, power))
    classifier.tune(*made["val"])
    monkeypatch.undo()
    powers = [6, 4, 2, 0, -2, -4, -6]
    best = max(powers, key=lambda power: accuracy(made, power))
    assert tried[:7] == powers
    assert sorted(tried[7:9]) == [best - 1, best + 1]
    assert tried[9:] == []  # the second halving's ends are one of the first's and the best power
    power = torch.tensor(float(capsys.readouterr().out.split("C ")[1].split(",")[0])).log10().item()
    chosen = probe(made, C=10**power, SEARCH=False)
    torch.testing.assert_close(chosen.learned.weight, classifier.learned.weight, atol=0.05, rtol=0.05)


def accuracy(made: dict, power: float) -> int:
    features, labels = made["val"]
    return int((probe(made, C=10.0**power).predict(features).argmax(dim=-1) == labels).sum())


def test_the_linear_probe_of_two_classes_and_of_one(made):
    features, labels = made["train"]
    two = LinearProbe.of(MadeUp(made), NAMES[:2])
    two.remember(features[labels < 2], labels[labels < 2])
    right = two.predict(features[labels < 2]).argmax(dim=-1) == labels[labels < 2]
    assert right.float().mean() > 0.8
    one = LinearProbe.of(MadeUp(made), NAMES[:1])
    one.remember(features[labels < 1], labels[labels < 1])
    assert one.predict(features).shape == (len(features), 1)


def test_the_linear_probe_refuses_classes_that_it_was_not_fitted_to(made):
    classifier = probe(made)
    classifier.select([NAMES[0], *NEW_NAMES])
    with pytest.raises(InputError, match="no images of 3 classes: x, y, z"):
        classifier.predict(made["test"][0])


def test_the_penalty_is_that_of_the_key(made):
    sizes = [probe(made, C=C).learned.weight.norm().item() for C in (1e-3, 1.0, 1e3)]
    assert sizes == sorted(sizes) and sizes[2] > 10 * sizes[0]
