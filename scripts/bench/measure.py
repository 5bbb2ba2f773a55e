"""Two ways to the same values: what each costs, and that the values are the same."""

import io
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from .machine import now
from .memory import with_peak
from .operations import counter

LOSS_TOLERANCE, LOGIT_TOLERANCE = 1e-4, 1e-3
COLOURS = 3  # channels of an image


@contextmanager
def quiet() -> Iterator[None]:
    """Without what a run prints."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


class Disagreement(Exception):
    """The two ways do not give the same values."""


@dataclass
class Outcome:
    """What an action computes: losses, and logits (N, C) where it predicts."""

    losses: Sequence[float] = ()
    logits: Tensor | None = None


Action = Callable[[], Outcome]


@dataclass
class Cost:
    """Of one way: seconds, fp32 operations, tokens through the text tower, images encoded, peak of memory in GB."""

    seconds: float
    operations: int
    tokens: int
    images: int
    gigabytes: float | None


@dataclass
class Row:
    """A part of training with its costs in both ways."""

    title: str
    plain: Cost
    ours: Cost

    @property
    def ways(self) -> dict[str, Cost]:
        return {"plain": self.plain, "ours": self.ours}

    @property
    def ratio(self) -> float:
        return self.plain.seconds / self.ours.seconds


def compare(title: str, plain: Action, ours: Action, model: nn.Module, repeats: int, once: bool = False) -> Row:
    """Counts both ways once, which warms up, then times them by turns: medians.

    With `once` the plain way is not run again: its seconds are those of the counted time.
    Raises Disagreement if the values are not the same.
    """
    show(f"{title}: plain path")
    plain_cost, plain_first = counted(plain, model)
    show(f"{title}: ours")
    ours_cost, ours_first = counted(ours, model)
    check_same(title, plain_first, ours_first)
    times = {"plain": [], "ours": []}
    for turn in range(repeats):
        show(f"{title}: {turn + 1} of {repeats}")
        outcomes = [timed(ours, times["ours"])]
        if not once:
            check_same(title, timed(plain, times["plain"]), *outcomes)
    for cost, seconds in ((plain_cost, times["plain"]), (ours_cost, times["ours"])):
        cost.seconds = statistics.median(seconds or [cost.seconds])
    return Row(title, plain_cost, ours_cost)


def counted(action: Action, model: nn.Module) -> tuple[Cost, Outcome]:
    """One run of the action with its cost; counting takes some time too."""
    seconds: list[float] = []
    with counter() as operations, counts(model) as seen:
        outcome, peak = with_peak(lambda: timed(action, seconds), cuda=torch.cuda.is_available())
    return Cost(seconds[0], operations.get_total_flops(), seen["tokens"], seen["images"], peak), outcome


def timed(action: Action, times: list[float]) -> Outcome:
    start = now()
    with quiet():
        outcome = action()
    times.append(now() - start)
    return outcome


@contextmanager
def counts(model: nn.Module) -> Iterator[Counter]:
    """Counts the tokens that pass the text tower of a CLIP, forward and backward, and the images that it encodes."""
    seen: Counter = Counter()

    def tokens(module: nn.Module, inputs: tuple[Tensor]) -> None:
        (x,) = inputs
        seen["tokens"] += x[..., 0].numel()
        if x.requires_grad:
            x.register_hook(lambda gradient: seen.update(backward=gradient[..., 0].numel()))

    def images(module: nn.Module, inputs: tuple[Tensor]) -> None:
        if isinstance(module, nn.Conv2d) and module.in_channels == COLOURS:  # of a tower in bf16 too, which is a copy
            seen["images"] += len(inputs[0])

    hooks = [
        model.transformer.resblocks[0].mlp.register_forward_pre_hook(tokens),
        register_module_forward_pre_hook(images),
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def check_same(title: str, plain: Outcome, ours: Outcome) -> None:
    """Losses within LOSS_TOLERANCE, and the same predictions, or ones whose logits are within LOGIT_TOLERANCE."""
    worst = apart(plain, ours)
    if not worst <= LOSS_TOLERANCE:
        raise Disagreement(f"{title}: losses of the two ways differ by up to {worst:.2g}")
    if plain.logits is None:
        return
    chosen = plain.logits.gather(1, ours.logits.argmax(dim=1, keepdim=True))
    others = int((plain.logits.amax(dim=1, keepdim=True) - chosen > LOGIT_TOLERANCE).sum())
    if others:
        raise Disagreement(f"{title}: {others} of {len(chosen)} predictions of the two ways differ")


def apart(plain: Outcome, ours: Outcome) -> float:
    """The largest difference of two losses of a step."""
    return max((abs(a - b) for a, b in zip(plain.losses, ours.losses, strict=True)), default=0.0)


def show(step: str) -> None:
    """What is being measured, on standard error."""
    print(step, file=sys.stderr, flush=True)
