"""What a run consists of, a full-size one and others."""

import pytest
import yaml
from bench.full_size import BATCH, PETS, Size, hours, parts, totals
from bench.measure import Cost, Row
from common.arguments import CHECKOUT


@pytest.fixture
def rows() -> dict[str, Row]:
    """An image of 2 seconds; steps of 256 in 30 seconds on the plain path and 3 in ours, others in 6 and 1."""
    image = Cost(8.0, 1, 0, 4, None)
    found = {"images": Row("", image, image)}
    for size, plain, ours in ((256, 30.0, 3.0), (48, 6.0, 1.0), (6, 6.0, 1.0)):
        row = Row(f"{size}", Cost(plain, 1, 1, 0, None), Cost(ours, 1, 1, 0, None))
        found |= {f"stage 1, {size}": row, f"stage 2, {size}": row}
    return found


def test_batches_and_epochs_are_those_of_the_recipe():
    recipe = yaml.safe_load((CHECKOUT / "configs/trainers/SHIP/vit_b16.yaml").read_text())
    ship = recipe["TRAINER"]["SHIP"]
    assert ship["BATCH_SIZE"] == recipe["DATALOADER"]["TRAIN_X"]["BATCH_SIZE"] == BATCH
    assert ship["DROP_LAST"] is False
    assert PETS.epochs == (ship["OPTIM"]["MAX_EPOCH"], recipe["OPTIM"]["MAX_EPOCH"])


def test_a_full_size_run_has_its_images_and_the_steps_of_the_recipe(rows):
    train, test, one, one_last, two, two_last = parts(rows)
    # 304 training images: steps of 256 and, the last batch kept, of 48
    assert train.times == {"plain": 250 * 304, "ours": 10 * 304, "reference": (50 + 5 * 200 + 10) * 304}
    assert test.times == {"plain": 3669, "ours": 3669, "reference": 3669 + 736}
    assert [part.title for part in (one, one_last, two, two_last)] == ["256", "48", "256", "48"]
    for part in (one, one_last):
        assert part.times == {"plain": 50, "ours": 50, "reference": 50}
    for part in (two, two_last):
        assert part.times == {"plain": 200, "ours": 200, "reference": 1000}
    assert (train.plain, train.ours, one.plain, two.ours, two_last.plain) == (2, 2, 30, 3, 6)


def test_other_sizes_have_other_steps(rows):
    def steps(shots: int) -> dict[str, float]:
        size = Size(classes=4, base=2, shots=shots, val=4, test=4, epochs=(5, 7), views=1)
        return {part.title: part.times["reference"] for part in parts(rows, size=size)[2:]}

    assert steps(3) == {"6": 35}  # the last of the same title is stage 2's
    assert steps(128) == {"256": 35}
    assert steps(152) == {"256": 35, "48": 35}
    assert steps(280) == {"256": 70, "48": 35}


def test_more_seeds_take_as_many_times_as_long_but_for_test_images_that_ours_keeps(rows):
    single, several = (hours(parts(rows), seeds) for seeds in (1, 3))
    assert several["plain"] == pytest.approx(3 * single["plain"])
    assert several["reference"] == pytest.approx(3 * single["reference"])
    assert several["ours"] == pytest.approx(3 * single["ours"] - 2 * 3669 * 2 / 3600)


def test_a_later_run_of_a_seed_takes_its_steps_alone(rows):
    later = totals(rows)["a later run of the seed, features kept"]
    assert later["ours"] == pytest.approx((50 + 200) * (3 + 1) / 3600)


def test_images_in_bf16_change_ours_alone(rows):
    rows["bf16"] = Row("", rows["images"].plain, Cost(4.0, 1, 0, 4, None))
    runs = totals(rows)
    fp32, bf16 = runs["one seed"], runs["one seed, ours with images in bf16"]
    assert (bf16["plain"], bf16["reference"]) == (fp32["plain"], fp32["reference"])
    assert bf16["ours"] == pytest.approx(fp32["ours"] - (3040 + 3669) / 3600)
