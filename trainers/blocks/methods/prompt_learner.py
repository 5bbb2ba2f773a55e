"""Learnable contexts of prompts: CoOp's and CoCoOp's."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..clip.prompts import ClassSuffixes, readable, tokenize
from ..clip.text_encoder import TextEncoder
from ..errors import InputError
from ..run.classes import ByClasses, Classes

POSITIONS = ("end", "middle", "front")


class PromptLearner(nn.Module):
    """CoOp's learnable context (Zhou et al., IJCV 2022): one for all classes, or one per class.

    `ctx` is (M, W), class-specific (C, M, W); it is all that is learned and stored, with the names of the classes
    that it belongs to. `select` chooses the classes that prompts are made for.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        classnames: Sequence[str],
        n_ctx: int = 16,
        ctx_init: str = "",
        class_specific: bool = False,
        position: str = "end",
    ) -> None:
        super().__init__()
        if position not in POSITIONS:
            raise InputError(f"CLASS_TOKEN_POSITION is {position!r}; it can be {', '.join(POSITIONS)}.")
        self.context = " ".join(readable(ctx_init).split())
        if self.context:  # a context of real words is generic, as in CoOp
            n_ctx, class_specific = len(self.context.split(" ")), False
            tokens, first = tokenize("{}", [self.context], encoder.tokenizer), len(encoder.tokenizer.start)
            with torch.no_grad():
                start = encoder.embed(tokens.to(encoder.device))[0, first : first + n_ctx].float()
        else:
            self.context = " ".join([encoder.tokenizer.filler] * n_ctx)
            start = torch.empty(*([len(classnames)] if class_specific else []), n_ctx, encoder.width)
            nn.init.normal_(start, std=0.02)
        if n_ctx < 1:
            raise InputError(f"N_CTX is {n_ctx}; a context has at least one token.")
        self.ctx = nn.Parameter(start)
        self.position = position
        self._encoder = [encoder]  # in a list, so that its weights are not counted as this module's
        self._owners = Classes.of(classnames)
        self._made = ByClasses()  # what prompts are made of
        self.select(classnames)

    def announce(self) -> None:
        print(f'Initial context: "{self.context}"')
        print(f"Number of context words (tokens): {self.ctx.shape[-2]}")

    @property
    def class_specific(self) -> bool:
        return self.ctx.dim() == 3

    def select(self, classnames: Sequence[str]) -> None:
        """Makes prompts for these classes from now on.

        Raises InputError naming those for which a class-specific context was not learned.
        """
        classes = Classes.of(classnames)
        self._rows, self._suffixes, self._shared, self._order = self._made.of(classes, self._parts)
        self.classes = classes

    def _parts(self, classes: Classes) -> tuple[list[int | None] | None, ClassSuffixes, int, Tensor]:
        """Of the prompts of some classes: rows of a class-specific context, suffixes, shared tokens, their order."""
        rows = self._owners.find(classes)
        unknown = [name for name, row in zip(classes, rows, strict=True) if row is None]
        if self.class_specific and unknown:
            raise InputError(
                f"The class-specific context (TRAINER.COOP.CSC) knows nothing of {len(unknown)} classes: "
                f"{', '.join(unknown[:10])}.\n"
                "Evaluate on the classes that it was trained on, or train with CSC False."
            )
        n_ctx = self.ctx.shape[-2]
        suffixes = ClassSuffixes.of(self._encoder[0], classes, self.context, n_ctx)
        before = {"end": n_ctx, "middle": n_ctx // 2, "front": 0}[self.position]
        shared = 0 if self.class_specific else before
        order = self._token_order(suffixes, before, n_ctx)[:, shared:]
        rows = torch.tensor(rows, device=self._encoder[0].device) if self.class_specific else None
        return rows, suffixes, shared, order

    @staticmethod
    def _token_order(suffixes: ClassSuffixes, before: int, n_ctx: int) -> Tensor:
        """For each class the order (C, M + S) of [context][suffix] with `before` context tokens before its name."""
        context, suffix = list(range(n_ctx)), list(range(n_ctx, n_ctx + suffixes.embeddings.shape[1]))
        rows = [context[:before] + suffix[:name] + context[before:] + suffix[name:] for name in suffixes.name_lengths]
        return torch.tensor(rows, device=suffixes.embeddings.device)

    def forward(self) -> tuple[Tensor, Tensor, Tensor]:
        """Prefix (1, P, W), suffixes (C, S, W) and EOT positions (C,), for TextEncoder.forward."""
        sos, suffixes, eot = self._suffixes.sos, self._suffixes.embeddings, self._suffixes.eot
        n_ctx, shared = self.ctx.shape[-2], self._shared
        ctx = self.ctx.type(suffixes.dtype)
        prefix = sos if self.class_specific else torch.cat([sos, ctx[None, :shared]], dim=1)
        if shared == n_ctx:
            return prefix, suffixes, eot
        own = ctx[self._rows] if self.class_specific else ctx.expand(len(suffixes), -1, -1)
        pool = torch.cat([own, suffixes], dim=1)
        suffix = pool.take_along_dim(self._order[..., None], dim=1)
        return prefix, suffix, eot + n_ctx - shared

    def get_extra_state(self) -> dict:
        return {**self._owners.as_plain(), "position": self.position}

    def set_extra_state(self, state: dict) -> None:
        position = state.get("position", self.position)
        if position != self.position:
            raise InputError(
                f"The checkpoint's class names stand in position {position!r}, this run's in {self.position!r}: "
                "CLASS_TOKEN_POSITION differs from the run that made it."
            )
        self._owners = Classes.from_plain(state)
        self._made.clear()
        self.select(self.classes)

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        """Takes a stored context of any number of classes; says what differs where it cannot be taken."""
        stored = state_dict.get(f"{prefix}ctx")
        named = f"{prefix}_extra_state" in state_dict  # upstream's checkpoints do not name their classes
        if stored is not None:
            rows_fit = not self.class_specific or named or len(stored) == len(self.ctx)
            if stored.dim() != self.ctx.dim() or stored.shape[-2:] != self.ctx.shape[-2:] or not rows_fit:
                raise InputError(
                    f"The checkpoint's context is {tuple(stored.shape)}, this run's is {tuple(self.ctx.shape)} "
                    "(classes if class-specific, tokens, width): "
                    "N_CTX, CTX_INIT, CSC or the backbone differ from the run that made it."
                )
            self.ctx.data = stored.to(self.ctx)
        super()._load_from_state_dict(state_dict, prefix, *args)


class ConditionalPromptLearner(PromptLearner):
    """CoCoOp's context (Zhou et al., CVPR 2022): a generic one, shifted by meta_net(f) for each image.

    meta_net: Linear(D, D / 16), ReLU, Linear(D / 16, W), named as upstream names them.
    """

    REDUCTION = 16

    def __init__(
        self, encoder: TextEncoder, classnames: Sequence[str], feature_dim: int, n_ctx: int = 16, ctx_init: str = ""
    ) -> None:
        super().__init__(encoder, classnames, n_ctx, ctx_init)
        hidden = feature_dim // self.REDUCTION
        layers = {
            "linear1": nn.Linear(feature_dim, hidden),
            "relu": nn.ReLU(),
            "linear2": nn.Linear(hidden, encoder.width),
        }
        self.meta_net = nn.Sequential(OrderedDict(layers))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Prefixes (B, P, W), one for each of the features (B, D), suffixes (C, S, W) and EOT positions (C,)."""
        prefix, suffix, eot = super().forward()
        shift = self.meta_net(features)[:, None].type(prefix.dtype)
        first = self._suffixes.sos.shape[1]
        sos, ctx = prefix[:, :first].expand(len(features), -1, -1), prefix[:, first:]
        return torch.cat([sos, ctx + shift], dim=1), suffix, eot
