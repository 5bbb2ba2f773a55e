"""What keeps a dataset from being whole."""

import os
from pathlib import Path

from protocols.catalogue import Dataset, Findings, first_line

from .sources import Sources


def shortcomings(dataset: Dataset, sources: Sources, findings: Findings) -> list[str]:
    """A line for each; none for a dataset that is whole."""
    if not dataset.folder.is_dir():
        return [f"folder {dataset.folder} not found"]
    problems = [dataset.split_missing()] if dataset.lacks_split else []
    if findings.problem:
        problems.append(first_line(findings.problem).rstrip("."))
    if findings.missing:
        problems.append(f"{len(findings.missing):,} of {findings.total:,} images missing ({findings.few_missing()})")
    for path, count in sources.folders.items():
        if (found := count_folders(dataset.folder / path)) != count:
            problems.append(f"{dataset.folder / path} holds {found:,} class folders of {count:,}")
    return problems


def count_folders(path: Path) -> int:
    return sum(entry.is_dir() for entry in os.scandir(path)) if path.is_dir() else 0
