"""The tensors of a TorchScript archive, read without running any of its code.

`torch.jit.load` runs the `__setstate__` methods that an archive brings along, and TorchScript can write files
(`torch.save`, `torch.from_file`). Here the archive's pickle goes through a restricted unpickler instead.
"""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
NOT_STORED = ("attn_mask",)  # tensors that CLIP's modules keep as plain attributes, outside their state


class ScriptObject:
    """Stands in for any class that an archive defines: keeps its attributes and does nothing."""

    def __setstate__(self, state: object) -> None:
        self.attributes = state if isinstance(state, dict) else {}


class ArchiveUnpickler(pickle.Unpickler):
    """Reads tensors, plain values and `ScriptObject`s; anything else is refused unread."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(archive.open(f"{folder}/data.pkl"))
        self.archive, self.folder = archive, folder

    def find_class(self, module: str, name: str) -> object:
        if module.split(".")[0] == "__torch__":
            return ScriptObject
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return rebuild
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch.jit._pickle":  # lists that are told by their type
            return lambda values, *_: values
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which has no place in an archive of weights")

    def persistent_load(self, reference: tuple) -> Tensor:
        """The numbers of a storage: ("storage", type, key, device, how many)."""
        _, dtype, key, _, count = reference
        record = self.archive.getinfo(f"{self.folder}/data/{key}")
        if record.compress_type != zipfile.ZIP_STORED or record.file_size != count * dtype.itemsize:
            raise pickle.UnpicklingError(f"its record {record.filename} has not the size that it should have")
        content = bytearray(self.archive.read(record))
        return torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)


def rebuild(numbers: Tensor, offset: int, size: tuple, stride: tuple, *_: object) -> Tensor:
    """A tensor of a storage's numbers (N,); raises RuntimeError where it would reach beyond them."""
    view = numbers.as_strided(size, stride, offset)
    if view.numel() > len(numbers):
        raise pickle.UnpicklingError("it has a tensor that repeats its numbers")
    return view


def is_torchscript(path: Path) -> bool:
    """Whether the file is a zip archive with TorchScript's record of constants, which torch.save does not write."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The archive's tensors by their names, as in the state dict of its module.

    Raises almost anything for a damaged archive, pickle.UnpicklingError for one that asks for foreign classes.
    """
    with zipfile.ZipFile(path) as archive:
        folder = next(name for name in archive.namelist() if name.endswith("/constants.pkl")).rpartition("/")[0]
        module = ArchiveUnpickler(archive, folder).load()
    return dict(named_tensors(module, "", set()))


def named_tensors(module: ScriptObject, prefix: str, seen: set[int]) -> Iterator[tuple[str, Tensor]]:
    """Tensors of a module and of those in it, each module once: a forged archive may hold itself."""
    seen.add(id(module))
    for name, value in module.attributes.items():
        if isinstance(value, Tensor) and name not in NOT_STORED:
            yield f"{prefix}{name}", value
        elif isinstance(value, ScriptObject) and id(value) not in seen:
            yield from named_tensors(value, f"{prefix}{name}.", seen)
