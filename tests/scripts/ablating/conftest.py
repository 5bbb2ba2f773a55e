"""Rows of ablations whose runs look complete."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import ablate
import pytest
from ablating.options import Ablation
from ablating.variants import Variant
from protocols.methods import METHODS

FIGURES = {(0, 1): (60.0, 40.0, 0.5), (0, 2): (62.0, 42.0, 0.7), (1, 1): (70.0, 50.0, 0.6)}  # base, new, KL


def asked_for(words: list[str], output: Path) -> list[Ablation]:
    """The tables of a command, of two seeds and class splits."""
    return ablate.parse_args([*words, "--seeds", "1", "2", "--class-splits", "0", "1", "--output", str(output)])[2]


@pytest.fixture
def variant_of(tmp_path) -> Callable[[Mapping], Variant]:
    """What makes variants of SHIP on `shapes`, base-to-new."""
    words = ["kl_weight", "shapes", "--seeds", "1", "2", "--output", str(tmp_path)]
    _, request, _ = ablate.parse_args(words)
    return lambda changed: Variant(request, (0, 1), METHODS["ship"], changed, "shapes")


@pytest.fixture
def finished(variant_of) -> Callable[..., Variant]:
    """Makes a variant's runs look complete, with accuracies on new classes that are so much higher than FIGURES."""

    def make(changed: Mapping, higher: float = 0.0) -> Variant:
        variant = variant_of(changed)
        for key, (base, new, kl) in FIGURES.items():
            for run, accuracy in zip(variant.runs[key], (base, new + higher), strict=True):
                stages = {"PromptVAE": {"kl": kl}, "SHIP": {"loss": 1.0}} if run.trains else {}
                run.folder.mkdir(parents=True)
                record = {"metrics": {"accuracy": accuracy}, "training": stages}
                (run.folder / "results.json").write_text(json.dumps(record))
        return variant

    return make


def competing(words: list[str], output: Path, higher: Mapping[str, float]) -> Ablation:
    """A paired ablation whose runs look complete; some labels have so much higher figures."""
    [ablation] = asked_for([*words, "shapes"], output)
    for variant in ablation.variants:
        for (split, _), runs in variant.runs.items():
            for number, run in enumerate(runs):
                accuracy = 50.0 + 10 * number + split + higher.get(variant.label, 0.0) * (1 + split)
                metrics = {"accuracy": accuracy, **({"seen": accuracy, "unseen": accuracy} if number == 2 else {})}
                run.folder.mkdir(parents=True, exist_ok=True)
                record = {"metrics": metrics, "training": {"PromptVAE": {"kl": 0.5}}}
                (run.folder / "results.json").write_text(json.dumps(record))
    return ablation
