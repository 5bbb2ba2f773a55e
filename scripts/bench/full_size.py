"""The time of a run of SHIP on CoOp, base-to-new, computed from measured steps; by default a full-size one."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from .measure import Row

BATCH = 256  # images of a step of either stage, with as many synthesized features in stage 2
TRIALS = 5  # trainings of stage 2 in the reference procedure, each with its test
TRAINING, TEST = "training image", "test or validation image"


@dataclass(frozen=True)
class Size:
    """Of a run: shots are of a base class, val and test the images of all classes, epochs those of both stages.

    views: passes over the training images that ours encodes, and that the reference makes for an unused cache.
    """

    classes: int
    base: int
    shots: int
    val: int
    test: int
    epochs: tuple[int, int]
    views: int

    @property
    def train(self) -> int:
        """Training images."""
        return self.base * self.shots

    @property
    def steps(self) -> Counter[int]:
        """The steps of an epoch: of how many images there are how many. The incomplete last one is kept."""
        whole, rest = divmod(self.train, BATCH)
        return +Counter({BATCH: whole, rest: 1 if rest else 0})

    def __str__(self) -> str:
        one, two = self.epochs
        return (
            f"{self.classes} classes, {self.base} of them base, {self.shots} shots, {one} + {two} epochs, "
            f"{self.test:,} test images; ours with {self.views} view{'s' if self.views > 1 else ''}"
        )


PETS = Size(classes=37, base=19, shots=16, val=736, test=3669, epochs=(50, 200), views=10)
PROCEDURES = (
    "plain: the plain path, training images encoded anew in every epoch. reference: the plain path as the authors' "
    f"code takes it: stage 2 is trained and tested {TRIALS} times in the course of stage 1; encoded, and then not "
    "used, are validation images, and training images as often as ours has views."
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


def step(stage: int, images: int) -> str:
    """The key of a row: a stage's step on so many images."""
    return f"stage {stage}, {images}"


def parts(rows: dict[str, Row], images: str = "images", size: Size = PETS) -> list[Part]:
    """What a run of one seed consists of; `images` is the row that says what an image takes in ours."""
    one, two = size.epochs
    plain, ours = (cost.seconds / cost.images for cost in (rows["images"].plain, rows[images].ours))
    passes = (one + two, size.views, one + TRIALS * two + size.views)
    return [
        Part(TRAINING, numbers(*(size.train * number for number in passes)), plain, ours),
        Part(TEST, numbers(size.test, size.test, size.test + size.val), plain, ours),
        *steps(rows, 1, size, numbers(one, one, one)),
        *steps(rows, 2, size, numbers(two, two, TRIALS * two)),
    ]


def steps(rows: dict[str, Row], stage: int, size: Size, epochs: dict[str, float]) -> Iterator[Part]:
    """The steps of a stage of so many epochs by procedure."""
    for images, count in size.steps.items():
        row = rows[step(stage, images)]
        times = {name: count * number for name, number in epochs.items()}
        yield Part(row.title, times, row.plain.seconds, row.ours.seconds)


def numbers(plain: float, ours: float, reference: float) -> dict[str, float]:
    return {"plain": plain, "ours": ours, "reference": reference}


def hours(composed: list[Part], seeds: int = 1, cached: tuple[str, ...] = ()) -> dict[str, float]:
    """Of runs with so many seeds. Ours encodes test images with the first, and those in `cached` not at all.

    The reference's authors ran one seed: more are as many runs of it.
    """

    def times(part: Part, procedure: str) -> int:
        if procedure != "ours":
            return seeds
        return 0 if part.title in cached else 1 if part.title == TEST else seeds

    return {
        name: sum(times(part, name) * part.seconds(name) for part in composed) / 3600 for name in composed[0].times
    }


def totals(rows: dict[str, Row]) -> dict[str, dict[str, float]]:
    """Hours of runs in several circumstances."""
    fp32 = parts(rows)
    found = {
        "one seed": hours(fp32),
        "seeds 1 2 3, test images encoded once": hours(fp32, seeds=3),
        "a later run of the seed, features kept": hours(fp32, cached=(TRAINING, TEST)),
    }
    if "bf16" in rows:
        found["one seed, ours with images in bf16"] = hours(parts(rows, "bf16"))
    return found
