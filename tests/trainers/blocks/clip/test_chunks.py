"""How many prompts are encoded at once, and that it changes nothing but memory."""

import pytest
import torch

from tests.trainers.conftest import VIT, random_clip
from trainers.blocks.clip import chunks, text_encoder
from trainers.blocks.clip.backbone import load_backbone
from trainers.blocks.clip.chunks import ALL, AUTOMATIC, Chunks, cuts, free_memory, kept_of
from trainers.blocks.clip.text_encoder import TextEncoder
from trainers.blocks.errors import InputError

CPU = torch.device("cpu")
ENCODER = TextEncoder(random_clip(VIT, feature_dim=24, width=128, layers=3).eval().requires_grad_(False))


@pytest.fixture(autouse=True)
def all_at_once():
    yield
    ENCODER.chunks = Chunks()


def features_and_gradients(groups: int, prompts: int, shortest: int = 2) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    prefix = torch.randn(groups, 5, 128, generator=draw).requires_grad_()
    suffix = torch.randn(prompts, 9, 128, generator=draw).requires_grad_()
    eot = torch.randint(shortest - 1, 9, (prompts,), generator=draw)
    features = ENCODER(prefix, suffix, eot)
    (features * torch.randn(features.shape, generator=draw)).sum().backward()
    return [features.detach(), prefix.grad, suffix.grad]


@pytest.mark.parametrize("size", [1, 3, 4, 7, 15, 100])
@pytest.mark.parametrize(("groups", "prompts"), [(1, 11), (4, 7), (5, 1)])
def test_features_and_gradients_are_those_of_all_at_once(groups, prompts, size):
    expected = features_and_gradients(groups, prompts)
    ENCODER.chunks = Chunks(size)
    for got, wanted in zip(features_and_gradients(groups, prompts), expected, strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)


def test_backward_pass_keeps_nothing_that_grows_but_what_goes_in():
    def kept(prompts: int) -> int:
        """Bytes kept for the backward pass, without the weights and the prompts."""
        context, suffix = torch.zeros(1, 4, 128, requires_grad=True), torch.randn(prompts, 5, 128)
        not_counted = {tensor.data_ptr() for tensor in (suffix, *ENCODER.parameters())}
        storages = {}

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            storages[storage.data_ptr()] = 0 if storage.data_ptr() in not_counted else storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            features = ENCODER(context, suffix, torch.full((prompts,), 4))
        assert features.requires_grad
        return sum(storages.values())

    ENCODER.chunks = Chunks(8)
    chunked = kept(64) - kept(16)
    ENCODER.chunks = Chunks()
    whole = kept(64) - kept(16)
    assert chunked < whole / 10


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        (Chunks(0), 100),
        (Chunks(7), 7),
        (Chunks(-1, 1000), 100),  # all fit
        (Chunks(-1, 999), 8),  # a quarter of the budget has room for 12 of the longest
        (Chunks(-1, 5), 1),  # there is room for none
    ],
)
def test_automatic_size_is_all_where_all_fit_else_a_power_of_two(chunks, expected):
    assert chunks.prompts(100, bytes_each=10, bytes_most=20) == expected


@pytest.mark.parametrize(("groups", "each", "size"), [(3, 5, 2), (3, 5, 5), (7, 5, 10), (4, 1, 3), (2, 3, 100)])
def test_cuts_cover_every_prompt_once(groups, each, size):
    index = torch.arange(groups * each).view(groups, each)
    parts = [index[group, part].flatten() for group, part in cuts(groups, each, size)]
    assert torch.cat(parts).tolist() == list(range(groups * each))
    assert max(map(len, parts)) <= size


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        (Chunks(AUTOMATIC, 60), 2),
        (Chunks(AUTOMATIC, 59), 1),
        (Chunks(AUTOMATIC, 29), 0),
        (Chunks(AUTOMATIC, 100), 3),
        (Chunks(8, 100), 0),  # the user's size bounds memory
        (Chunks(AUTOMATIC, 100, most=8), 0),  # memory was out before
    ],
)
def test_as_many_of_the_last_parts_are_kept_as_the_budget_has_room_for(chunks, expected):
    assert kept_of([40, 30, 30], chunks.room) == expected


@pytest.mark.parametrize("size", [ALL, AUTOMATIC])
def test_on_a_cpu_prompts_of_like_length_run_by_themselves_and_none_again(size, monkeypatch):
    expected = features_and_gradients(2, 11)
    monkeypatch.setattr(text_encoder, "LIKE", 4)
    monkeypatch.setattr(ENCODER, "run_suffix", run := Full(room=2**20))
    ENCODER.chunks = Chunks(size, budget=2**40)
    for got, wanted in zip(features_and_gradients(2, 11), expected, strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)
    assert run.sizes == [4, 4, 3] * 2


@pytest.mark.parametrize(("groups", "prompts"), [(1, 40), (3, 16)])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_only_what_the_budget_has_no_room_for_is_run_again(groups, prompts, share, monkeypatch):
    """And features and gradients are those of all at once."""
    expected = features_and_gradients(groups, prompts, shortest=9)
    suffix = torch.zeros(prompts, 9, 128, requires_grad=True)
    whole = groups * prompts * ENCODER.bytes_each(torch.zeros(groups, 5, 128), suffix, 9)
    ENCODER.chunks = Chunks(AUTOMATIC, budget=int(share * whole))
    monkeypatch.setattr(ENCODER, "run_suffix", run := Full(room=2**20))
    for got, wanted in zip(features_and_gradients(groups, prompts, shortest=9), expected, strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)
    again = sum(run.sizes) / (groups * prompts) - 1
    assert 1 - share <= again <= 1 - 0.7 * share  # parts are a quarter of the budget at most


def test_budget_is_a_share_of_free_memory():
    assert 0 < Chunks.on(CPU).budget < free_memory(CPU)


def test_a_size_that_is_none_is_refused():
    with pytest.raises(InputError, match=r"TRAINER.TEXT_CHUNK is -2"):
        Chunks.on(CPU, -2)


@pytest.mark.parametrize("size", [ALL, AUTOMATIC, 10**6])
def test_one_call_never_gets_more_prompts_than_cuda_has_room_for(size):
    assert Chunks(size, budget=2**50).prompts(70_000, 1, 1) == 65_535


def test_more_prompts_than_that_have_the_features_and_gradients_of_all_at_once(monkeypatch):
    expected = features_and_gradients(2, 7)
    monkeypatch.setattr(ENCODER, "chunks", Chunks(most=3))
    monkeypatch.setattr(ENCODER, "run_suffix", run := Full(room=3))
    for got, value in zip(features_and_gradients(2, 7), expected, strict=True):
        torch.testing.assert_close(got, value, atol=1e-5, rtol=1e-5)
    assert max(run.sizes) == 3


class Full:
    """Stands in for `run_suffix` on a device that has memory for so many prompts at once."""

    def __init__(self, room: int) -> None:
        self.room, self.run, self.sizes = room, ENCODER.run_suffix, []

    def __call__(self, past, suffix, ends):
        count = len(past[0][0]) * len(suffix)
        self.sizes.append(count)
        if count > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self.run(past, suffix, ends)


def test_where_memory_is_out_half_as_many_are_encoded_at_once_from_then_on(monkeypatch, capsys):
    expected = features_and_gradients(2, 8)
    monkeypatch.setattr(ENCODER, "run_suffix", full := Full(room=8))
    ENCODER.chunks = Chunks(AUTOMATIC, budget=2**40)
    for got, value in zip(features_and_gradients(2, 8), expected, strict=True):
        torch.testing.assert_close(got, value, atol=1e-5, rtol=1e-5)
    assert full.sizes == [16, 8, 8, 8, 8]  # all; halves, and those of the backward pass
    assert "16 prompts at once is not there: 8 at once from here on (TRAINER.TEXT_CHUNK)" in capsys.readouterr().out
    features_and_gradients(2, 8)
    assert full.sizes[5:] == [8] * 4  # without another try


@pytest.mark.parametrize(("size", "room", "tries"), [(AUTOMATIC, 4, 2), (0, 8, 1), (16, 8, 1)])
def test_no_second_half_is_tried_nor_another_size_than_the_users(size, room, tries, monkeypatch):
    monkeypatch.setattr(ENCODER, "run_suffix", full := Full(room))
    ENCODER.chunks = Chunks(size, budget=2**40)
    with pytest.raises(torch.OutOfMemoryError):
        features_and_gradients(2, 8)
    assert len(full.sizes) == tries


def test_other_errors_are_not_tried_again(monkeypatch):
    monkeypatch.setattr(ENCODER, "run_suffix", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        features_and_gradients(2, 8)


def test_a_run_that_shares_a_gpu_with_two_others_leaves_room_for_them(monkeypatch):
    monkeypatch.setattr(chunks, "free_memory", lambda device: 100)
    assert 3 * Chunks.on(torch.device("cuda")).budget <= 100 and Chunks.on(CPU).budget == 40


@pytest.mark.parametrize("precision", ["fp32", "bf16", "amp"])
def test_the_estimate_is_no_less_than_what_the_backward_pass_keeps(precision, tmp_path):
    """By the type of the products: 16 bits take less than fp32, and more than half of it."""
    torch.save(random_clip(VIT, feature_dim=24, width=128, layers=6).state_dict(), path := tmp_path / "clip.pt")
    encoder = load_backbone(str(path), "fp32" if precision == "amp" else precision, CPU).text
    if precision == "amp":
        encoder.cast(torch.bfloat16)
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    known = {weights.untyped_storage().data_ptr() for weights in encoder.parameters()}
    prefix, suffix = torch.zeros(1, 1, 128, requires_grad=True), torch.randn(64, 12, 128)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        features = encoder(prefix, suffix, torch.full((64,), 11))
    assert features.requires_grad
    estimate = 64 * encoder.bytes_each(torch.zeros(1, 1, 128, requires_grad=True), suffix, 12)
    measured = sum(size for place, size in kept.items() if place not in known)
    assert measured < estimate < 3 * measured
