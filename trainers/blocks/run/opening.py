"""What a run's log opens with: engine, method, data, and the keys that differ from the defaults."""

from .folder import RequestedRun
from .identity import flatten
from .results import CONFIG_NAME, TRAINING, versions


def opening(run: RequestedRun, engine: object) -> str:
    """A few lines that say what a run is; `engine` is printed as it is."""
    values, defaults = flatten(run.config), flatten(run.defaults)
    changed = [f"  {key}: {value}" for key, value in values.items() if value != defaults.get(key)]
    lines = [
        f"Engine: {engine}",
        f"Versions: {', '.join(f'{name} {version}' for name, version in versions().items())}",
        f"Method: {values['TRAINER.NAME']}, {what_it_does(run)}, seed {values['SEED']}",
        f"Data: {values['DATASET.NAME']} in {values['DATASET.ROOT'] or '.'}, {which_images(values)}",
        f"Keys that differ from their defaults ({CONFIG_NAME} in the output folder has all):",
    ]
    return "\n".join([*lines, *changed])


def what_it_does(run: RequestedRun) -> str:
    """Training, or what is evaluated."""
    if run.mode == TRAINING or not run.model:
        return run.mode
    return f"{run.mode} of {run.model}" + (f", epoch {run.epoch}" if run.epoch is not None else "")


def which_images(values: dict) -> str:
    shots = values["DATASET.NUM_SHOTS"]
    return f"{values['DATASET.SUBSAMPLE_CLASSES']} classes, {f'{shots} shots' if shots > 0 else 'all images'}"
