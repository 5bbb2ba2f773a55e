"""What a full-size run consists of."""

import pytest
from bench.full_size import hours, parts, totals
from bench.measure import Cost, Row


@pytest.fixture
def rows() -> dict[str, Row]:
    """An image of 2 seconds; steps of 30 seconds on the plain path, of 3 in ours."""
    image, plain, ours = Cost(8.0, 1, 0, 4, None), Cost(30.0, 1, 1, 0, None), Cost(3.0, 1, 1, 0, None)
    return {"images": Row("", image, image), "stage 1": Row("", plain, ours), "stage 2": Row("", plain, ours)}


def test_a_run_has_its_images_and_steps(rows):
    train, test, one, two = parts(rows)
    # 304 training images; 9 steps of 32 in an epoch of stage 2, whose last, incomplete batch is dropped
    assert train.times == {"plain": 50 * 304 + 200 * 288, "ours": 10 * 304, "reference": 50 * 304 + 1000 * 288}
    assert test.times == {"plain": 3669, "ours": 3669, "reference": 5 * 3669}
    assert one.times == dict.fromkeys(("plain", "ours", "reference"), 50 * 304 / 32)
    assert two.times == {"plain": 1800, "ours": 1800, "reference": 9000}
    assert (train.plain, train.ours, one.plain, two.ours) == (2, 2, 30, 3)


def test_more_seeds_take_as_many_times_as_long_but_for_test_images_that_ours_keeps(rows):
    single, several = (hours(parts(rows), seeds) for seeds in (1, 3))
    assert several["plain"] == pytest.approx(3 * single["plain"])
    assert several["reference"] == pytest.approx(3 * single["reference"])
    assert several["ours"] == pytest.approx(3 * single["ours"] - 2 * 3669 * 2 / 3600)


def test_a_later_run_of_a_seed_takes_its_steps_alone(rows):
    assert totals(rows)["a later run of the seed, features kept"]["ours"] == pytest.approx((475 + 1800) * 3 / 3600)


def test_images_in_bf16_change_ours_alone(rows):
    rows["bf16"] = Row("", rows["images"].plain, Cost(4.0, 1, 0, 4, None))
    runs = totals(rows)
    fp32, bf16 = runs["one seed"], runs["one seed, ours with images in bf16"]
    assert (bf16["plain"], bf16["reference"]) == (fp32["plain"], fp32["reference"])
    assert bf16["ours"] == pytest.approx(fp32["ours"] - (3040 + 3669) / 3600)
