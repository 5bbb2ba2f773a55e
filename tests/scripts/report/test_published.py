"""Published figures: the file's own, and a user's."""

import statistics

import pytest
import yaml
from protocols.layout import BENCHMARK
from report.published import PUBLISHED, PublishedError, read_published


@pytest.fixture
def rows(tmp_path):
    def rows(text: str, protocol: str):
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return read_published([path], protocol)

    return rows


def test_figures_reproduce_their_published_averages():
    entries = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))["base2new"]
    for method in ("CLIP", "CoOp", "CoCoOp", "GDA"):
        means = [
            statistics.fmean(column) for column in zip(*(entries[method][name] for name in BENCHMARK), strict=True)
        ]
        assert means == pytest.approx(entries[method]["average"], abs=0.015)


@pytest.mark.parametrize(("method", "h"), [("KgCoOp", 77.0), ("ProGrad", 76.16), ("CoOp (KgCoOp's run)", 74.60)])
def test_averages_of_authors_repositories_have_the_harmonic_mean_that_stands_beside_them(method, h):
    (row,) = (row for row in read_published([PUBLISHED], "base2new") if row.method == method)
    assert row.cells("base2new", BENCHMARK, ["base", "new", "H"])[2] == pytest.approx(h, abs=0.05)


@pytest.mark.parametrize("protocol", ["base2new", "gzsl", "xd", "dg", "fewshot"])
def test_the_projects_file_can_be_read(protocol):
    assert all(row.source for row in read_published([PUBLISHED], protocol))


def test_average_is_the_papers_over_all_datasets_and_computed_over_some(rows):
    (row,) = rows("base2new: {A: {source: s, average: [1, 2], dtd: [80, 60], ucf101: [60, 20]}}", "base2new")
    columns = ["base", "new", "H"]
    assert row.cells("base2new", BENCHMARK, columns)[:2] == [1, 2]
    assert row.cells("base2new", ["dtd", "ucf101"], columns) == pytest.approx([70, 40, 2 * 70 * 40 / 110])
    assert row.cells("base2new", ["dtd", "eurosat"], columns) == []


def test_unseen_and_seen_go_under_their_columns(rows):
    (row,) = rows("gzsl: {A: {source: s, cub: [55.3, 58.9, 57.1]}}", "gzsl")
    assert row.cells("gzsl", ["cub"], ["S", "U", "H", "accuracy"]) == [58.9, 55.3, 57.1, None]


def test_a_mean_over_targets_needs_them_all(rows):
    (row,) = rows("dg: {A: {source: s, imagenet: 70, imagenet_a: 50, imagenet_r: 60}}", "dg")
    assert row.cells("dg", ["imagenet"], ["imagenet", "imagenet_a", "imagenet_r", "mean"]) == [70, 50, 60, 55]
    assert row.cells("dg", ["imagenet"], ["imagenet", "imagenet_a", "imagenetv2", "mean"])[2:] == [None, None]
    assert row.cells("xd", ["imagenet"], ["imagenet", "dtd", "mean"]) == []


def test_long_tailed_figures_are_of_groups_and_over_all(rows):
    (row,) = rows("longtail: {A: {source: s, dtd: [80, 60, 20, 50], eurosat: [60, 40, 0, 30]}}", "longtail")
    assert row.cells("longtail", ["dtd"], ["many", "few", "none", "accuracy"]) == [80, 60, 20, 50]
    assert row.cells("longtail", ["dtd", "eurosat"], ["many", "few", "none", "accuracy"]) == [70, 50, 10, 40]


def test_few_shot_figures_go_under_their_shots(rows):
    (row,) = rows("fewshot: {A: {source: s, dtd: {1: 40, 16: 60}}}", "fewshot")
    assert row.cells("fewshot", ["dtd"], ["1", "2", "16"]) == [40, None, 60]


def test_an_entry_that_does_not_say_is_unchecked_and_of_16_shots(rows):
    (row,) = rows("base2new: {A: {source: s, dtd: [1, 2]}}", "base2new")
    assert (row.checked, row.shots) == (False, 16)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base2new: [", "cannot be read"),
        ("just words", "not methods by protocol"),
        ("base2new: [1]", "not methods by protocol"),
        ("base2new: {A: {dtd: [1, 2]}}", "base2new: A: `source` is missing"),
        ("base2new: {A: {source: s, dtd: 80}}", "dtd is 80; base2new has [base, new]"),
        ("base2new: {A: {source: s, dtd: [80, 160]}}", "dtd is [80, 160]"),
        ("base2new: {A: {source: s, shots: many}}", "shots is 'many'"),
    ],
)
def test_a_file_at_fault_is_named_with_the_entry(rows, text, message):
    with pytest.raises(PublishedError, match=r"mine\.yaml") as caught:
        rows(text, "base2new")
    assert message in str(caught.value)


def test_averages_are_means_and_not_medians(rows):
    (row,) = rows("xd: {A: {source: s, imagenet: 70, dtd: 10, eurosat: 20, cub: 60}}", "xd")
    assert row.cells("xd", ["imagenet"], ["imagenet", "dtd", "eurosat", "cub", "mean"])[-1] == 30
