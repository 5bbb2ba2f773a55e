"""When passes are replayed, and that a replay never runs over what a backward pass still needs; no GPU is needed."""

import pytest
import torch

from trainers.blocks.clip.graphs import BEFORE, COUNTED, KEPT, TextGraphs
from trainers.blocks.clip.packing import Packed, Padded, layout
from trainers.blocks.errors import InputError

ENDS = (1,)


class Captured:
    """In a graph's place: a pass that counts how often it is replayed, and whose output is always the same memory."""

    def __init__(self) -> None:
        self.captures = self.replays = 0

    def __call__(self, run, samples):
        self.captures += 1
        output = run(*samples).detach().clone()

        def replayed(*inputs):
            self.replays += 1
            found = run(*inputs)
            if found.requires_grad:
                return found
            return output.copy_(found)

        return replayed


def run(prefix, suffix, tokens=None):
    return (prefix * suffix).sum(dim=-1)


@pytest.fixture
def made():
    captured = Captured()
    return TextGraphs(run, layout, captured), captured


def inputs(size: int = 2, learned: bool = True):
    return torch.ones(1, 1, size, requires_grad=learned), torch.arange(float(size)).expand(1, 1, size), ENDS


def warm(graphs: TextGraphs, *some) -> None:
    for _ in range(BEFORE):
        assert graphs(*some) is None


def test_shapes_that_repeat_are_captured_once_and_replayed(made):
    graphs, captured = made
    warm(graphs, *inputs())
    for _ in range(3):
        features = graphs(*inputs())
        assert torch.equal(features, run(*inputs()[:2]))
        features.sum().backward()
    assert (captured.captures, captured.replays) == (1, 3)


def test_gradients_are_those_of_the_pass(made):
    graphs, _ = made
    warm(graphs, *inputs())
    prefix, suffix, ends = inputs()
    (3 * graphs(prefix, suffix, ends)).sum().backward()
    assert torch.equal(prefix.grad, 3 * suffix)


def test_other_shapes_and_what_is_not_learned_have_graphs_of_their_own(made):
    graphs, captured = made
    for some in (inputs(2), inputs(3), inputs(2, learned=False)):
        warm(graphs, *some)
        assert graphs(*some) is not None
    with torch.no_grad():  # learned inputs, but nothing to learn
        assert graphs(*inputs(2)) is not None
    assert captured.captures == 3


def test_a_pass_runs_without_graph_while_a_backward_pass_is_waited_for(made):
    graphs, captured = made
    warm(graphs, *inputs())
    first = graphs(*inputs())
    assert graphs(*inputs()) is None
    first.sum().backward()
    assert graphs(*inputs()) is not None
    assert captured.replays == 2


def test_a_backward_pass_that_nothing_can_begin_any_more_is_not_waited_for(made):
    graphs, _ = made
    warm(graphs, *inputs())
    first = graphs(*inputs())
    del first
    assert graphs(*inputs()) is not None


def test_features_outlive_the_next_replay(made):
    graphs, _ = made
    prefix, suffix, ends = inputs(learned=False)
    warm(graphs, prefix, suffix, ends)
    first = graphs(prefix, suffix, ends)
    graphs(2 * prefix, suffix, ends)
    assert torch.equal(first, run(prefix, suffix))


def test_going_back_twice_is_refused(made):
    graphs, _ = made
    warm(graphs, *inputs())
    features = graphs(*inputs())
    features.sum().backward(retain_graph=True)
    with pytest.raises(InputError, match="TRAINER.TEXT_GRAPHS False"):
        features.sum().backward()


def test_the_graph_that_was_used_longest_ago_makes_room(made):
    graphs, captured = made
    for size in range(1, KEPT + 2):
        warm(graphs, *inputs(size))
        assert graphs(*inputs(size)) is not None
    assert len(graphs.graphs) == KEPT
    graphs(*inputs(1))
    assert captured.captures == KEPT + 2


@pytest.mark.parametrize(
    ("error", "said"),
    [(RuntimeError("CUDA out of memory"), "memory is out"), (RuntimeError("not permitted\nwhen"), "not permitted")],
)
def test_where_nothing_can_be_captured_it_is_said_once(error, said, capsys):
    def fails(*_):
        raise error

    graphs = TextGraphs(run, layout, fails)
    for _ in range(BEFORE + 3):
        assert graphs(*inputs()) is None
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 and lines[0].endswith(said)


def test_prompts_of_the_same_lengths_are_laid_out_as_without_a_graph_and_others_are_padded():
    laid_out = []

    def noted(prefix, suffix, tokens):
        laid_out.append(tokens)
        return run(prefix, suffix)

    def capture(captured, samples):
        captured(*samples)
        return captured

    graphs = TextGraphs(noted, layout, capture)
    prefix, suffix = torch.ones(1, 1, 3), torch.ones(3, 5, 3)
    for ends in ((4, 0, 1), (4, 1, 1), (1, 4, 0), (0, 0, 4), (0, 0, 4)):
        graphs(prefix, suffix, ends)
    assert [type(tokens) for tokens in laid_out] == [Padded] * len(laid_out) and laid_out
    assert laid_out[-1].eot.tolist() == [0, 0, 4]
    laid_out.clear()
    graphs(prefix, suffix, (0, 0, 4))
    assert {type(tokens) for tokens in laid_out} == {Packed}
    assert laid_out[0].eot.tolist() == [0, 0, 4]


def test_only_the_last_passes_are_counted(made):
    graphs, _ = made
    for last in range(2 * COUNTED):
        graphs(*inputs()[:2], (last,))
    assert len(graphs.came) == COUNTED
