"""The methods as the protocol scripts know them: trainer, and the recipe that published figures were made with."""

from dataclasses import dataclass
from pathlib import Path

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
EMBEDDED = "shapes"  # datasets that begin so come with a backbone of their own, so with recipes too
FEWER_EPOCHS = {1: "_ep50", 2: "_ep100", 4: "_ep100"}  # CoOp's few-shot runs, by shots; 50 epochs on ImageNet


@dataclass(frozen=True)
class Method:
    """A trainer with its recipes: `default`, ImageNet's where it differs, and those of single protocols."""

    trainer: str
    default: str
    imagenet: str = ""
    fewshot: str = ""
    embedded: str = "shapes"
    trains: bool = True
    knows_new: bool = True  # whether it can say anything about classes that it has seen no image of

    @property
    def synthesizes(self) -> bool:
        return self.trainer == "SHIP"

    def recipe(self, protocol: str, dataset: str, shots: int) -> str:
        if dataset.startswith(EMBEDDED):
            return self.embedded
        base = self.fewshot if protocol == "fewshot" and self.fewshot else ""
        if not base:
            return self.imagenet if self.imagenet and dataset == "imagenet" else self.default
        shorter = base + ("_ep50" if dataset == "imagenet" else FEWER_EPOCHS.get(shots, ""))
        return shorter if recipe_path(self.trainer, shorter).is_file() else base


def recipe_path(trainer: str, recipe: str) -> Path:
    return CONFIGS / "trainers" / trainer / f"{recipe}.yaml"


def on_ship(name: str) -> Method:
    return Method("SHIP", f"vit_b16_{name}", f"vit_b16_{name}_imagenet", embedded=f"shapes_{name}")


METHODS = {
    "zsclip": Method("ZeroshotCLIP", "vit_b16", trains=False),
    # CoCoOp's paper ran CoOp with "a photo of a" and, on ImageNet, for 50 epochs; few-shot CoOp has 16 random tokens
    "coop": Method("CoOp", "vit_b16_ctxv1", "vit_b16_ep50_ctxv1", fewshot="vit_b16"),
    "cocoop": Method("CoCoOp", "vit_b16_c4_ep10_batch1_ctxv1"),
    "clip_adapter": Method("CLIPAdapter", "vit_b16", "vit_b16_imagenet"),
    "tip_adapter": Method("TipAdapter", "vit_b16", "vit_b16_imagenet", knows_new=False),
    "tip_adapter_f": Method("TipAdapterF", "vit_b16", "vit_b16_imagenet", knows_new=False),
    "ship": Method("SHIP", "vit_b16", "vit_b16_imagenet"),
    "ship_cocoop": on_ship("cocoop"),
    "ship_clip_adapter": on_ship("clip_adapter"),
    "ship_tip_adapter_f": on_ship("tip_adapter_f"),
}
