"""The ablations, as data: what each row of each of them changes. What they are for is in ablate.py's help."""

from collections.abc import Iterable, Mapping

from protocols.methods import METHODS, Method

Changes = Mapping[str, object]  # values by key; of TRAINER.SHIP, unless the key's beginning says otherwise

SHIP, GZSL = "TRAINER.SHIP.", "GZSL."
STAGE_TWO = "stage 2: "  # marks keys of the run, not of TRAINER.SHIP
OF_TESTS = ("GZSL.CALIBRATION_COST",)  # keys that a training does not depend on
PUBLISHED: Changes = {}
ABLATIONS: dict[str, list[Changes]] = {
    "synthesis": [PUBLISHED, *({"SYNTHESIS": kind} for kind in ("text", "untrained", "mean", "gaussian"))],
    "kl_weight": [
        PUBLISHED,
        *({"KL_WEIGHT": weight} for weight in (0.1, 0.01, 0.001, 0.0)),
        {"KL_ANNEAL": 25},
        {"FREE_BITS": 0.05},
    ],
    "context": [{"N_CTX": 1}, {"N_CTX": 2}, PUBLISHED, {"N_CTX": 8}, {"N_CTX": 16}],
    "bias": [PUBLISHED, {"BIAS_PER_TOKEN": True}],
    "latent": [{"LATENT_DIM": 8}, {"LATENT_DIM": 32}, PUBLISHED],
    "synthesized": [{"SYNTHESIZED": 64}, PUBLISHED, {"SYNTHESIZED": 1024}],
    "epochs": [{"OPTIM.MAX_EPOCH": 10}, {"OPTIM.MAX_EPOCH": 25}, PUBLISHED, {"OPTIM.MAX_EPOCH": 100}],
    "lr": [{STAGE_TWO + "OPTIM.LR": 0.2}, PUBLISHED],
}
SPLIT: Changes = {"LOSS": "split"}
ALONE: Changes = {"SYNTHESIS": "none"}
RESIDUAL: Changes = {"SYNTHESIS": "residual", "BATCH_SIZE": 64}
PARTS_OFF = {
    "LIKELIHOOD": "fixed",
    "PRIOR": "normal",
    "CENTRE": False,
    "GAP": False,
    "ENCODER": "features",
    "NOISE": False,
    "CONTEXT": "random",
}
COST, HELD_OUT = {"GZSL.CALIBRATION_COST": 1.0}, {"GZSL.CALIBRATION": "held_out"}
PAIRED: dict[str, list[Changes]] = {  # measured by base2new and gzsl, with errors clustered by class split
    "loss": [
        *(PUBLISHED, SPLIT),
        *({"SYNTHESIS": kind} | loss for kind in ("gaussian", "text", "untrained") for loss in ({}, SPLIT)),
        *(RESIDUAL, RESIDUAL | SPLIT),
    ],
    "residual": [
        *(PUBLISHED, SPLIT, RESIDUAL | SPLIT),
        *(RESIDUAL | SPLIT | {key: value} for key, value in PARTS_OFF.items()),
    ],
    "controls": [
        PUBLISHED,
        *(ALONE, ALONE | {"PULL": 2.0}),
        *({"SYNTHESIS": kind} | SPLIT for kind in ("text", "shifted", "isotropic", "within", "gaussian")),
        *({"SYNTHESIS": "gaussian", "PULL": 1.0} | SPLIT, RESIDUAL | SPLIT, RESIDUAL | SPLIT | {"PULL": 1.0}),
    ],
    "calibration": [PUBLISHED, COST, HELD_OUT, SPLIT, SPLIT | COST, SPLIT | HELD_OUT],
    "compared": [
        *(PUBLISHED, SPLIT),
        *({"SYNTHESIS": kind} | SPLIT for kind in ("text", "gaussian")),
        RESIDUAL | SPLIT,
    ],
}
KINDS = ABLATIONS | PAIRED
COMPARED = "compared"  # which has rows without SHIP
PULLED = ("coop", "kgcoop")  # methods whose text features TRAINER.SHIP.PULL can hold


def full_key(key: str) -> str:
    """The key of the configuration."""
    if key.startswith(GZSL):
        return f"TRAINER.{key}"
    return key.removeprefix(STAGE_TWO) if key.startswith(STAGE_TWO) else SHIP + key


def rows_of(kind: str, ship: Method) -> Iterable[tuple[Method, Changes]]:
    """Methods with what is changed of them, in the order of the table, for SHIP on one method.

    `compared` has rows without SHIP too: that method alone, and beside CoOp also KgCoOp.
    """
    if kind == COMPARED:
        yield alone(ship)
        if ship.classifier == "coop":
            yield METHODS["kgcoop"], PUBLISHED
    for changes in KINDS[kind]:
        if "PULL" not in changes or ship.classifier in PULLED:
            yield ship, changes


def alone(ship: Method) -> tuple[Method, Changes]:
    """The method that SHIP is on, without it.

    Where that says nothing of classes without images, it is SHIP that synthesizes nothing: the method trains alone,
    and can be asked about them.
    """
    method = METHODS[ship.classifier]
    return (method, PUBLISHED) if method.new_classes else (ship, ALONE)
