"""CUDA graphs of passes through a text tower that repeat: launched as one, not operation by operation.

A pass is captured when it comes the third time, and replayed from then on, forward and backward, by
torch.cuda.make_graphed_callables. It is the same pass where prompts have the same lengths each time, as those of a
method's classes have; where only shapes repeat, as those of prompts for classes drawn at random, they are padded. A
replay computes where the capture did, so that it may begin only when nothing waits for what the last one has left for
the backward pass.
"""

import weakref
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ..errors import InputError
from ..run.memory import is_out_of_memory
from .packing import Packed, Padded

Pass = Callable[[Tensor, Tensor, Padded | Packed], Tensor]  # prefix, suffix and where tokens lie, to features
Layout = Callable[[tuple[int, ...], int, torch.device], Padded | Packed]
Replayed = Callable[..., Tensor]
BEFORE = 2  # times that a pass has to come before it is captured
KEPT = 8  # graphs at a time, each with memory of its own; the one that was used longest ago goes first
COUNTED = 64  # passes at a time that it is counted of how often they came


class Forward:
    """A forward pass whose backward pass may still come: for as long as anything refers to it."""


class Graph:
    """A captured pass, which one forward pass at a time can use."""

    def __init__(self, replay: Replayed, reads: object) -> None:
        """`reads` is what it reads beside its inputs, and has to stay where it is."""
        self.replay, self.reads = replay, reads
        self.waiting: weakref.ref[Forward] | None = None

    @property
    def free(self) -> bool:
        """Whether no backward pass waits for what the last forward pass has left."""
        return self.waiting is None or self.waiting() is None

    def __call__(self, *inputs: Tensor) -> Tensor:
        found = self.replay(*inputs)
        if found.requires_grad:
            forward = Forward()
            self.waiting = weakref.ref(forward)
            found.register_hook(lambda gradient: self.going_back(forward))
        return found.clone()  # the next replay writes to where it is

    def going_back(self, forward: Forward) -> None:
        if self.waiting is None or self.waiting() is not forward:
            raise InputError(
                "This method goes back twice through one forward pass, which a CUDA graph cannot do: "
                "set TRAINER.TEXT_GRAPHS False."
            )
        self.waiting = None


class TextGraphs:
    """Runs passes, those that repeat by graphs of them.

    run(prefix (G, P, W), suffix (N, S, W), tokens) gives features; layout(ends, S, device) the tokens, where the last
    ones of G * N prompts are at `ends`. `capture` makes a function of tensors one that replays, from samples of them.
    """

    def __init__(self, run: Pass, layout: Layout, capture: Callable[..., Replayed] | None = None) -> None:
        self.run, self.layout, self.capture = run, layout, capture or torch.cuda.make_graphed_callables
        self.came: OrderedDict[tuple, int] = OrderedDict()
        self.graphs: OrderedDict[tuple, Graph] = OrderedDict()
        self.able = True  # until a capture fails

    def __call__(self, prefix: Tensor, suffix: Tensor, ends: tuple[int, ...]) -> Tensor | None:
        """Features, or None where this pass has to be run operation by operation; `ends` has N numbers."""
        if not self.able:
            return None
        learning = torch.is_grad_enabled()
        shapes = tuple((*one.shape, one.dtype, learning and one.requires_grad) for one in (prefix, suffix))
        same, alike = (shapes, ends), (shapes, None)
        often = {key: self.comes(key) > BEFORE for key in (same, alike)}
        if often[same]:
            key, inputs = same, (prefix, suffix)
        elif often[alike]:
            key, inputs = alike, (prefix, suffix, torch.tensor(ends).to(prefix.device, non_blocking=True))
        else:
            return None
        graph = self.graphs.get(key) or self.captured(key, inputs)
        if graph is None or not graph.free:
            return None
        self.graphs.move_to_end(key)
        return graph(*inputs)

    def comes(self, key: tuple) -> int:
        """How often it has come, of those that came last."""
        self.came[key] = self.came.pop(key, 0) + 1
        if len(self.came) > COUNTED:
            self.came.popitem(last=False)
        return self.came[key]

    def captured(self, key: tuple, inputs: tuple[Tensor, ...]) -> Graph | None:
        """A new graph; where the GPU cannot make one a line says so, and none is tried again."""
        shapes, ends = key
        learned = [shapes[0][-1], shapes[1][-1], False]
        samples = tuple(one.detach().clone().requires_grad_(grad) for one, grad in zip(inputs, learned, strict=False))
        while len(self.graphs) >= KEPT:
            self.graphs.popitem(last=False)
        run, tokens = self.padded, None
        if ends is not None:
            tokens = self.layout(ends * len(inputs[0]), inputs[1].shape[1], inputs[0].device)
            run = partial(self.run, tokens=tokens)
        try:
            self.graphs[key] = Graph(self.capture(run, samples), tokens)
        except RuntimeError as error:
            reason = "memory is out" if is_out_of_memory(error) else str(error).partition("\n")[0]
            print(f"No CUDA graph of the text tower, which runs without from here on: {reason}")
            self.able = False
            self.graphs.clear()
            return None
        return self.graphs[key]

    def padded(self, prefix: Tensor, suffix: Tensor, eot: Tensor) -> Tensor:
        """The pass of prompts whose last tokens are at eot (N,), on the device, from nothing that is on the CPU."""
        return self.run(prefix, suffix, Padded(eot.repeat(len(prefix)), eot.device))
