"""SHIP step by step against the authors' code: losses recorded there, from weights and noise given by formulas.

tests/golden/README.md says how weights, features and noise are made.
"""

import json
import math

import pytest
import torch
from clip.model import CLIP
from dassl.optim import build_optimizer
from torch import Tensor, nn
from torch.nn.functional import normalize

import train
from tests.conftest import CHECKOUT
from trainers.blocks.clip.backbone import Backbone
from trainers.blocks.clip.openai import parts_of
from trainers.blocks.methods import METHODS
from trainers.blocks.synthesis import prompt_vae
from trainers.blocks.synthesis.prompt_vae import PromptVAE, negative_elbo
from trainers.blocks.synthesis.synthesizers import VAESynthesizer
from trainers.blocks.training.resumable import Stage

STEPS, COUNT, DIM = 8, 6, 512
BASE = ["red fox", "snow leopard", "axolotl", "golden retriever", "house sparrow"]
NEW = ["blue whale", "hermit crab", "monarch butterfly", "emu"]
WITHIN = {"rtol": 0, "atol": 2e-5}


@pytest.fixture(scope="module")
def reference() -> dict:
    return json.loads((CHECKOUT / "tests/golden/ship_reference.json").read_text(encoding="utf-8"))


@pytest.fixture
def cfg():
    recipe = CHECKOUT / "configs/trainers/SHIP/vit_b16.yaml"
    return train.setup_cfg(train.parse_args(["--trainer", "SHIP", "--config-file", str(recipe)]))


@pytest.fixture
def backbone() -> Backbone:
    torch.manual_seed(0)
    model = CLIP(DIM, 224, 1, 64, 32, 77, 49408, DIM, 8, 2).float()
    model.logit_scale.data = torch.tensor(math.log(100.0))
    return Backbone(parts_of(model), {})


@pytest.fixture
def vae(cfg) -> PromptVAE:
    options = cfg.TRAINER.SHIP
    made = PromptVAE(DIM, DIM, options.N_CTX, options.ENCODER_DIM, options.GENERATOR_DIM, options.GENERATOR_SLOPE)
    layers = (made.trunk[0], made.mean, made.log_var, made.generator[0], made.generator[2])
    for k, weights in enumerate([*(layer.weight for layer in layers), made.ctx]):
        weights.data = by_formula(weights, k)
    for layer in layers:
        nn.init.zeros_(layer.bias)
    return made


def by_formula(weights: Tensor, k: int) -> Tensor:
    count = torch.arange(weights.numel(), dtype=torch.float64)  # in fp32 the argument of the sine is too coarse
    return (0.02 * torch.sin(0.29 * count + k)).float().view_as(weights)


def noise(seed: int) -> Tensor:
    return torch.randn(COUNT, DIM, generator=torch.Generator().manual_seed(seed + 1000))


def unit(seed: int) -> Tensor:
    return normalize(noise(seed), dim=-1)


def labels(step: int, classes: int) -> Tensor:
    return (step + torch.arange(COUNT)) % classes


def train_vae(vae: PromptVAE, backbone: Backbone, cfg, monkeypatch) -> list[tuple[float, float]]:
    """Loss and reconstruction of each step of stage 1, by its own loss and the recipe's optimizer."""
    options, write = cfg.TRAINER.SHIP, VAESynthesizer(vae, backbone, BASE)
    stage = Stage.of("PromptVAE", [], None, vae, options.OPTIM)
    found = []
    for step in range(STEPS):
        monkeypatch.setattr(prompt_vae.torch, "randn_like", lambda mean, step=step: noise(100 + step))
        weights = (options.KL_WEIGHT, options.FREE_BITS)
        loss, printed = negative_elbo(vae, write, unit(step), labels(step, len(BASE)), *weights)
        stage.optimizer.zero_grad()
        loss.backward()
        stage.optimizer.step()
        found.append((loss.item(), printed["rec"].item()))
    return found


def train_classifier(vae: PromptVAE, backbone: Backbone, cfg) -> list[float]:
    """The loss of each step of stage 2, by the recipe's optimizer at a constant rate."""
    method = METHODS[cfg.TRAINER.SHIP.CLASSIFIER]
    classifier = method.of(backbone, BASE, **cfg.TRAINER[method.node])
    classifier.select([*BASE, *NEW])
    synthesizer, optimizer = VAESynthesizer(vae, backbone, NEW), build_optimizer(classifier.learned, cfg.OPTIM)
    found = []
    for step in range(STEPS):
        made = synthesizer.write(noise(300 + step), labels(step, len(NEW)))
        features = torch.cat([unit(200 + step), made])
        targets = torch.cat([labels(step, len(BASE)), len(BASE) + labels(step, len(NEW))])
        loss = classifier.loss(features, targets)[0]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


def test_every_step_of_both_stages_has_the_loss_of_the_authors_code(reference, vae, backbone, cfg, monkeypatch):
    stage_one = train_vae(vae, backbone, cfg, monkeypatch)
    torch.testing.assert_close(torch.tensor(stage_one), torch.tensor(reference["stage1"]), **WITHIN)
    vae.requires_grad_(False)
    stage_two = train_classifier(vae, backbone, cfg)
    torch.testing.assert_close(torch.tensor(stage_two), torch.tensor(reference["stage2"]), **WITHIN)


@pytest.mark.parametrize(
    ("key", "value"), [("OPTIM.MOMENTUM", 0.9), ("OPTIM.WEIGHT_DECAY", 5e-2), ("TRAINER.SHIP.OPTIM.LR", 1.1e-3)]
)
def test_another_optimizer_would_be_noticed(key, value, reference, vae, backbone, cfg, monkeypatch):
    cfg.defrost()
    cfg.merge_from_list([key, value])
    stage_one = torch.tensor(train_vae(vae, backbone, cfg, monkeypatch))
    stage_two = torch.tensor(train_classifier(vae.requires_grad_(False), backbone, cfg))
    differences = (
        (stage_one - torch.tensor(reference["stage1"])).abs().max(),
        (stage_two - torch.tensor(reference["stage2"])).abs().max(),
    )
    assert max(differences) > 1e-4
