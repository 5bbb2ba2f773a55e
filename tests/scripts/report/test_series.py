"""Means over seeds, H and averages over datasets."""

import statistics

import pytest
from report.series import Series, average, clustered_error, harmonic, harmonic_cell


def test_h_is_that_of_the_means_and_its_deviation_that_of_the_seeds():
    base, new = [70.0, 80.0, 81.0], [60.0, 50.0, 43.0]
    cell = harmonic_cell(Series(dict(enumerate(base))), Series(dict(enumerate(new))), 3)
    own = [harmonic(*pair) for pair in zip(base, new, strict=True)]
    assert cell.mean == pytest.approx(2 * 77 * 51 / (77 + 51))
    assert cell.mean != pytest.approx(statistics.fmean(own))
    assert cell.std == pytest.approx(statistics.pstdev(own))
    assert cell.has_all_seeds


def test_h_takes_the_seeds_that_have_both():
    cell = harmonic_cell(Series({1: 60.0, 2: 90.0}), Series({1: 40.0, 3: 10.0}), 3)
    assert (cell.mean, cell.seeds, cell.note) == (48.0, 1, "1 of 3")


def test_h_of_nothing_is_zero():
    assert harmonic(0.0, 0.0) == 0.0


def test_figures_are_means_and_not_medians():
    values = [10.0, 20.0, 60.0]
    cell = Series(dict(enumerate(values))).cell(3)
    assert (cell.mean, cell.std) == (30.0, pytest.approx(statistics.pstdev(values)))
    assert average([Series({1: value}) for value in values]).values == {1: 30.0}
    cell = harmonic_cell(Series(dict(enumerate(values))), Series(dict(enumerate([80.0, 30.0, 10.0]))), 3)
    assert cell.mean == pytest.approx(harmonic(30.0, 40.0))


def test_missing_seeds_and_their_trouble_are_noted():
    assert Series({1: 5.0}, trouble=("failed",)).cell(3).note == "1 of 3, failed"
    assert Series(trouble=("incomplete",)).cell(3).note == "incomplete"
    assert Series().cell(3).note == "–"


def test_an_average_takes_the_seeds_that_have_all_datasets():
    found = average([Series({1: 10.0, 2: 20.0}, "†"), Series({2: 40.0}, "‡")])
    assert (found.values, found.marks) == ({2: 30.0}, "†‡")
    assert found.cell(2).note == "1 of 2"


def test_an_average_without_a_dataset_is_none():
    cell = average([Series({1: 10.0}), Series()]).cell(1)
    assert (cell.mean, cell.note) == (None, "1 of 2 datasets")
    assert average([Series({1: 10.0}), Series({2: 10.0})]).cell(2).note == "no seed has all"


def test_clustered_error_is_that_of_the_means_of_the_class_splits_where_all_have_as_many_seeds():
    values = {(split, seed): [1.0, 2.0, 6.0][split] + 0.1 * seed for split in range(3) for seed in range(4)}
    expected = statistics.stdev([1.15, 2.15, 6.15]) / 3**0.5
    assert clustered_error(values) == pytest.approx(expected)
    assert clustered_error(values) > 1.9 * statistics.stdev(values.values()) / 12**0.5  # as if all were independent


def test_clustered_error_of_splits_with_unlike_numbers_of_seeds_by_hand():
    values = {(0, 1): 1.0, (0, 2): 3.0, (1, 1): 8.0}  # mean 4: sums −4 and 4
    assert clustered_error(values) == pytest.approx((2 / 1 * (16 + 16)) ** 0.5 / 3)
    assert clustered_error({(0, 1): 1.0, (0, 2): 3.0}) is None
