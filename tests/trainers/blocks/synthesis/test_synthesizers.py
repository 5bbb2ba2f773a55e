"""Synthesized features: what moves them, and where gradients go."""

import pytest
import torch
from dassl.data.datasets import DatasetBase, Datum
from torch.nn.functional import normalize
from yacs.config import CfgNode

from trainers.blocks.clip.backbone import Backbone
from trainers.blocks.clip.prompts import tokenize
from trainers.blocks.clip.tokenizer import clip_tokenizer
from trainers.blocks.clip.wording import Wording
from trainers.blocks.features.batches import FeatureBank
from trainers.blocks.run.classes import Classes
from trainers.blocks.synthesis import kinds, synthesizers
from trainers.blocks.synthesis.kinds import needs_training
from trainers.blocks.synthesis.prompt_vae import PromptVAE
from trainers.blocks.synthesis.synthesizers import (
    GaussianSynthesizer,
    MixedBatches,
    SynthesizedBatches,
    VAESynthesizer,
    classes_to_synthesize,
)

SYNTHESES = ("vae", "untrained", "mean", "text", "gaussian")


def build_synthesizer(kind: str, *arguments: object) -> synthesizers.Synthesizer:
    return kinds.build(CfgNode({"SYNTHESIS": kind}), *arguments)


NAMES = ["cat", "yorkshire terrier", "boeing 747"]


@pytest.fixture
def synthesizer(backbone) -> VAESynthesizer:
    torch.manual_seed(0)
    vae = PromptVAE(backbone.feature_dim, backbone.text.width, n_ctx=4, encoder_dim=32, generator_dim=32)
    for parameter in vae.generator.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return VAESynthesizer(vae, backbone, NAMES)


def test_features_are_those_of_the_written_prompt(synthesizer, backbone):
    """With generator and context set to real words, the feature is that of the plain prompt."""
    for parameter in synthesizer.vae.generator.parameters():
        torch.nn.init.zeros_(parameter)
    words = tokenize("{}", ["this is a big"], clip_tokenizer())[:, 1:5]
    synthesizer.vae.ctx.data = backbone.text.embed(words)[0].clone()
    features = synthesizer(torch.randn(3, synthesizer.vae.latent_dim), torch.tensor([2, 0, 1]))
    expected = backbone.model.encode_text(
        tokenize("this is a big {}.", [NAMES[i] for i in (2, 0, 1)], clip_tokenizer())
    )
    torch.testing.assert_close(features, expected / expected.norm(dim=-1, keepdim=True), atol=1e-5, rtol=1e-5)


def test_features_of_a_class_move_with_z_and_with_its_name(synthesizer):
    z = torch.randn(2, synthesizer.vae.latent_dim)
    same_class = synthesizer(z, torch.tensor([0, 0]))
    other_class = synthesizer(z[:1], torch.tensor([1]))
    assert (same_class[0] - same_class[1]).norm() > 1e-3
    assert (same_class[0] - other_class[0]).norm() > 1e-3
    torch.testing.assert_close(synthesizer(z, torch.tensor([0, 0])), same_class)


def test_labels_are_drawn_uniformly_from_all_classes(synthesizer):
    torch.manual_seed(0)
    labels = synthesizer.random_labels(600)
    features = synthesizer.sample(labels)
    assert features.shape == (600, synthesizer.vae.latent_dim)
    torch.testing.assert_close(features.norm(dim=-1), torch.ones(600))
    assert all(150 < count < 250 for count in torch.bincount(labels, minlength=3).tolist())


def test_sampling_leaves_no_gradients(synthesizer):
    assert not synthesizer.sample(torch.tensor([0, 1, 2, 0])).requires_grad


@pytest.mark.parametrize("kind", SYNTHESES)
def test_every_kind_gives_normalized_features_of_its_classes(kind, synthesizer, backbone):
    bank = FeatureBank(normalize(torch.randn(2, 8, backbone.feature_dim), dim=-1), torch.arange(8) % 2)
    made = build_synthesizer(kind, NAMES, ["dog", "car"], synthesizer.vae, backbone, Wording(), lambda views: bank)
    labels = torch.arange(16) % 3
    features = made.sample(labels)
    torch.testing.assert_close(features.norm(dim=-1), torch.ones(16))
    varied = kind in ("vae", "untrained", "gaussian")
    assert (features[labels == 0].unique(dim=0).shape[0] > 1) == varied
    assert needs_training(kind) == (kind in ("vae", "mean"))


def test_gaussian_has_mean_and_covariance_of_the_residuals(backbone):
    torch.manual_seed(0)
    residuals = torch.randn(6, backbone.feature_dim) + 0.5
    made = GaussianSynthesizer(backbone, NAMES, Wording(templates=("{}",)), residuals)
    torch.testing.assert_close(made.mean, residuals.mean(dim=0))
    torch.testing.assert_close(made.factor.t() @ made.factor, residuals.t().cov())


TEMPLATE, KNOWN = "art of the {}.", ["dog", "car", "tulip"]
WORDING = Wording(templates=(TEMPLATE,))


def build(kind: str, synthesizer: VAESynthesizer, backbone: Backbone, bank: FeatureBank | None = None):
    return build_synthesizer(kind, NAMES, KNOWN, synthesizer.vae, backbone, WORDING, lambda views: bank)


def text_features(backbone: Backbone, names: list[str]) -> torch.Tensor:
    tokens = tokenize(TEMPLATE, names, clip_tokenizer())
    return normalize(backbone.model.encode_text(tokens), dim=-1)


def test_gaussian_residuals_are_features_less_the_text_feature_of_their_own_known_class(synthesizer, backbone):
    """In two views: the images' class by class, and no class as often as another."""
    labels = torch.tensor([0, 0, 0, 1, 2])
    residuals = 0.1 * torch.randn(2, 5, backbone.feature_dim) + 0.2
    bank = FeatureBank(text_features(backbone, KNOWN)[labels] + residuals, labels)
    made = build("gaussian", synthesizer, backbone, bank)
    expected = residuals.flatten(end_dim=1)
    torch.testing.assert_close(made.mean, expected.mean(dim=0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(made.factor.t() @ made.factor, expected.t().cov(), atol=1e-5, rtol=1e-5)


def test_gaussian_adds_mean_and_noise_to_the_text_feature_of_the_class(backbone):
    residuals, labels = torch.randn(6, backbone.feature_dim) + 0.5, torch.tensor([2, 0])
    made = GaussianSynthesizer(backbone, NAMES, WORDING, residuals)
    plain = text_features(backbone, NAMES)[labels] + residuals.mean(dim=0)
    torch.testing.assert_close(made.write(torch.zeros(2, 6), labels), normalize(plain, dim=-1), atol=1e-5, rtol=1e-5)
    noise = torch.randn(2, 6)
    shifted = plain + noise @ (residuals - residuals.mean(dim=0)) / 5**0.5
    torch.testing.assert_close(made.write(noise, labels), normalize(shifted, dim=-1), atol=1e-5, rtol=1e-5)


def test_text_features_are_those_of_the_datasets_template(synthesizer, backbone):
    labels = torch.tensor([0, 2, 2, 1])
    features = build("text", synthesizer, backbone).sample(labels)
    torch.testing.assert_close(features, text_features(backbone, NAMES)[labels], atol=1e-5, rtol=1e-5)


def test_mean_synthesis_writes_the_prompt_of_latent_0(synthesizer, backbone):
    labels = torch.tensor([0, 1, 2, 2, 0])
    features = build("mean", synthesizer, backbone).sample(labels)
    with torch.no_grad():
        expected = synthesizer(torch.zeros(5, synthesizer.vae.latent_dim), labels)
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=1e-5)


def test_mixed_batches_put_synthesized_features_behind_real_ones(synthesizer):
    real = [(torch.zeros(5, synthesizer.vae.latent_dim), torch.tensor([0, 1, 0, 1, 0]))]
    for count, expected in ((0, 5), (3, 3)):
        ((features, labels),) = MixedBatches(real, synthesizer, offset=2, count=count)
        assert features.shape[0] == labels.shape[0] == 5 + expected
        assert not features[:5].any()
        assert labels[:5].tolist() == [0, 1, 0, 1, 0]
        assert set(labels[5:].tolist()) <= {2, 3, 4}


@pytest.mark.parametrize("kind", SYNTHESES)
@pytest.mark.parametrize("ahead", [1, 9, 1000])
def test_batches_made_ahead_are_those_made_at_each_step(kind, ahead, synthesizer, backbone):
    """Also where real features draw random numbers in between, and after the last batch."""
    bank = FeatureBank(normalize(torch.randn(2, 8, backbone.feature_dim), dim=-1), torch.arange(8) % 2)
    arguments = (NAMES, ["dog", "car"], synthesizer.vae, backbone, Wording(), lambda views: bank)

    class Drawn:
        def __iter__(self):
            return ((torch.rand(size, backbone.feature_dim), torch.randint(3, (size,))) for size in (4, 4, 4, 4, 2))

    def batches(ahead: int) -> list[torch.Tensor]:
        made = build_synthesizer(kind, *arguments)
        torch.manual_seed(1)
        mixed = [part for batch in MixedBatches(Drawn(), made, offset=3, ahead=ahead) for part in batch]
        alone = [part for batch in SynthesizedBatches(made, 4, steps=3, ahead=ahead) for part in batch]
        return [*mixed, *alone, torch.rand(1)]

    for got, expected in zip(batches(ahead), batches(0), strict=True):
        torch.testing.assert_close(got, expected, atol=1e-6, rtol=1e-5)


def test_features_made_ahead_are_written_together(synthesizer, monkeypatch):
    sizes, write = [], synthesizer.write
    monkeypatch.setattr(
        synthesizer, "write", lambda noise, labels: (sizes.append(len(labels)), write(noise, labels))[1]
    )
    assert len(list(SynthesizedBatches(synthesizer, 4, steps=7, ahead=10))) == 7
    assert sizes == [12, 12, 4]


class ForeignDataset(DatasetBase):
    """A loader of another checkout, which says what it keeps, and does not know what it leaves out."""

    def __init__(self, cfg) -> None:
        subset = cfg.DATASET.SUBSAMPLE_CLASSES
        print(f"SUBSAMPLE {subset.upper()} CLASSES!")
        names = {"base": ["cat"], "new": ["emu", "cat"]}[subset]
        super().__init__(train_x=[Datum("x.jpg", label, classname=name) for label, name in enumerate(names)])


def test_new_classes_of_another_checkouts_loader_are_asked_for_in_silence(monkeypatch, capsys):
    monkeypatch.setattr(synthesizers, "build_dataset", ForeignDataset)
    cfg = CfgNode({"DATASET": {"NAME": "Foreign", "SUBSAMPLE_CLASSES": "base"}})
    dataset = ForeignDataset(cfg)
    capsys.readouterr()
    assert list(classes_to_synthesize(cfg, dataset, Classes.of_dataset(dataset))) == ["emu"]
    assert capsys.readouterr().out == ""
