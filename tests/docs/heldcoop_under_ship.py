"""Run where docs/add-a-method.md has been applied: what SHIP on HeldCoOp trains, against a hand's sum."""

import sys

import torch
from dassl.engine import build_trainer
from dassl.utils import set_random_seed
from torch.nn.functional import cosine_similarity, cross_entropy

import train

cfg = train.setup_cfg(train.parse_args(sys.argv[1:]))
set_random_seed(1)
trainer = build_trainer(cfg)
trainer.choose_classes()
stage = trainer.main_stage()
features, labels = next(iter(stage.batches))
loss, shown = stage.loss(features, labels)

classifier, names = trainer.classifier, trainer.classifier.classnames
text = classifier.text_features()
template = trainer.backbone.text_features(names, ["a photo of a {}, a type of pet."])
pull = (1 - cosine_similarity(text, template)).mean()
logits = trainer.backbone.logit_scale * features @ text.t()
torch.testing.assert_close(loss, cross_entropy(logits, labels) + 8 * pull)
assert pull > 1e-3, pull
assert len(names) == 6 and set(labels.tolist()) - {0, 1, 2}, "no synthesized features of new classes"
print("stage 2:", trainer.method, sorted(shown))
