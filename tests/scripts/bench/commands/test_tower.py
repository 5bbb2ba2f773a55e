"""The benchmark of image towers, on a tiny CLIP."""

import json

import pytest
from bench import machine
from bench.commands import tower

TINY = ("--backbone", "tiny", "--repeats", "1", "--batch", "2")


@pytest.fixture(autouse=True)
def peak(monkeypatch):
    monkeypatch.setattr(machine, "peak_flops", lambda: 1e11)


def test_each_way_has_its_seconds_and_where_they_go(capsys):
    tower.main([*TINY, "--json"])
    ways = json.loads(capsys.readouterr().out)["ways"]
    assert [way["title"] for way in ways][:2] == ["CLIP's own", "ours"]
    for way in ways:
        assert way["seconds"] > 0 and way["share_of_peak"] > 0
        assert sum(way["shares"].values()) == pytest.approx(1)
        assert way["shares"]["attention"] > 0 and way["shares"]["products"] > 0


def test_the_table_has_a_line_for_each_way(capsys):
    tower.main(TINY)
    lines = capsys.readouterr().out.splitlines()
    assert all(any(line.startswith(f"{title} ") for line in lines) for title in ("CLIP's own", "ours"))


def test_other_features_than_clips_end_it(monkeypatch, capsys):
    monkeypatch.setattr(tower, "plain_path", lambda backbone: Negative(backbone))
    with pytest.raises(SystemExit, match="features of the two ways differ"):
        tower.main(TINY)
    assert capsys.readouterr().out == ""


class Negative:
    def __init__(self, backbone):
        self.backbone = backbone

    def encode_image(self, images):
        return -self.backbone.encode_image(images)


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("aten::addmm", "products"),
        ("mkldnn::_linear_pointwise", "products"),
        ("aten::_scaled_dot_product_flash_attention_for_cpu", "attention"),
        ("aten::bmm", "attention"),
        ("aten::mkldnn_convolution", "convolutions"),
        ("aten::silu_", "activation"),
        ("aten::native_layer_norm", "norms"),
        ("aten::copy_", "rest"),
    ],
)
def test_operations_are_told_apart_by_their_names(operation, kind):
    assert tower.kind_of(operation) == kind
