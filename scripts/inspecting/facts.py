"""What was run: method, data, seed, code and versions, time by part, and keys that differ from their defaults."""

from typing import Any

from own.saved_run import SavedRun

from configuration import default_cfg
from trainers.blocks.run.identity import PATHS, PRINTING, STORAGE, flatten
from trainers.blocks.run.opening import which_images

SHOWN_APART = (*PATHS, *PRINTING, *STORAGE)


def facts_of(run: SavedRun) -> dict[str, Any]:
    """By what results.json says; a record of an older version may lack some."""
    record, values, defaults = run.record, flatten(run.record["config"]), flatten(default_cfg())
    carried = values.get("TRAINER.SHIP.CLASSIFIER", "") if record.get("trainer") == "SHIP" else ""
    changed = {key: value for key, value in values.items() if value != defaults.get(key) and key not in SHOWN_APART}
    return {
        "folder": str(run.folder),
        "method": values["TRAINER.NAME"] + (f" on {carried}" if carried else ""),
        "dataset": record.get("dataset", values["DATASET.NAME"]),
        "images": which_images(values),
        "seed": values["SEED"],
        "mode": record.get("mode", ""),
        "split": record.get("split", ""),
        "model": record.get("model") or "",
        "checkpoint": (record.get("checkpoint") or {}).get("file", ""),
        "code": code_of(record.get("code") or {}),
        "engine": record.get("engine", ""),
        "versions": record.get("versions") or {},
        "numerics": record.get("numerics") or {},
        "seconds": record.get("seconds") or {},
        "changed": changed,
        "metrics": record["metrics"],
    }


def code_of(code: dict[str, Any]) -> str:
    """The commit, and whether files differed from it; else the version."""
    if not code.get("commit"):
        return str(code.get("version") or "")
    return code["commit"][:12] + (", with changes that are not committed" if code.get("dirty") else "")


def title_of(facts: dict[str, Any]) -> str:
    return f"{facts['method']}: {facts['dataset']}, {facts['images']}, seed {facts['seed']}"
