"""What keeps a dataset from being whole."""

import os
from pathlib import Path

from protocols.catalogue import Dataset, Findings, first_line

from .sources import Sources


def shortcomings(dataset: Dataset, sources: Sources, findings: Findings) -> list[str]:
    """A line for each; none for a dataset that is whole."""
    if not dataset.folder.is_dir():
        return [no_folder(dataset)]
    problems = [dataset.split_missing()] if dataset.lacks_split else []
    if findings.problem:
        problems.append(cannot_be_listed(findings))
    if findings.missing:
        problems.append(images_missing(findings))
    for path, count in sources.folders.items():
        if (found := count_folders(dataset.folder / path)) != count:
            problems.append(f"{dataset.folder / path} holds {found:,} class folders of {count:,}")
    return problems


def obstacles(dataset: Dataset, findings: Findings) -> list[str]:
    """Those that no run gets past. Of training images a run needs no more than it samples."""
    if not dataset.folder.is_dir():
        return [no_folder(dataset)]
    if findings.problem:
        return [cannot_be_listed(findings)]
    return [images_missing(findings)] if findings.tests_missing else []


def no_folder(dataset: Dataset) -> str:
    return f"folder {dataset.folder} not found"


def cannot_be_listed(findings: Findings) -> str:
    return first_line(findings.problem).rstrip(".")


def images_missing(findings: Findings) -> str:
    return f"{len(findings.missing):,} of {findings.total:,} images missing ({findings.few_missing()})"


def count_folders(path: Path) -> int:
    return sum(entry.is_dir() for entry in os.scandir(path)) if path.is_dir() else 0
