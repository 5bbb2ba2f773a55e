"""The benchmark of reading: ways to decode that are compared bit for bit, and ways to read with the same features."""

import json

import pytest
from bench.commands import reading
from torch.utils.data import DataLoader

FEW = ("--backbone", "tiny", "--pictures", "3", "--batch", "2", "--repeats", "1", "--threads", "1")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(reading, "SIZES", ((40, 36), (160, 140)))  # of which the tiny CLIP takes 32


def test_every_way_is_measured_and_whether_it_is_exact(capsys):
    reading.main([*FEW, "--json"])
    measured = json.loads(capsys.readouterr().out)
    assert list(measured["decoding"]) == list(measured["reading"]) == ["40 × 36", "160 × 140"]
    for size, halves in (("40 × 36", False), ("160 × 140", True)):
        rows = measured["decoding"][size]
        assert rows["Pillow"]["equal"] and rows["Pillow"]["steps"] == 0
        assert rows["Pillow, draft mode"]["equal"] is not halves
        assert (rows["Pillow, draft mode"]["steps"] > 0.1) is halves
        assert all(row["ms"] >= row["resizing"] for row in rows.values())
        assert len(measured["reading"][size]) == 5


def test_the_tables_say_the_same(capsys):
    reading.main(FEW)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-2:] for line in lines if line.startswith("Pillow ")] == [["yes", "0.00"]] * 2
    assert len([line for line in lines if line.startswith("a thread reads ahead")]) == 2


def test_other_features_end_it(monkeypatch):
    monkeypatch.setattr(reading, "read_once", lambda images, **loading: DataLoader(images[::-1], **loading))
    monkeypatch.setattr(reading.Pictures, "__getitem__", reversible(reading.Pictures.__getitem__))
    with pytest.raises(SystemExit) as ended:
        reading.main(FEW)
    assert "a thread reads ahead: other features" in str(ended.value)


def reversible(item):
    def get(self, row):
        return type(self)(self.paths[row], self.transform) if isinstance(row, slice) else item(self, row)

    return get
