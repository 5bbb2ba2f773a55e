"""Plots of ablations: what they show, their files, and what is said without matplotlib."""

import sys

import pytest
from ablating.drawing import figure_of, named_figures, plot
from ablating.options import Ablation

from .conftest import asked_for, competing


def points(axes) -> list[float]:
    """The values that a panel shows, from the top."""
    markers = [line for line in axes.lines if line.get_marker() in ("o", "D")]
    return [float(line.get_xdata()[0]) for line in sorted(markers, key=lambda line: line.get_ydata()[0])]


def test_a_plot_of_a_paired_ablation_has_h_of_both_protocols_and_clustered_errors(tmp_path):
    pytest.importorskip("matplotlib")
    ablation = competing(["loss"], tmp_path, {"LOSS split": 2.0})
    h, change, g, competing_change = figure_of(ablation).axes
    assert [axes.get_title() for axes in (h, change, g, competing_change)] == ["H", "Δ H", "G", "Δ G"]
    labels = [label.get_text().replace("\n", " ") for label in h.get_yticklabels()]
    assert labels == [variant.label for variant in ablation.variants]
    assert points(g)[:2] == pytest.approx([70.5, 73.5])
    assert len(points(g)) == len(labels) == len(points(competing_change)) + 1  # there is none to itself
    assert points(competing_change)[0] == pytest.approx(3)
    (lines,) = competing_change.containers[0].lines[2]
    assert lines.get_segments()[0][:, 0] == pytest.approx([2, 4])  # 3 ± 1
    assert {"–", "+3.00"} <= {text.get_text() for text in competing_change.texts}


def test_a_plot_of_another_ablation_has_base_to_new_alone(finished):
    pytest.importorskip("matplotlib")
    rows = [finished({}), finished({"KL_WEIGHT": 0.1}, higher=10.0)]
    figure = figure_of(Ablation("kl_weight", rows, rows[0]))
    assert [axes.get_title() for axes in figure.axes] == ["H", "Δ H"]
    assert figure.get_figwidth() <= 3.3
    assert "pale: not all runs" in figure.get_supxlabel()  # three of four


def test_plots_are_files_that_name_the_ablation_the_method_and_the_dataset(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    ablations = asked_for(["calibration", "shapes", "--on", "coop,tip_adapter_f"], tmp_path)
    assert [name for name, _ in named_figures(ablations)] == [
        "calibration_shapes_16shots",
        "calibration_tip_adapter_f_shapes_16shots",
    ]
    plot(ablations[:1], tmp_path / "plots")
    files = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert files == ["calibration_shapes_16shots.pdf", "calibration_shapes_16shots.png"]
    assert files[1] in capsys.readouterr().out


def test_without_matplotlib_a_plot_ends_in_what_to_install(finished, tmp_path, monkeypatch, capsys):
    for name in ("report.looks", "report.figures", "report.variant_figure"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SystemExit) as ended:
        row = finished({})
        plot([Ablation("kl_weight", [row], row)], tmp_path / "plots")
    assert ended.value.code == 2
    assert "pip install matplotlib" in capsys.readouterr().err
