"""CUDA graphs of passes through a text tower whose shapes repeat: launched as one, not operation by operation.

A pass is captured when its shapes come the third time, and replayed from then on, forward and backward, by
torch.cuda.make_graphed_callables. What a replay computes lies where the capture put it, so that it may begin only
when nothing waits for what the last one of the same shapes has left for the backward pass.
"""

import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import InputError
from ..run.memory import is_out_of_memory

Pass = Callable[[Tensor, Tensor, Tensor], Tensor]  # prefix, suffix and EOT's positions, on the device, to features
BEFORE = 2  # times that shapes have to come before they are captured
KEPT = 8  # graphs at a time, each with memory of its own; the one that was used longest ago goes first


class Forward:
    """A forward pass whose backward pass may still come: for as long as anything refers to it."""


class Graph:
    """A captured pass, which one forward pass at a time can use."""

    def __init__(self, replay: Pass) -> None:
        self.replay = replay
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
    """Runs passes, those whose shapes repeat by graphs of them.

    run(prefix (G, P, W), suffix (N, S, W), eot (N,)) gives features, and waits for nothing that is on the device.
    `capture` makes a pass one that replays, from inputs of its shapes.
    """

    def __init__(self, run: Pass, capture: Callable[[Pass, tuple[Tensor, ...]], Pass] | None = None) -> None:
        self.run, self.capture = run, capture or torch.cuda.make_graphed_callables
        self.come: Counter[tuple] = Counter()
        self.graphs: OrderedDict[tuple, Graph] = OrderedDict()
        self.able = True  # until a capture fails

    def __call__(self, *inputs: Tensor) -> Tensor | None:
        """Features, or None where these inputs have to be run operation by operation."""
        learning = torch.is_grad_enabled()
        key = tuple((*one.shape, one.dtype, learning and one.requires_grad) for one in inputs)
        self.come[key] += 1
        if not self.able or self.come[key] <= BEFORE:
            return None
        graph = self.graphs.get(key) or self.captured(key, inputs)
        if graph is None or not graph.free:
            return None
        self.graphs.move_to_end(key)
        return graph(*inputs)

    def captured(self, key: tuple, inputs: tuple[Tensor, ...]) -> Graph | None:
        """A new graph; where the GPU cannot make one a line says so, and none is tried again."""
        learned = [about[-1] for about in key]
        samples = tuple(one.detach().clone().requires_grad_(grad) for one, grad in zip(inputs, learned, strict=True))
        while len(self.graphs) >= KEPT:
            self.graphs.popitem(last=False)
        try:
            self.graphs[key] = Graph(self.capture(self.run, samples))
        except RuntimeError as error:
            reason = "memory is out" if is_out_of_memory(error) else str(error).partition("\n")[0]
            print(f"No CUDA graph of the text tower, which runs without from here on: {reason}")
            self.able = False
            self.graphs.clear()
            return None
        return self.graphs[key]
