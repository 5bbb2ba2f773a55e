"""Plots of runs: which files, and what they show."""

import json
import math
import sys

import plots
import pytest
from protocols.layout import TEN, train_folder
from protocols.layout import test_folder as evaluation_folder
from report.blocks import build
from report.results import load


@pytest.fixture
def write(tmp_path):
    """Runs of a method on a dataset: (base, new) by seed."""

    def write(trainer: str, dataset: str, *pairs: tuple[float, float], recipe: str = "vit_b16"):
        for seed, (base, new) in enumerate(pairs, start=1):
            args = (dataset, 16, trainer, recipe, seed)
            for folder, accuracy in (
                (train_folder(tmp_path, "base2new", *args), base),
                (evaluation_folder(tmp_path, "new", *args), new),
            ):
                folder.mkdir(parents=True)
                (folder / "results.json").write_text(json.dumps({"metrics": {"accuracy": accuracy}}))

    return write


@pytest.fixture
def drawn(tmp_path):
    """Draws the runs that were written; figures by name."""
    pytest.importorskip("matplotlib")

    def drawn(protocol: str = "base2new") -> dict:
        return dict(plots.draw(build(load([tmp_path], protocol), protocol), protocol))

    return drawn


def words(figure) -> list[str]:
    """All text on a figure."""
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_a_single_dataset_gives_a_scatter_and_a_bar_per_method(write, drawn):
    write("CoOp", "shapes", (60, 40), (62, 42))
    write("SHIP", "shapes", (58, 50), (58, 50))
    write("ZeroshotCLIP", "shapes", (50, 49), (50, 49))
    figures = drawn()
    assert list(figures) == ["scatter_shapes_16shots", "differences_16shots"]
    assert {"CLIP", "CoOp", "SHIP", "H 50"} <= set(words(figures["scatter_shapes_16shots"]))
    assert {"−3.0", "+9.0", "Difference to CoOp (points)"} <= set(words(figures["differences_16shots"]))


def test_several_datasets_give_a_chart_per_method_highest_first_and_the_average_last(write, drawn):
    for dataset, gain in (("dtd", 1), ("eurosat", 9), ("ucf101", 5)):
        write("CoOp", dataset, (60, 40))
        write("SHIP", dataset, (60, 40 + gain))
    figures = drawn()
    assert "scatter_average_16shots" in figures
    chart = figures["difference_SHIP_vit_b16_16shots"]
    names = [label.get_text() for label in chart.axes[0].get_yticklabels()]
    assert names == ["eurosat", "ucf101", "dtd", "average"]
    assert "SHIP minus CoOp (points)" in words(chart)


def test_figures_on_too_few_seeds_are_pale_and_said_to_be(write, drawn):
    write("CoOp", "dtd", (60, 40), (60, 40))
    assert "pale: not all seeds" not in words(drawn()["scatter_dtd_16shots"])
    write("SHIP", "dtd", (60, 50))
    assert "pale: not all seeds" in words(drawn()["scatter_dtd_16shots"])


def test_methods_with_one_figure_of_two_are_not_in_the_scatter(write, drawn, tmp_path):
    write("CoOp", "dtd", (60, 40))
    folder = train_folder(tmp_path, "base2new", "dtd", 16, "TipAdapter", "vit_b16", 1)
    folder.mkdir(parents=True)
    (folder / "results.json").write_text('{"metrics": {"accuracy": 70}}')
    assert "Tip-Adapter" not in words(drawn()["scatter_dtd_16shots"])


def test_few_shot_curves_have_a_panel_per_dataset_the_average_first(drawn, tmp_path):
    for dataset in ("dtd", "eurosat"):
        for shots in (0, 1, 16):
            trainer = "CoOp" if shots else "ZeroshotCLIP"
            folder = train_folder(tmp_path, "fewshot", dataset, shots, trainer, "vit_b16", 1)
            folder.mkdir(parents=True)
            (folder / "results.json").write_text(json.dumps({"metrics": {"accuracy": 40 + shots}}))
    figure = drawn("fewshot")["shots"]
    assert [axes.get_title() for axes in figure.axes] == ["average over 2 datasets", "dtd", "eurosat"]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["0", "1", "16"]


def test_the_long_tail_has_a_panel_per_group_and_a_line_per_method_with_and_without_ship(drawn, tmp_path):
    metrics = {"many": 80, "few": 60, "none": 20, "accuracy": 50}
    for trainer, recipe in (("CoOp", "vit_b16"), ("SHIP", "vit_b16"), ("SHIP", "vit_b16_tip_adapter_f")):
        folder = train_folder(tmp_path, "longtail", "dtd", 16, trainer, recipe, 1)
        folder.mkdir(parents=True)
        (folder / "results.json").write_text(json.dumps({"metrics": metrics}))
        metrics = {**metrics, "none": metrics["none"] + 5}
    figure = drawn("longtail")["groups_dtd_16shots"]
    assert [axes.get_title() for axes in figure.axes] == ["Many images", "Few images", "No images", "All classes"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["CoOp", "Tip-Adapter-F"]
    found = sorted(
        (line.get_xdata()[0], line.get_marker()) for line in figure.axes[2].lines if line.get_marker() in "oD"
    )
    assert found == [(20, "o"), (25, "D"), (30, "D")]
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert legend.get_window_extent().y1 <= figure.axes[0].get_tightbbox().y0


def test_the_legend_of_six_methods_is_within_the_figure(drawn, tmp_path):
    for trainer in ("ZeroshotCLIP", "CoOp", "CoCoOp", "CLIPAdapter", "TipAdapter", "TipAdapterF"):
        folder = train_folder(tmp_path, "fewshot", "dtd", 16, trainer, "vit_b16", 1)
        folder.mkdir(parents=True)
        (folder / "results.json").write_text('{"metrics": {"accuracy": 60}}')
    figure = drawn("fewshot")["shots"]
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert len(legend.get_texts()) == 6
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.width


def test_bars_show_how_far_their_differences_spread_over_the_seeds(write, drawn):
    write("CoOp", "dtd", (60, 40), (62, 44))
    write("SHIP", "dtd", (61, 45), (63, 53))  # by seed 1 and 1 more on base, 5 and 9 on new classes
    figure = drawn()["differences_16shots"]
    spreads = []
    for axes in figure.axes[:2]:
        (bars,) = (container for container in axes.containers if hasattr(container, "patches") and container.errorbar)
        ((first, last),) = bars.errorbar.lines[2][0].get_segments()
        spreads.append((first[0], last[0]))
        low, high = axes.get_xlim()
        assert low <= first[0] <= last[0] <= high
    assert spreads == [(1, 1), (5, 9)]


def test_bars_of_one_seed_have_no_spread(write, drawn):
    write("CoOp", "dtd", (60, 40))
    write("SHIP", "dtd", (61, 45))
    figure = drawn()["differences_16shots"]
    assert all(getattr(container, "errorbar", None) is None for axes in figure.axes for container in axes.containers)


def test_letters_are_legible_in_a_column(write, drawn):
    from matplotlib.text import Text

    write("CoOp", "dtd", (60, 40))
    write("SHIP", "dtd", (60, 50))
    for figure in drawn().values():
        assert figure.get_figwidth() <= 3.3
        assert min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text()) >= 7


SIXTEEN = (  # trainers, the first of them of all families
    *(
        "ZeroshotCLIP",
        "CoOp",
        "CoCoOp",
        "CLIPAdapter",
        "TipAdapter",
        "TipAdapterF",
        "APE",
        "LinearProbe",
        "LPplusplus",
    ),
    *("GDA", "A", "B", "C", "D", "E", "F"),
)


def test_sixteen_methods_look_unlike_each_other_with_and_without_ship(write, tmp_path):
    pytest.importorskip("matplotlib")
    from report.looks import COLOURS, DIAMOND, looks

    for place, trainer in enumerate(SIXTEEN):
        write(trainer, "shapes", (60, 40 + place), recipe="shapes")
    carriers = ("shapes", *(f"shapes_{name}" for name in ("clip_adapter", "gda", "lp_plus_plus", "ape")))
    for recipe in carriers:
        write("SHIP", "shapes", (60, 50), recipe=recipe)
    (block, *_) = build(load([tmp_path], "base2new"), "base2new")
    named = plots.named(block.methods)
    found = looks(named)
    assert len({(look.number, look.carried) for look in found}) == len(SIXTEEN) + len(carriers)
    assert len({(look.colour, str(look.dashes), look.carried) for look in found[:9]}) == 9  # lines of one family
    by_label = {look.label: look for look in found}
    for alone, carried in (("CoOp", "CoOp + SHIP"), ("GDA", "GDA + SHIP"), ("LP++", "LP++ + SHIP")):
        one, other = by_label[alone], by_label[carried]
        assert (one.number, one.colour) == (other.number, other.colour)
        shapes = [look.artists([0], [0])[0].get_marker() for look in (one, other)]
        assert shapes == ["o", DIAMOND[0]]
        assert (one.face, other.face) == ("white", one.colour)
    families = {name.family: look.colour for name, look in zip(named, found, strict=True)}
    assert families.items() >= COLOURS.items()
    assert len(set(families.values())) == len(families)


def test_colours_of_families_differ_in_lightness_or_are_safe_for_colour_blind_readers():
    """Okabe and Ito's palette, of which no colour is taken twice."""
    pytest.importorskip("matplotlib")
    from report.looks import COLOURS

    palette = {"#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}
    assert set(COLOURS.values()) <= palette
    assert len(set(COLOURS.values())) == len(COLOURS)


def test_ships_variants_on_one_method_have_numbers_of_their_own(write, tmp_path):
    pytest.importorskip("matplotlib")
    from report.looks import looks

    write("CoOp", "shapes", (60, 40), recipe="shapes")
    for recipe in ("shapes", "shapes_kl_low"):
        write("SHIP", "shapes", (60, 50), recipe=recipe)
    (block, *_) = build(load([tmp_path], "base2new"), "base2new")
    assert [look.number for look in looks(plots.named(block.methods))] == [1, 1, 2]


@pytest.mark.parametrize("wanted", [[1, 1, 1, 1], [9.9, 9.9, 9.9], [0, 5, 5.2, 10], []])
def test_numbers_beside_curves_do_not_cover_each_other(wanted):
    pytest.importorskip("matplotlib")
    from report.figures import spread

    places = spread(wanted, 1.0, 0.0, 10.0)
    assert all(after - before >= 1 - 1e-9 for before, after in zip(places, places[1:], strict=False))
    assert all(0 <= place <= 10 for place in places)
    if wanted == [0, 5, 5.2, 10]:
        assert places == pytest.approx([0.5, 5, 6, 9.5])


def test_the_legend_of_many_methods_takes_nothing_from_the_picture(write, drawn):
    for place, trainer in enumerate(SIXTEEN):
        write(trainer, "shapes", (60 + place / 2, 40 + place), recipe="shapes")
    figure = drawn()["scatter_shapes_16shots"]
    figure.draw_without_rendering()
    (legend,), (axes,) = figure.legends, figure.axes
    assert len(legend.get_texts()) == 16
    assert legend.get_window_extent().x1 <= figure.bbox.width
    assert axes.get_window_extent().height / figure.dpi > 2
    assert legend.get_window_extent().y1 <= axes.get_window_extent().y0


@pytest.mark.parametrize(
    ("recipes", "names"),
    [
        (["shapes"], ["SHIP"]),
        (["shapes", "shapes_clip_adapter"], ["CoOp + SHIP", "CLIP-Adapter + SHIP"]),
        (["shapes", "shapes_kl_low"], ["SHIP", "SHIP (kl_low)"]),
    ],
)
def test_rows_of_one_trainer_are_named_by_what_differs(write, tmp_path, recipes, names):
    for recipe in recipes:
        write("SHIP", "shapes", (60, 50), recipe=recipe)
    (block, *_) = build(load([tmp_path], "base2new"), "base2new")
    assert plots.labels(block.methods) == names


@pytest.fixture
def write_record(tmp_path):
    """Leaves a run's results.json in a folder below OUTPUT."""

    def write_record(folder, **record) -> None:
        folder.mkdir(parents=True)
        (folder / "results.json").write_text(json.dumps(record))

    return write_record


def test_seen_against_unseen_classes_and_their_differences(write_record, drawn, tmp_path):
    for trainer, seen, unseen in (("CoOp", 60, 40), ("SHIP", 58, 50)):
        folder = evaluation_folder(tmp_path, "all", "shapes", 16, trainer, "shapes", 1)
        write_record(folder, metrics={"accuracy": 50, "seen": seen, "unseen": unseen})
    figures = drawn("gzsl")
    assert list(figures) == ["gzsl_scatter_shapes_16shots", "gzsl_differences_16shots"]
    scatter, bars = figures.values()
    assert {"Accuracy on seen classes (%)", "Accuracy on unseen classes (%)", "H 50"} <= set(words(scatter))
    assert [axes.get_title() for axes in bars.axes] == ["Seen", "Unseen", "H"]
    assert {"−2.0", "+10.0"} <= set(words(bars))


@pytest.fixture
def shifted(write_record, tmp_path):
    """Runs of dg of many methods, two of which have about the same accuracies."""
    accuracies = {
        "CoOp": (60, 40, 30),
        "CoCoOp": (60.1, 40.2, 30),
        "ZeroshotCLIP": (50, 45, 20),
        "SHIP": (70, 60, 50),
    }
    for trainer, (source, *targets) in accuracies.items():
        for seed in (1, 2):
            write_record(
                train_folder(tmp_path, "dg", "shapes", 16, trainer, "shapes", seed), metrics={"accuracy": source}
            )
            for name, accuracy in zip(("shapes_style", "shapes_dark"), targets, strict=True):
                folder = evaluation_folder(tmp_path, "target", name, 16, trainer, "shapes", seed)
                write_record(folder, metrics={"accuracy": accuracy + seed})
    return accuracies


def test_targets_have_rows_and_the_source_a_panel_of_its_own(shifted, drawn):
    figure = drawn("dg")["dg_shapes_16shots"]
    source, targets = figure.axes
    assert (source.get_title("left"), targets.get_title("left")) == ("Source", "Targets")
    assert [label.get_text() for label in source.get_yticklabels()] == ["shapes"]
    assert [label.get_text() for label in targets.get_yticklabels()] == ["shapes_style", "shapes_dark", "mean"]
    shown = [line.get_xdata()[0] for line in targets.lines if line.get_marker() == "D"]
    assert shown == pytest.approx([61.5, 51.5, 56.5])  # SHIP's
    assert figure.get_figwidth() <= 3.3


def test_methods_of_about_the_same_accuracy_lie_beside_each_other(shifted, drawn):
    figure = drawn("dg")["dg_shapes_16shots"]
    figure.draw_without_rendering()
    for axes in figure.axes:
        markers = [line for line in axes.lines if line.get_marker() in ("o", "D")]
        places = [axes.transData.transform((line.get_xdata()[0], line.get_ydata()[0])) for line in markers]
        apart = [math.dist(one, other) for at, one in enumerate(places) for other in places[:at]]
        assert min(apart) * 72 / figure.dpi > 9  # points, which a marker is wide


def test_many_targets_have_panels_with_scales_of_their_own(write_record, drawn, tmp_path):
    for trainer, more in (("CoOp", 0), ("SHIP", 2)):
        write_record(train_folder(tmp_path, "xd", "imagenet", 16, trainer, "a", 1), metrics={"accuracy": 70 + more})
        for place, name in enumerate(TEN):
            folder = evaluation_folder(tmp_path, "target", name, 16, trainer, "a", 1)
            write_record(folder, metrics={"accuracy": 20 + 7 * place + more})
    figure = drawn("xd")["xd_imagenet_16shots"]
    assert [axes.get_title() for axes in figure.axes] == ["imagenet (source)", *TEN, "mean"]
    for axes, low in zip(figure.axes[1:], range(20, 90, 7), strict=False):
        left, right = axes.get_xlim()
        assert low - 2 < left < low and low + 2 < right < low + 4
    assert figure.get_figwidth() <= 6.9 and figure.get_figheight() < 9


def test_lanes_are_the_first_that_are_free():
    pytest.importorskip("matplotlib")
    from report.target_figure import in_lanes

    assert in_lanes([5.0, 1.0, 1.5, 3.0, 2.0], gap=1.0) == [0, 0, 1, 0, 0]
    assert in_lanes([], gap=1.0) == []


@pytest.fixture
def by_class(write_record, tmp_path):
    """Two methods on two base and two new classes, with two seeds; of one name there is a base and a new class."""
    base = {"classnames": ["cat", "crane"], "class_ids": ["0", "1"], "class_list": "X"}
    every = {"classnames": ["cat", "crane", "crane", "owl"], "class_ids": ["0", "1", "2", "3"], "class_list": "X"}
    figures = {"CoOp": ((80, 60), (80, 60, 20, 40)), "SHIP": ((80, 50), (80, 50, 60, 20))}
    for trainer, (trained, tested) in figures.items():
        for seed in (1, 2):
            own = (16, trainer, "shapes", seed)
            names, distinct = base["classnames"], ["cat", "crane (1)", "crane (2)", "owl"]
            accuracies = {name: value + seed for name, value in zip(names, trained, strict=True)}
            folder = train_folder(tmp_path, "gzsl", "shapes", *own)
            write_record(folder, metrics={"accuracy": 1}, per_class_accuracy=accuracies, **base)
            accuracies = {name: value + seed for name, value in zip(distinct, tested, strict=True)}
            folder = evaluation_folder(tmp_path, "all", "shapes", *own)
            metrics = {"accuracy": 1, "seen": 1, "unseen": 1}
            write_record(folder, metrics=metrics, per_class_accuracy=accuracies, **every)
    return tmp_path


def test_two_methods_by_class_are_means_over_seeds_and_told_apart_by_kind(by_class):
    from report.by_class import pairs

    blocks = build(load([by_class], "gzsl"), "gzsl")
    (found,) = pairs(blocks, [("CoOp", ""), ("SHIP", "coop")], load([by_class], "base2new"))
    points = {(point.name, point.base): (point.one, point.other) for point in found.points}
    assert found.seeds == 2
    assert points == {
        ("cat", True): (81.5, 81.5),
        ("crane (1)", True): (61.5, 51.5),
        ("crane (2)", False): (21.5, 61.5),
        ("owl", False): (41.5, 21.5),
    }


def test_a_point_a_class_with_the_names_of_those_that_differ_most(by_class, capsys):
    pytest.importorskip("matplotlib")
    with pytest.raises(SystemExit) as ended:
        words_given = [str(by_class), "--protocol", "gzsl", "--by-class", "coop", "ship"]
        plots.main([*words_given, "--to", str(by_class / "plots")])
    assert ended.value.code == 0
    assert "classes_gzsl_shapes_CoOp_SHIP_16shots.png" in capsys.readouterr().out


@pytest.fixture(scope="module")
def versus():
    """The figure of 40 base and 40 new classes, of which two stand out."""
    pytest.importorskip("matplotlib")
    from report.by_class import Point
    from report.class_figure import versus_figure

    points = [Point(f"class {n}", n % 2 == 0, n + 10, n + 10 + (-1) ** (n // 2)) for n in range(80)]
    points += [Point("gains", True, 20, 80), Point("loses", False, 90, 30)]
    return versus_figure(points, "CoOp", "SHIP")


def test_names_of_classes_cover_no_other_name_and_are_within_the_picture(versus):
    from matplotlib.text import Annotation

    (axes,) = versus.axes
    named = [text for text in axes.texts if isinstance(text, Annotation)]
    assert {"gains", "loses"} <= {text.get_text() for text in named}
    versus.draw_without_rendering()
    boxes = [text.get_window_extent() for text in named]
    assert not any(one.overlaps(other) for at, one in enumerate(boxes) for other in boxes[:at])
    frame = axes.get_window_extent()
    assert all(
        frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1 for box in boxes
    )


def test_base_and_new_classes_differ_in_colour_and_in_shape(versus):
    (axes,) = versus.axes
    kinds = {
        (tuple(crowd.get_facecolor()[0][:3]), len(crowd.get_paths()[0].vertices))
        for crowd in axes.collections
        if len(crowd.get_offsets())
    }
    colours, shapes = zip(*kinds, strict=True)
    assert len(set(colours)) == len(set(shapes)) == 2
    assert {"SHIP is better on", "21 of 41 base classes", "20 of 41 new classes"} <= set(words(versus))


def test_classes_at_one_place_make_a_larger_point():
    pytest.importorskip("matplotlib")
    from report.by_class import Point
    from report.class_figure import SIZE, versus_figure

    points = [Point(f"class {n}", True, 0, 0) for n in range(3)] + [Point("other", True, 0, 100)]
    crowd, *_ = versus_figure(points, "CoOp", "SHIP").axes[0].collections
    assert sorted(crowd.get_sizes()) == [SIZE, 3 * SIZE]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--protocol", "xd", "--by-class", "coop", "ship"], "--by-class is of the protocols base2new and gzsl"),
        (["--by-class", "coop", "coop"], "--by-class takes two methods"),
        (["--by-class", "coop", "shpi"], "Did you mean ship?"),
    ],
)
def test_by_class_says_what_it_takes(options, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        plots.main([str(tmp_path), *options])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_runs_without_accuracies_by_class_are_said_to_be(write, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    write("CoOp", "dtd", (60, 40))
    write("SHIP", "dtd", (60, 50))
    with pytest.raises(SystemExit) as ended:
        plots.main([str(tmp_path), "--by-class", "coop", "ship", "--to", str(tmp_path / "plots")])
    assert ended.value.code == 2
    assert "both methods with accuracies by class, coop and ship" in capsys.readouterr().err
    assert not (tmp_path / "plots").exists()


def test_ship_on_another_method_is_named_after_both(write, tmp_path):
    write("CoOp", "dtd", (60, 40))
    write("SHIP", "dtd", (60, 50), recipe="vit_b16_tip_adapter_f")
    (block, *_) = build(load([tmp_path], "base2new"), "base2new")
    assert [plots.full_name(method, block.methods) for method in block.methods] == ["CoOp", "Tip-Adapter-F + SHIP"]


def test_files_come_as_png_and_pdf(write, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    write("CoOp", "dtd", (60, 40))
    with pytest.raises(SystemExit) as caught:
        plots.main([str(tmp_path), "--to", str(tmp_path / "made/here")])
    assert caught.value.code == 0
    made = sorted((tmp_path / "made/here").iterdir())
    assert [path.name for path in made] == ["scatter_dtd_16shots.pdf", "scatter_dtd_16shots.png"]
    assert [path.read_bytes()[:4] for path in made] == [b"%PDF", b"\x89PNG"]
    assert str(made[1]) in capsys.readouterr().out


def test_runs_under_other_backbones_are_left_out(write, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    for recipe in ("rn50_ctxv1", "datacomp_b16_ctxv1"):
        write("CoOp", "dtd", (50.0, 50.0), recipe=recipe)
    taken = []
    monkeypatch.setattr(plots, "draw", lambda blocks, protocol: taken.append(blocks) or iter(()))
    with pytest.raises(SystemExit):
        plots.main([str(tmp_path), "--backbone", "datacomp_b16", "--to", str(tmp_path / "plots")])
    ((block,),) = taken
    assert [row.recipe for row in block.rows] == ["datacomp_b16_ctxv1"]


def test_without_matplotlib_it_says_what_to_install(write, tmp_path, monkeypatch, capsys):
    write("CoOp", "dtd", (60, 40))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "report.figures", raising=False)
    with pytest.raises(SystemExit) as caught:
        plots.main([str(tmp_path), "--to", str(tmp_path / "plots")])
    assert caught.value.code == 2
    assert "pip install matplotlib" in capsys.readouterr().err
    assert not (tmp_path / "plots").exists()


def test_nothing_to_plot_is_an_error_that_names_the_folder(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        plots.main([str(tmp_path)])
    assert caught.value.code == 2
    assert str(tmp_path) in capsys.readouterr().err
