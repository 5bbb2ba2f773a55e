"""The time of a full-size run, computed from measured steps: OxfordPets, 16 shots, SHIP on CoOp, base-to-new."""

from dataclasses import dataclass

from .measure import Row

BASE, SHOTS, TEST = 19, 16, 3669  # of 37 classes; images of a class, and in the test set
EPOCHS, VIEWS = (50, 200), 10
BATCH = 32  # of a measured step of either stage; stage 1's steps of 256 are counted as eight
TRIALS = 5  # trainings of stage 2 in the reference procedure, each with its evaluation
DESCRIPTION = (
    f"OxfordPets, 37 classes, {BASE} of them base, {SHOTS} shots, {EPOCHS[0]} + {EPOCHS[1]} epochs, {TEST:,} test "
    f"images; ours with {VIEWS} views; reference: the plain path, stage 2 trained and evaluated {TRIALS} times"
)


@dataclass
class Part:
    """What is done how often, by procedure, and what it takes: seconds each by the plain path and by ours."""

    title: str
    times: dict[str, float]
    plain: float
    ours: float

    def seconds(self, procedure: str) -> float:
        return self.times[procedure] * (self.ours if procedure == "ours" else self.plain)


def parts(rows: dict[str, Row], images: str = "images") -> list[Part]:
    """What a run of one seed consists of; `images` is the row that says what an image takes in ours."""
    train, steps = BASE * SHOTS, BASE * SHOTS // BATCH  # in training, an incomplete last batch is dropped
    one, two = EPOCHS[0] * train, EPOCHS[1] * steps * BATCH
    prompts, updates = one / BATCH, EPOCHS[1] * steps
    plain, ours = (cost.seconds / cost.images for cost in (rows["images"].plain, rows[images].ours))
    return [
        Part("training image", numbers(one + two, VIEWS * train, one + TRIALS * two), plain, ours),
        Part("test image", numbers(TEST, TEST, TRIALS * TEST), plain, ours),
        Part("stage-1 step", numbers(prompts, prompts, prompts), *both(rows["stage 1"])),
        Part("stage-2 step", numbers(updates, updates, TRIALS * updates), *both(rows["stage 2"])),
    ]


def numbers(plain: float, ours: float, reference: float) -> dict[str, float]:
    return {"plain": plain, "ours": ours, "reference": reference}


def both(row: Row) -> tuple[float, float]:
    return row.plain.seconds, row.ours.seconds


def hours(composed: list[Part], seeds: int = 1, cached: tuple[str, ...] = ()) -> dict[str, float]:
    """Of runs with so many seeds. Ours encodes test images with the first, and those in `cached` not at all."""

    def times(part: Part, procedure: str) -> int:
        if procedure != "ours":
            return seeds
        return 0 if part.title in cached else 1 if part.title == "test image" else seeds

    return {
        name: sum(times(part, name) * part.seconds(name) for part in composed) / 3600 for name in composed[0].times
    }


def totals(rows: dict[str, Row]) -> dict[str, dict[str, float]]:
    """Hours of runs in several circumstances."""
    fp32, images = parts(rows), ("training image", "test image")
    found = {
        "one seed": hours(fp32),
        "seeds 1 2 3, test images encoded once": hours(fp32, seeds=3),
        "a later run of the seed, features kept": hours(fp32, cached=images),
    }
    if "bf16" in rows:
        found["one seed, ours with images in bf16"] = hours(parts(rows, "bf16"))
    return found
