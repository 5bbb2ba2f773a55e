"""FeatureClassifier and the methods: features (B, D) to logits (B, C).

A method is one class here, its keys in methods.py, and one thin registered trainer.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, one_hot

from ..clip.backbone import Backbone
from ..clip.prompts import ConditionalPromptLearner, PromptLearner, tokenize
from ..errors import InputError


class FeatureClassifier(nn.Module):
    """Classifies L2-normalized image features (B, D) among the classes chosen by `select`.

    `learned` is what is trained and stored, under the folder `checkpoint_name`; None where nothing is. Names in it
    are upstream's where there is an upstream, so that checkpoints can be exchanged.
    """

    checkpoint_name = ""
    remembers = False  # whether training starts with `remember`

    def __init__(self, backbone: Backbone, classnames: Sequence[str], learned: nn.Module | None = None) -> None:
        super().__init__()
        self.backbone, self.learned = backbone, learned
        self.classnames = list(classnames)

    def select(self, classnames: Sequence[str]) -> None:
        """Classifies among these classes from now on, in this order.

        Raises InputError naming classes that the learned state would have to know and does not.
        """
        if self.classnames != list(classnames):
            self.change_classes(classnames)
            self.classnames = list(classnames)

    def change_classes(self, classnames: Sequence[str]) -> None:
        """Makes ready for other classes than before."""
        raise NotImplementedError

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, D) to logits (B, C)."""
        raise NotImplementedError

    def predict(self, features: Tensor) -> Tensor:
        """Logits (N, C) of any number of features, without gradients."""
        with torch.no_grad():
            return self(features)

    def remember(self, features: Tensor, labels: Tensor) -> None:
        """Takes in the training set's features (N, D) and labels (N,), for methods that keep them."""

    def tune(self, features: Tensor, labels: Tensor) -> None:
        """Chooses what is chosen on validation features (N, D) and labels (N,), for methods that do."""


class ZeroshotClassifier(FeatureClassifier):
    """CLIP's own classifier (Radford et al., ICML 2021): logits scale · f · t_c, t_c averaged over templates."""

    def __init__(self, backbone: Backbone, classnames: Sequence[str], templates: Sequence[str]) -> None:
        super().__init__(backbone, classnames)
        self.templates = templates
        self.change_classes(classnames)

    @torch.no_grad()
    def change_classes(self, classnames: Sequence[str]) -> None:
        text, device = self.backbone.text, self.backbone.device
        tokens = [tokenize(template, classnames, text.window).to(device) for template in self.templates]
        each = [normalize(text.encode_tokens(rows).float(), dim=-1) for rows in tokens]
        self.text_features = normalize(torch.stack(each).mean(dim=0), dim=-1)

    def forward(self, features: Tensor) -> Tensor:
        return self.backbone.logit_scale * features @ self.text_features.t()


class CoOpClassifier(FeatureClassifier):
    """CoOp (Zhou et al., IJCV 2022): zero-shot classification with a learned context."""

    checkpoint_name = "prompt_learner"

    def __init__(self, backbone: Backbone, learned: PromptLearner) -> None:
        super().__init__(backbone, learned.classnames, learned)

    def change_classes(self, classnames: Sequence[str]) -> None:
        self.learned.select(classnames)

    def forward(self, features: Tensor) -> Tensor:
        text = self.backbone.encode_prompts(*self.learned())[0]
        return self.backbone.logit_scale * features @ text.t()


class CoCoOpClassifier(CoOpClassifier):
    """CoCoOp (Zhou et al., CVPR 2022): the context is shifted by a small network of the image's feature."""

    PROMPTS_AT_ONCE = 2000  # in prediction, where B images have B · C prompts

    def __init__(self, backbone: Backbone, learned: ConditionalPromptLearner) -> None:
        super().__init__(backbone, learned)

    def forward(self, features: Tensor) -> Tensor:
        text = self.backbone.encode_prompts(*self.learned(features))  # (B, C, D)
        return self.backbone.logit_scale * torch.einsum("bd,bcd->bc", features, text)

    def predict(self, features: Tensor) -> Tensor:
        images = max(1, self.PROMPTS_AT_ONCE // len(self.classnames))
        with torch.no_grad():
            return torch.cat([self(some) for some in features.split(images)])


class AdapterClassifier(FeatureClassifier):
    """CLIP-Adapter (Gao et al., IJCV 2024): zero-shot logits of normalize(r · MLP(f) + (1 − r) · f)."""

    checkpoint_name = "clip_adapter"

    def __init__(self, zero_shot: ZeroshotClassifier, ratio: float, reduction: int) -> None:
        width = zero_shot.backbone.feature_dim
        if reduction > width:
            raise InputError(f"TRAINER.CLIPADAPTER.REDUCTION is {reduction}; features have {width} dimensions.")
        adapter = nn.Sequential(
            nn.Linear(width, width // reduction, bias=False),
            nn.ReLU(),
            nn.Linear(width // reduction, width, bias=False),
            nn.ReLU(),
        )
        super().__init__(zero_shot.backbone, zero_shot.classnames, adapter)
        self.zero_shot, self.ratio = zero_shot, ratio

    def change_classes(self, classnames: Sequence[str]) -> None:
        self.zero_shot.select(classnames)

    def forward(self, features: Tensor) -> Tensor:
        adapted = self.ratio * self.learned(features) + (1 - self.ratio) * features
        return self.zero_shot(normalize(adapted, dim=-1))


class Cache(nn.Module):
    """Tip-Adapter's keys (N, D) with the classes that they are of, and its two numbers, alpha and beta."""

    def __init__(self, feature_dim: int, alpha: float, beta: float) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.zeros(0, feature_dim))
        self.register_buffer("labels", torch.zeros(0, dtype=torch.long))
        self.register_buffer("alpha", torch.tensor(alpha))
        self.register_buffer("beta", torch.tensor(beta))
        self.owners: list[str] = []

    def fill(self, keys: Tensor, labels: Tensor, owners: Sequence[str]) -> None:
        """Keeps keys (N, D) whose labels (N,) index the owners' class names."""
        self.keys.data, self.labels, self.owners = keys.clone(), labels.clone(), list(owners)

    def values(self, classnames: Sequence[str]) -> Tensor:
        """V (N, C): which key is of which of these classes; raises InputError for classes without a key."""
        known = set(self.owners)
        unknown = [name for name in classnames if name not in known]
        if unknown:
            raise InputError(
                f"Tip-Adapter's cache has no images of {len(unknown)} classes: {', '.join(unknown[:10])}.\n"
                "Evaluate on the classes that it was made from, or give it the others (SHIP synthesizes them)."
            )
        position = {name: index for index, name in enumerate(classnames)}
        columns = [position.get(name, len(classnames)) for name in self.owners]
        if self.owners == list(classnames):
            columns = list(range(len(classnames)))  # several classes may have one name
        column = torch.tensor(columns, device=self.labels.device)
        return one_hot(column[self.labels], len(classnames) + 1)[:, :-1].float()

    def get_extra_state(self) -> dict:
        return {"classnames": self.owners}

    def set_extra_state(self, state: dict) -> None:
        self.owners = list(state["classnames"])

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        """Takes stored keys of any number; says so where they are of another backbone."""
        stored = state_dict.get(f"{prefix}keys")
        if stored is not None:
            if stored.shape[-1] != self.keys.shape[-1]:
                raise InputError(
                    f"The checkpoint's keys have {stored.shape[-1]} dimensions, this run's features "
                    f"{self.keys.shape[-1]}: the backbone differs from that of the run that made it."
                )
            self.keys.data = stored.to(self.keys)
            self.labels = state_dict[f"{prefix}labels"].to(self.labels)
        super()._load_from_state_dict(state_dict, prefix, *args)


class CacheClassifier(FeatureClassifier):
    """Tip-Adapter and Tip-Adapter-F (Zhang et al., ECCV 2022).

    Logits scale · f · t_c + alpha · exp(−beta (1 − f · K)) · V. `grid`, (largest beta, largest alpha) and (their
    numbers of values), is what `tune` searches; None keeps the given alpha and beta.
    """

    checkpoint_name = "tip_adapter"
    remembers = True

    def __init__(self, zero_shot: ZeroshotClassifier, alpha: float, beta: float, grid: tuple | None) -> None:
        cache = Cache(zero_shot.backbone.feature_dim, alpha, beta)
        super().__init__(zero_shot.backbone, zero_shot.classnames, cache)
        self.zero_shot, self.grid = zero_shot, grid

    def change_classes(self, classnames: Sequence[str]) -> None:
        self.zero_shot.select(classnames)

    def remember(self, features: Tensor, labels: Tensor) -> None:
        self.learned.fill(features, labels, self.classnames)

    def cache_logits(self, features: Tensor, beta: Tensor, values: Tensor) -> Tensor:
        """exp(−beta (1 − f · K)) · V of features (B, D): (B, C)."""
        return torch.exp(beta * (features @ self.learned.keys.t() - 1)) @ values

    def forward(self, features: Tensor) -> Tensor:
        cache = self.learned
        cached = self.cache_logits(features, cache.beta, cache.values(self.classnames))
        return self.zero_shot(features) + cache.alpha * cached

    @torch.no_grad()
    def tune(self, features: Tensor, labels: Tensor) -> None:
        """Sets alpha and beta to the most accurate of the grid; the first of those that are equally good."""
        if self.grid is None:
            return
        (top_beta, top_alpha), (betas, alphas) = self.grid
        beta = torch.linspace(0.1, top_beta, betas + 1, device=features.device)[:-1]
        alpha = torch.linspace(0.1, top_alpha, alphas + 1, device=features.device)[:-1]
        plain, values = self.zero_shot(features), self.learned.values(self.classnames)
        right = torch.stack(
            [self.count_right(plain, self.cache_logits(features, b, values), alpha, labels) for b in beta]
        )
        best = int(right.argmax())
        self.learned.beta, self.learned.alpha = beta[best // alphas].clone(), alpha[best % alphas].clone()
        print(
            f"Searched on {len(labels)} validation images: beta {self.learned.beta:.2f}, "
            f"alpha {self.learned.alpha:.2f}, accuracy {100 * int(right.max()) / len(labels):.2f}%"
        )

    @staticmethod
    def count_right(plain: Tensor, cached: Tensor, alpha: Tensor, labels: Tensor) -> Tensor:
        """For each alpha (A,) how many of the logits plain + alpha · cached (N, C) are highest at the label."""
        return ((plain + alpha[:, None, None] * cached).argmax(dim=-1) == labels).sum(dim=-1)
