"""Complete runs that another model, or the same one trained again, was used in."""

import json
from pathlib import Path

import pytest
from protocols.methods import METHODS, Recipe
from protocols.runs import SOURCE, Run, RunError, finished

PLACE = "shots_16/SHIP/vit_b16/seed1"  # the same for all datasets


def trained(output: Path, dataset: str, **record: object) -> Run:
    """A complete training; `record` is what its results.json says of it."""
    folder = output / dataset / PLACE
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps({"config": {}, **record}))
    return Run(METHODS["ship"], Recipe("vit_b16", ()), dataset, "base", 16, 1, folder, output)


def stated(config_hash: str, sha256: str) -> dict:
    return {"config_hash": config_hash, "checkpoint": {"file": "ship/model.pth.tar-2", "sha256": sha256}}


def using(model: Run, folder: Path, trains: bool, used: Path, identity: dict | None) -> Run:
    """A run with a model, whose folder holds a complete run that used what `used` and `identity` say."""
    folder.mkdir()
    if trains:
        record = {"config": {"TRAINER": {"SHIP": {"SOURCE": str(used)}}}}
        record |= {"sources": {SOURCE: identity}} if identity else {}
        pairs = (SOURCE, str(model.folder))
    else:
        record, pairs = {"config": {}, "model": str(used), "checkpoint": identity}, ()
    (folder / "results.json").write_text(json.dumps(record))
    return Run(model.method, model.recipe, "x", "new", 16, 1, folder, folder, trains, model, pairs)


A, B = {"config_hash": "a", "sha256": "1"}, {"config_hash": "b", "sha256": "2"}


@pytest.mark.parametrize("trains", [False, True])
@pytest.mark.parametrize(
    ("used", "identity", "outcome"),
    [
        ("/elsewhere/run", A, "complete"),
        (f"/elsewhere/oxford_pets/{PLACE}", A, "complete"),
        (f"/elsewhere/eurosat/{PLACE}", B, "other"),
        ("/elsewhere/run", A | {"sha256": "3"}, "outdated"),
        (None, B, "outdated"),  # in the same folder, with other settings
        (f"/elsewhere/oxford_pets/{PLACE}", None, "complete"),  # by an older version
        ("/elsewhere/run", None, "other"),
    ],
)
def test_a_model_is_known_by_config_hash_and_checksum_else_by_path(used, identity, outcome, trains, tmp_path):
    model = trained(tmp_path, "oxford_pets", **stated("a", "1"))
    run = using(model, tmp_path / "run", trains, Path(used or model.folder), identity)
    if outcome == "other":
        with pytest.raises(RunError, match="made without the model in"):
            finished(run)
    else:
        assert (finished(run) is not None) == (outcome == "complete")
