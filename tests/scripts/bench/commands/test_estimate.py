"""What the paper's runs take: counts by hand, and hours that follow from them."""

import pytest
from bench.commands import estimate
from bench.commands.estimate import DATASETS, IMAGE, TOKEN, TOKENS, Work, work_of


def test_oxford_pets_has_the_steps_of_its_recipe():
    """304 images of 19 base classes: 2 batches an epoch, so 100 and 400 steps."""
    work = work_of(DATASETS["oxford_pets"])
    assert (work.training_images, work.test_images, work.steps) == (304 * 250, 3669, 500)
    assert work.trained_prompts == 50 * 304 + 400 * 37
    assert work.prompts == 200 * 304


def test_imagenet_has_the_steps_of_its_own_recipe():
    """8,000 images: 32 batches an epoch, so 320 and 640 steps."""
    assert work_of(DATASETS["imagenet"]).steps == 320 + 640


def test_banked_views_are_encoded_once():
    assert work_of(DATASETS["dtd"], views=10).training_images == 24 * 16 * 10


def test_hours_are_operations_by_speed_and_steps():
    work = Work(training_images=100, test_images=20, trained_prompts=3, prompts=4, steps=36)
    seconds = (120 * IMAGE + 10 * TOKENS * TOKEN) / 2e12 + 36 * 0.5
    assert work.hours(tflops=2.0, step=0.5) == pytest.approx(seconds / 3600)


@pytest.mark.parametrize("options", [["--tflops", "0"], ["--step", "-1"], ["--tflops", "nan"]])
def test_numbers_that_make_no_sense_are_refused(options):
    with pytest.raises(SystemExit) as caught:
        estimate.main(options)
    assert caught.value.code == 2
