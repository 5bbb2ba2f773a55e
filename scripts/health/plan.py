"""What a plan's runs lack: looked for before the first of them starts, so that none fails for it hours later."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import indent

import yaml
from common.errors import fail
from fetch.sources import Sources, read_sources
from protocols.catalogue import CONFIGS, CatalogueError, prepare_imports
from protocols.runs import CHECKOUT, Run

from health.data import Report, examine

DATA, FOLDER = "DATASET.ROOT", "DATASET.FOLDER"


def check(runs: Sequence[Run]) -> None:
    """Ends the program, with all that the runs lack and what to do about it, where they lack something."""
    if not runs or not (CHECKOUT / "compat").is_dir():  # beside CoOp's train.py, which says itself what it lacks
        return
    try:
        prepare_imports()
    except CatalogueError as error:
        fail(error)
    settings = [(run, settings_of(run)) for run in runs]
    datasets = list(datasets_lacking(settings))
    lacking = [*datasets, *checkpoints_lacking(settings)] or list(downloads_failing(settings))
    if lacking:
        listed = "".join(f"\n- {indent(what, '  ').strip()}" for what in lacking)
        elsewhere = "\nDatasets elsewhere: name the folder above them with --data or the environment's DATA."
        fail(f"nothing was started; the runs lack:{listed}{elsewhere if datasets else ''}")


def settings_of(run: Run) -> dict[str, object]:
    """The configuration's values as far as files and pairs state them, by key; the last one counts."""
    from trainers.blocks.run.identity import flatten

    values: dict[str, object] = {DATA: str(run.data)}
    for file in (CONFIGS / f"{run.dataset}.yaml", *run.recipe.files):
        values |= flatten(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    pairs = (*run.recipe.pairs, *run.pairs)
    return values | dict(zip(pairs[::2], pairs[1::2], strict=True))


Settings = Sequence[tuple[Run, dict[str, object]]]


def datasets_lacking(settings: Settings) -> Iterator[str]:
    """A line and a remedy for each obstacle; each dataset is looked at once."""
    sources = read_sources()
    places = dict.fromkeys((run.dataset, str(values[DATA]), values.get(FOLDER, "")) for run, values in settings)
    for name, data, folder in places:
        root = Path(data).expanduser().absolute()
        report = examine(name, root, sources, folder=folder)
        for what in report.obstacles:
            yield f"{name}: {what}" + remedy(report, root, sources.get(name, Sources()))


def remedy(report: Report, root: Path, source: Sources) -> str:
    """A line on how to get a dataset, where that is known."""
    if not report.can_be_fetched:
        return f"\n{source.note}" if source.note else ""
    by_hand = " (which says what must be downloaded by hand)" if source.has_files_by_hand else ""
    return f"\npython scripts/download.py {report.name} --data {shlex.quote(str(root))}{by_hand}"


def checkpoints_lacking(settings: Settings) -> Iterator[str]:
    """Weights and checkpoints that runs begin with, but for those of the plan's own runs, which are made by then."""
    from trainers.blocks.clip.backbone import named_file
    from trainers.blocks.errors import InputError
    from trainers.blocks.run.identity import BACKBONE
    from trainers.blocks.run.sources import FINDERS

    made = {str(run.model.folder) for run, _ in settings if run.model is not None}
    finders = {**FINDERS, BACKBONE: named_file}
    for key, value in dict.fromkeys((key, str(values.get(key, ""))) for _, values in settings for key in finders):
        if value and value not in made:
            try:
                path = finders[key](value)
                if path is not None and not path.is_file():
                    yield f"{key}: there is no file {value}"
            except InputError as error:
                yield str(error)


def downloads_failing(settings: Settings) -> Iterator[str]:
    """Published weights that cannot be had: they are downloaded here, as the first run would do."""
    from trainers.blocks.clip.backbone import check_weights
    from trainers.blocks.errors import InputError
    from trainers.blocks.run.identity import BACKBONE

    for name in dict.fromkeys(str(values[BACKBONE]) for _, values in settings if values.get(BACKBONE)):
        try:
            check_weights(name)
        except InputError as error:
            yield str(error)
