"""Features, losses and gradients of every method on a device, in every precision, against the CPU's in fp32."""

from copy import deepcopy

import pytest
import torch
from bench.agreement import check_features, check_loss, check_tensors
from torch import Tensor, nn
from torch.nn.functional import normalize

from tests.gpu.conftest import QUICK
from trainers.blocks.clip.backbone import Backbone, load_backbone
from trainers.blocks.clip.chunks import Chunks
from trainers.blocks.clip.precision import Precision
from trainers.blocks.features.batches import FeatureBank
from trainers.blocks.methods import METHODS, FeatureClassifier
from trainers.blocks.synthesis import prompt_vae
from trainers.blocks.synthesis.prompt_vae import PromptVAE, negative_elbo
from trainers.blocks.synthesis.synthesizers import VAESynthesizer

CPU = torch.device("cpu")
PRECISIONS = ("fp32", "fp16", "amp", "bf16", *(() if QUICK else ("mixed",)))
NAMES = ["snow bunting", "hoopoe", "jay", "a bird of another feather", "great crested grebe"]
TRAINED = [name for name, method in METHODS.items() if method.trains and not name.startswith("ZeroshotCLIP")]
OTHERS = [name for name in METHODS if name not in TRAINED]


@pytest.fixture(params=PRECISIONS)
def precision(request) -> str:
    return request.param


class Emulated(Precision):
    """A precision on the CPU too, where runs would have fp32: slow, and the same roundings."""

    def __init__(self, name: str, device: torch.device) -> None:
        super().__init__(name, device)
        self.name = name
        self.scaler = torch.amp.GradScaler(device.type, init_scale=256.0, enabled=name == "amp")

    def autocast(self) -> torch.autocast:
        return torch.autocast(self._device_type, torch.float16, enabled=self.name == "amp")


@pytest.fixture
def numerics(precision, device) -> Precision:
    return Emulated(precision, device)


@pytest.fixture
def ways(numerics, clip_file, device) -> tuple[Backbone, Backbone]:
    """The CPU's in fp32, and the device's in the precision."""
    return load_backbone(str(clip_file), "fp32", CPU), load_backbone(str(clip_file), numerics.name, device)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def features_of(backbone: Backbone, count: int = 15) -> tuple[Tensor, Tensor]:
    """Features (N, D) of images of the classes, three of each, and labels (N,); on the CPU."""
    labels = torch.arange(count) % len(NAMES)
    centres = draw(len(NAMES), backbone.feature_dim, seed=1)
    return normalize(centres[labels] + 0.5 * draw(count, backbone.feature_dim, seed=2), dim=-1), labels


def made(name: str, backbone: Backbone) -> FeatureClassifier:
    """The method, as training begins."""
    torch.manual_seed(0)
    exact = {"TEACHER_PREC": "fp32"} if name == "KgCoOp" else {}  # fp16 rounds otherwise on another device
    classifier = METHODS[name].of(backbone, NAMES, "OxfordPets", **exact).to(backbone.device)
    features, labels = (part.to(backbone.device) for part in features_of(backbone))
    if classifier.remembers:
        classifier.remember(features, labels)
    if classifier.trains:
        classifier.training_batches(FeatureBank(features[None], labels).batches(5, drop_last=False))
    return classifier


def loss_and_gradients(classifier: FeatureClassifier, numerics: Precision) -> tuple[Tensor, dict[str, Tensor]]:
    device = classifier.backbone.device
    features, labels = (part.to(device) for part in features_of(classifier.backbone))
    with numerics.autocast():
        loss, _ = classifier.loss(features, labels)
    return loss.detach(), gradients(loss, classifier.learned, numerics)


def gradients(loss: Tensor, module: nn.Module, numerics: Precision) -> dict[str, Tensor]:
    """By name, without the factor that amp scales the loss by."""
    module.zero_grad()
    numerics.scaler.scale(loss).backward()
    scale = numerics.scaler.get_scale() if numerics.scaler.is_enabled() else 1.0
    return {name: weights.grad / scale for name, weights in module.named_parameters() if weights.grad is not None}


def test_features_of_images(ways, numerics, device):
    cpu, other = ways
    images = draw(6, 3, cpu.resolution, cpu.resolution)
    check_features(other.encode_image(images.to(device)), cpu.encode_image(images), numerics.name)


@pytest.mark.parametrize("precision", ["fp32", "fp16"], indirect=True)
def test_features_of_images_in_bf16(ways, numerics, device):
    """By TRAINER.FEATURES.IMAGE_PREC, whatever precision the run has."""
    cpu, other = ways
    images = draw(6, 3, cpu.resolution, cpu.resolution)
    other.image.in_bf16 = True
    check_features(other.encode_image(images.to(device)), cpu.encode_image(images), "bf16")


@pytest.mark.parametrize("chunks", [Chunks(), Chunks(2)], ids=["at once", "in chunks"])
def test_features_of_texts(chunks, ways, numerics):
    cpu, other = ways
    other.text.chunks = chunks
    found, expected = (way.text_features(NAMES, ["a photo of a {}.", "{}"]) for way in (other, cpu))
    check_features(found, expected, numerics.name)


@pytest.mark.parametrize("precision", ["fp32", "fp16"], indirect=True)
def test_features_of_texts_in_bf16(ways, numerics):
    """By TRAINER.TEXT_PREC, whatever precision the run has."""
    cpu, other = ways
    other = deepcopy(other)  # others use it, too
    other.text.cast(torch.bfloat16)
    found, expected = (way.text_features(NAMES, ["a photo of a {}.", "{}"]) for way in (other, cpu))
    check_features(found, expected, "bf16")


@pytest.mark.parametrize("name", TRAINED)
def test_loss_and_gradients(name, ways, numerics):
    expected, found = (made(name, way) for way in ways)
    found.learned.load_state_dict(expected.learned.state_dict())
    loss, wanted = loss_and_gradients(expected, Precision("fp32", CPU))
    other_loss, other = loss_and_gradients(found, numerics)
    check_loss(other_loss, loss, numerics.name)
    check_tensors(f"gradients of {name}", other, wanted, numerics.name)


@pytest.mark.parametrize("precision", ["fp32"], indirect=True)
@pytest.mark.parametrize("name", OTHERS)
def test_logits_of_methods_that_take_no_steps(name, ways, numerics):
    logits = [made(name, way).predict(features_of(way)[0].to(way.device)) for way in ways]
    check_tensors(f"logits of {name}", {"": logits[1]}, {"": logits[0]}, numerics.name)


@pytest.fixture
def same_noise(monkeypatch) -> None:
    """Latents are drawn on the CPU, as those of the other device would be others."""

    def drawn(mean: Tensor, log_var: Tensor) -> Tensor:
        return mean + torch.exp(0.5 * log_var) * draw(*mean.shape, seed=3).to(mean)

    monkeypatch.setattr(prompt_vae, "reparameterize", drawn)


def test_stage_one_and_synthesized_features(ways, numerics, same_noise):
    results = []
    for way, how in zip(ways, (Precision("fp32", CPU), numerics), strict=True):
        torch.manual_seed(0)
        vae = PromptVAE(way.feature_dim, way.text.width, latent_dim=16).to(way.device)
        writer = VAESynthesizer(vae, way, NAMES)
        features, labels = (part.to(way.device) for part in features_of(way))
        with how.autocast():
            loss, _ = negative_elbo(vae, writer, features, labels, kl_weight=1.0)
        written = writer.write(draw(15, 16, seed=4).to(way.device), labels)
        results.append((loss.detach(), gradients(loss, vae, how), written))
    (loss, wanted, features), (other_loss, found, written) = results
    check_loss(other_loss, loss, numerics.name)
    check_tensors("gradients of PromptVAE", found, wanted, numerics.name)
    check_features(written, features, numerics.name)
