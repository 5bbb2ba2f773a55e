"""All that runs of train.py import, for the process that they are forked from.

A fork cannot use a GPU once the process has opened CUDA, and `import clip` asks CUDA whether there is one: here that
question goes to the driver's management library, which leaves CUDA closed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from unittest import mock

import torch


@contextmanager
def cuda_left_closed() -> Iterator[None]:
    """While entered, torch.cuda.is_available() does not start CUDA; without NVML it sees no GPU."""
    with (
        mock.patch.dict(os.environ, PYTORCH_NVML_BASED_CUDA_CHECK="1"),
        mock.patch.object(torch._C, "_cuda_getDeviceCount", lambda: 0),
    ):
        yield


with cuda_left_closed():
    import train  # noqa: F401

# what is imported only when it is needed
with suppress(ImportError):
    import torch._dynamo
    import torch.utils.tensorboard  # noqa: F401

from trainers.blocks.clip.tokenizer import byte_pairs  # noqa: E402 - train makes `clip` importable

byte_pairs()  # every run needs it, and it takes a while to build
