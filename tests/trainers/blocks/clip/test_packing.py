"""How tokens are laid out, and which layouts are kept."""

import pytest
import torch

from trainers.blocks.clip.packing import Layouts, Packed, Padded, layout


def test_only_the_last_layouts_are_kept():
    layouts, device = Layouts(), torch.device("cpu")
    first = layouts((0,), 1, device)
    for length in range(2, Layouts.COUNT + 1):
        layouts((0,), length, device)
        assert layouts((0,), 1, device) is first  # it came again, and so stays
    for length in range(2, Layouts.COUNT + 2):
        layouts((0,), length, device)
    assert len(layouts.kept) == Layouts.COUNT and layouts((0,), 1, device) is not first


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([9] * 4, Padded),
        ([9, 9, 9, 2], Padded),
        ([9, 9, 4, 4], Padded),
        ([9, 9, 4, 3], Packed),
        ([9, 0, 0, 0], Packed),
    ],
)
def test_prompts_are_packed_where_more_than_a_quarter_is_padding(ends, expected):
    assert type(layout(ends, 10, torch.device("cpu"))) is expected
