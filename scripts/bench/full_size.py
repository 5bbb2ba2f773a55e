"""The time of a full-size run, computed from measured steps: OxfordPets, 16 shots, SHIP on CoOp, base-to-new."""

from dataclasses import asdict, dataclass

from .measure import Row

BASE, SHOTS, TEST = 19, 16, 3669  # of 37 classes; images of a class, and in the test set
EPOCHS, VIEWS = (50, 200), 10
BATCH = 32  # of a measured step of either stage; stage 1's steps of 256 are counted as eight
TRIALS = 5  # trainings of stage 2 in the reference procedure, each with its evaluation
WORDS = (
    f"37 classes, {BASE} of them base, {SHOTS} shots, {EPOCHS[0]} + {EPOCHS[1]} epochs; ours with {VIEWS} views; "
    f"reference: stage 2 trained and evaluated {TRIALS} times"
)


@dataclass
class Part:
    """How often a thing is done, and what it takes: seconds each by the plain path and by ours."""

    title: str
    times: dict[str, float]  # by procedure
    plain: float
    ours: float

    def hours(self, procedure: str) -> float:
        return self.times[procedure] * (self.ours if procedure == "ours" else self.plain) / 3600


def parts(rows: dict[str, Row], seeds: int) -> list[Part]:
    """What a run of so many seeds consists of. Ours encodes test images with the first seed and keeps them."""
    train, steps = BASE * SHOTS, BASE * SHOTS // BATCH
    one, two = (epochs * count for epochs, count in zip(EPOCHS, (train, steps * BATCH), strict=True))
    image = rows["images"].plain.seconds / rows["images"].plain.images

    def part(title: str, plain: float, reference: float, ours: float, row: Row | None = None) -> Part:
        times = {"plain": plain * seeds, "ours": ours, "reference": reference * seeds}
        return Part(title, times, *((row.plain.seconds, row.ours.seconds) if row else (image, image)))

    prompts, updates = EPOCHS[0] * train / BATCH, EPOCHS[1] * steps
    return [
        part("training image", one + two, one + TRIALS * two, VIEWS * train * seeds),
        part("test image", TEST, TRIALS * TEST, TEST),
        part("stage-1 step", prompts, prompts, prompts * seeds, rows["stage 1"]),
        part("stage-2 step", updates, TRIALS * updates, updates * seeds, rows["stage 2"]),
    ]


def hours(composed: list[Part]) -> dict[str, float]:
    return {name: sum(part.hours(name) for part in composed) for name in ("plain", "ours", "reference")}


def as_json(composed: list[Part]) -> dict:
    return {"parts": [asdict(part) for part in composed], "hours": hours(composed)}
