"""TorchScript archives as CLIP files: their tensors are read, their code is not run, forged ones are refused."""

import zipfile
from pathlib import Path

import clip
import pytest
import torch
from torch import nn

from trainers.blocks.clip.files import read_clip
from trainers.blocks.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore")  # TorchScript is deprecated, and tracing warns


@pytest.fixture
def archive(backbone, tmp_path) -> Path:
    path = tmp_path / "archive.pt"
    example = (torch.randn(1, 3, 32, 32), clip.tokenize(["a cat"]))
    torch.jit.trace(backbone.model, example, check_trace=False).save(str(path))
    return path


def rewritten(path: Path, change, compression: int = zipfile.ZIP_STORED) -> Path:
    """The archive with each record (name, content) as `change` returns it."""
    forged = path.with_name("forged.pt")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(forged, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return forged


def test_state_equals_what_torch_would_load(archive):
    expected = torch.jit.load(archive).state_dict()
    state = read_clip(str(archive))
    assert state.keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in state.items())


class Hostile(nn.Module):
    """Its archive writes a file when torch.jit.load loads it."""

    @torch.jit.export
    def __getstate__(self):
        return self.training

    @torch.jit.export
    def __setstate__(self, state: bool):
        torch.save(torch.ones(1), "MARK")
        self.training = state

    def forward(self, x: torch.Tensor):
        return x


def test_code_of_an_archive_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.jit.script(Hostile()).save("hostile.pt")
    Path("MARK").unlink(missing_ok=True)
    torch.jit.load("hostile.pt")
    assert Path("MARK").exists(), "the payload works where nothing stops it"
    Path("MARK").unlink()
    assert read_clip("hostile.pt") == {}
    assert not Path("MARK").exists()


@pytest.mark.parametrize(
    ("change", "compression", "reason"),
    [
        (lambda name, content: content[:-4] if name.endswith("data/0") else content, 0, "not the size"),
        (lambda name, content: content[:-9] if name.endswith("data.pkl") else content, 0, "truncated"),
        (lambda name, content: content, zipfile.ZIP_DEFLATED, "not the size"),
        (
            lambda name, content: (
                content.replace(b"_rebuild_tensor_v2", b"_rebuild_tensor_v3")
                if name.endswith("data.pkl")
                else content
            ),
            0,
            "_rebuild_tensor_v3, which has no place",
        ),
    ],
    ids=["short record", "cut pickle", "compressed", "foreign function"],
)
def test_forged_archive_is_refused(change, compression, reason, archive):
    with pytest.raises(InputError, match=reason):
        read_clip(str(rewritten(archive, change, compression)))
