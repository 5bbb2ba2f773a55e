"""Which layouts of tokens are kept."""

import torch

from trainers.blocks.clip.packing import Layouts


def test_only_the_last_layouts_are_kept():
    layouts, device = Layouts(), torch.device("cpu")
    first = layouts((0,), 1, device)
    for length in range(2, Layouts.COUNT + 1):
        layouts((0,), length, device)
        assert layouts((0,), 1, device) is first  # it came again, and so stays
    for length in range(2, Layouts.COUNT + 2):
        layouts((0,), length, device)
    assert len(layouts.kept) == Layouts.COUNT and layouts((0,), 1, device) is not first
