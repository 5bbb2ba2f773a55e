"""The benchmark of encodings: the runs that compare.sh would start, shortened, and what they encoded."""

import json
from pathlib import Path

import numpy as np
import pytest
from bench.commands import encodings

from trainers.blocks.features.cache import hash_of_image


class Stub:
    """In the place of what starts runs: of the method `again` the picture is encoded though another has been."""

    picture: Path
    cache: Path

    def __init__(self, **_) -> None:
        self.cache = Path(encodings.os.environ["SHIP_CACHE"], "Shapes")
        self.cache.mkdir(parents=True)

    def __enter__(self) -> "Stub":
        return self

    def __exit__(self, *_) -> None:
        """Nothing is open."""

    def execute(self, run, number: str) -> None:
        files = len(list(self.cache.iterdir()))
        encodes = not files or (run.method.name == "coop" and run.classes == "new")
        if encodes:
            images = np.array([hash_of_image(str(self.picture))], dtype="S32")
            np.savez(self.cache / f"test-{files}-0.npz", images=images, features=np.ones((1, 4), np.float32))
        run.folder.mkdir(parents=True)
        record = {"images": {"test": {"encoded": int(encodes), "read": int(not encodes)}}}
        run.record_path.write_text(json.dumps(record), encoding="utf-8")


@pytest.fixture(autouse=True)
def stub(monkeypatch, tmp_path):
    Stub.picture = tmp_path / "picture.png"
    Stub.picture.touch()
    monkeypatch.setattr(encodings, "Runner", Stub)
    monkeypatch.setattr(encodings, "pictures", lambda data: {"test": [str(Stub.picture)]})


def measured(capsys, *words: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        encodings.main(words)
    return ended.value.code, capsys.readouterr().out


def test_a_picture_that_every_run_shares_is_encoded_once(capsys):
    status, printed = measured(capsys, "--methods", "zsclip", "ship", "--seeds", "1", "2", "--json")
    row = json.loads(printed)["rows"]["test"]
    assert (status, row) == (0, {"runs": 8, "read": 7, "encoded": 1, "distinct": 1, "again": []})


def test_a_picture_that_is_encoded_again_is_named_with_the_method(capsys):
    status, printed = measured(capsys, "--methods", "zsclip", "coop", "--seeds", "1")
    assert status == 1
    assert "test pictures: 1 encoded by coop again, after zsclip" in printed
    assert printed.splitlines()[5].split()[-4:] == ["2", "2", "1", "2.00"]


def test_runs_of_several_protocols_are_each_taken_once_and_shortened(tmp_path):
    args = encodings.parse_args(["--methods", "coop", "--seeds", "1", "--protocols", "base2new", "gzsl"])
    runs = encodings.planned(args, tmp_path)
    assert [(run.classes, run.trains) for run in runs] == [("base", True), ("new", False), ("all", False)]
    assert all(run.pairs[: len(encodings.SHORT)] == encodings.SHORT for run in runs)
