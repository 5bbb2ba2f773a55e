"""Write the two inputs behind the golden figures: a tiny random CLIP and a tiny OxfordPets tree.

    python make_inputs.py OUT_DIR

OUT_DIR/tiny_clip.pt          state dict in OpenAI's layout; load it with clip.model.build_model
OUT_DIR/data/oxford_pets/...  six classes; of each, 6 train, 2 val and 4 test images (PNG bytes, .jpg names),
                              with the split file, so that no seed changes it

Both are made from fixed seeds, so that every machine gets the same bytes' meaning.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

CLASSES = ["abyssinian", "bengal", "birman", "bombay", "beagle", "boxer"]


def make_clip(path):
    from clip.model import CLIP

    torch.manual_seed(0)
    model = CLIP(
        embed_dim=64,
        image_resolution=224,
        vision_layers=2,
        vision_width=128,
        vision_patch_size=32,
        context_length=77,
        vocab_size=49408,
        transformer_width=64,
        transformer_heads=1,
        transformer_layers=2,
    )
    torch.save(model.state_dict(), path)
    return sum(p.double().abs().sum().item() for p in model.state_dict().values())


def make_pets(root):
    images, annotations = root / "oxford_pets" / "images", root / "oxford_pets" / "annotations"
    images.mkdir(parents=True, exist_ok=True)
    annotations.mkdir(parents=True, exist_ok=True)
    trainval, test = [], []
    split = {"train": [], "val": [], "test": []}
    for label, name in enumerate(CLASSES):
        for i in range(12):
            rng = np.random.RandomState(100 * label + i)
            y, x = np.mgrid[0:64, 0:64] / 64.0
            wave = np.sin((label + 1) * 3.0 * x + rng.rand()) * np.cos((6 - label) * 2.0 * y + rng.rand())
            rgb = np.stack([wave * 0.5 + 0.5, np.roll(wave, 7 * label, 0) * 0.5 + 0.5, rng.rand(64, 64)], -1)
            rgb = np.clip(rgb + 0.1 * rng.randn(64, 64, 3), 0, 1)
            Image.fromarray((rgb * 255).round().astype("uint8")).save(images / f"{name}_{i}.jpg", format="PNG")
            (trainval if i < 8 else test).append(f"{name}_{i} {label + 1} 1 1")
            split["train" if i < 6 else "val" if i < 8 else "test"].append((f"{name}_{i}.jpg", label, name))
    (annotations / "trainval.txt").write_text("\n".join(trainval) + "\n")
    (annotations / "test.txt").write_text("\n".join(test) + "\n")
    (root / "oxford_pets" / "split_zhou_OxfordPets.json").write_text(json.dumps(split))


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    make_pets(out / "data")
    print(f"sum of |parameters|: {make_clip(out / 'tiny_clip.pt'):.4f}")
