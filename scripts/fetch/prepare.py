"""Puts one dataset together in its folder: what is missing is fetched, checked, unpacked and moved into place."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from protocols.catalogue import Dataset, Findings

from .contents import check_kind
from .errors import DiskFullError, FetchError, writing
from .hub import SCHEME, download_hub
from .place import check_space, place, remove_stale, size_text
from .sources import File, Sources
from .state import State, locked
from .transfer import Patience, announced_size, download, download_drive
from .validation import sort_validation

SORTERS = {"imagenet": sort_validation}  # by configuration


@dataclass(frozen=True)
class Options:
    """What the user can choose."""

    keep_archives: bool = False
    patience: Patience = Patience()


class Preparation:
    """The steps of one dataset, one for each file of its sources."""

    def __init__(self, dataset: Dataset, sources: Sources, options: Options) -> None:
        self.dataset, self.options, self.folder = dataset, options, dataset.folder
        self.files = files_of(sources, dataset.loader)

    def run(self) -> list[str]:
        """Does what is left to do; gives the messages of the steps that failed. Raises FetchError, OSError."""
        with writing(self.folder, "make room, then run the same command again"):
            self.folder.mkdir(parents=True, exist_ok=True)
            with locked(self.folder):
                remove_stale(self.folder)
                self.state = State(self.folder)
                return self.run_steps()

    def run_steps(self) -> list[str]:
        tried, failures = [], self.sort_images()
        findings = self.dataset.inspect()  # only now: another run may have done it all
        while files := [file for file in self.files if file not in tried and not self.is_finished(file, findings)]:
            self.announce(files)
            absent = [file for file in files if not self.is_there(file)]
            for file in files:
                tried.append(file)
                if file in absent and self.is_there(file):  # an archive before it has brought it
                    continue
                try:
                    self.step(file)
                except DiskFullError as error:
                    return [*failures, str(error)]
                except FetchError as error:
                    failures.append(str(error))
            findings = self.dataset.inspect()  # with the split there, missing images are known
            for file in files:
                if file.name in self.state.done:
                    self.state.add_done(file.name, self.count_missing(file, findings))
        return failures

    def sort_images(self) -> list[str]:
        """Puts images that lie flat into class folders, of datasets that come so; the message where that failed."""
        try:
            SORTERS.get(self.dataset.kind, lambda folder: None)(self.folder)
        except FetchError as error:
            return [str(error)]
        return []

    def is_there(self, file: File) -> bool:
        """Whether what the file makes is there, whole or not."""
        made = [self.folder / path for path in file.makes]
        return all(path.is_file() or (path.is_dir() and any(path.iterdir())) for path in made)

    def is_finished(self, file: File, findings: Findings) -> bool:
        """Whether what the file makes is there; of images all, or as many as the last unpacking has brought."""
        return self.is_there(file) and self.count_missing(file, findings) <= self.state.done.get(file.name, 0)

    def count_missing(self, file: File, findings: Findings) -> int:
        """Listed images that are not where this file should have brought them."""
        inside = tuple(f"{self.folder / path}{os.sep}" for path in file.makes)
        return sum(path.startswith(inside) for path in findings.missing)

    def announce(self, files: list[File]) -> None:
        """Prints what will be fetched, with sizes. Raises DiskFullError where that cannot fit."""
        files = [file for file in files if file.name]
        sizes = [self.size(file) for file in files]
        for file, size in zip(files, sizes, strict=True):
            where = "already there" if (self.folder / file.name).is_file() else f"from {file.addresses[0]}"
            print(f"  {file.name}: {size_text(size) if size else 'size unknown'}, {where}", flush=True)
        left = [max(size - self.arrived(file), 0) for file, size in zip(files, sizes, strict=True)]
        # images hardly compress, so an archive takes its size again when unpacked, and goes before the next one comes
        unpacked = sum(size for file, size in zip(files, sizes, strict=True) if file.is_archive)
        needed = unpacked + (sum(left) if self.options.keep_archives else max(left, default=0))
        check_space(self.folder, needed, ", ".join(file.name for file in files))

    def arrived(self, file: File) -> int:
        """Bytes of the file that are there."""
        paths = (self.folder / file.name, self.folder / f"{file.name}.part")
        return next((path.stat().st_size for path in paths if path.is_file()), 0)

    def size(self, file: File) -> int:
        """Bytes of the file: as it lies there, as the server says, or as the sources guess; 0 where unknown."""
        path = self.folder / file.name
        if path.is_file():
            return path.stat().st_size
        said = (announced_size(url, self.options.patience.timeout) for url in file.urls)
        return next(filter(None, said), file.size)

    def step(self, file: File) -> None:
        """Takes the file that lies there, the file itself or a mirror's; else fetches it. Raises FetchError."""
        there = [one for one in (file, *file.mirrors) if one.name and (self.folder / one.name).is_file()]
        if not there:
            self.fetch(file)
        elif file.is_archive:
            self.open(file, there[0])

    def fetch(self, file: File) -> None:
        """Tries the file's sources in turn, until one brings all of it; archives are unpacked.

        Raises FetchError with all reasons, and what to do by hand.
        """
        reasons, ways = [], [(one, *way) for one in (file, *file.mirrors) for way in ways_of(one)]
        for left, (one, bring, identity, address) in zip(range(len(ways) - 1, -1, -1), ways, strict=True):
            path = self.folder / one.name
            try:
                bring(identity, path, self.options.patience)
                check_kind(path, one.is_archive)
                self.state.add_fetched(one.name)
                if one.is_archive:
                    place(one, path, self.folder)
                    self.state.add_done(file.name, missing=0)
                    self.tidy(one, path)
                if len(ways) == 1 or not (lacking := self.count_missing(file, self.dataset.inspect())):
                    return
                reason = f"{lacking:,} of the images that the dataset lists are not in it"
                self.state.add_done(file.name, lacking)
            except DiskFullError:
                raise
            except FetchError as error:
                path.unlink(missing_ok=True)
                self.state.forget_fetched(one.name)
                reason = str(error)
            reasons.append(f"    {address}: {reason}")
            if left:
                print(f"  {address}: {reason}; trying the next source", file=sys.stderr, flush=True)
        problem = "not fetched" if reasons else "to be downloaded by hand"
        title = f"{file.name or ' and '.join(file.makes)}: {problem}"
        raise FetchError("\n".join([title, *reasons, self.by_hand(file)]))

    def by_hand(self, file: File) -> str:
        at = f"    By hand{f' ({file.page})' if file.page else ''}: "
        if file.name:
            return f"{at}put it there as {self.folder / file.name}, then run the same command again."
        loader = self.dataset.loader
        return f"{at}get {file.what or 'the images'}; {self.folder} should hold {loader.layout or loader.images}."

    def open(self, file: File, one: File) -> None:
        """Unpacks the archive that lies there, the file's or a mirror's; one that was fetched here is then deleted.

        Raises FetchError.
        """
        path = self.folder / one.name
        try:
            check_kind(path, is_archive=True)
            place(one, path, self.folder)
        except DiskFullError:
            raise
        except FetchError as error:
            message = f"{one.name}: {error}\n"
            if one.name not in self.state.fetched:
                raise FetchError(f"{message}    Delete {path} to have it fetched again.") from error
            self.remove(one, path)
            origin = " or ".join(one.addresses)
            raise FetchError(
                f"{message}    It came from {origin} and has been deleted.\n{self.by_hand(file)}"
            ) from error
        self.state.add_done(file.name, missing=0)
        self.tidy(one, path)

    def tidy(self, file: File, path: Path) -> None:
        """Deletes an archive that was fetched here, unless archives are to be kept."""
        if file.name in self.state.fetched and not self.options.keep_archives:
            self.remove(file, path)

    def remove(self, file: File, path: Path) -> None:
        path.unlink()
        self.state.forget_fetched(file.name)


def ways_of(file: File) -> list[tuple[Callable[[str, Path, Patience], None], str, str]]:
    """What brings the file from each of its addresses, what that is given, and the address."""
    urls = [(download_hub if url.startswith(SCHEME) else download, url, url) for url in file.urls]
    drive = [(download_drive, file.drive, file.addresses[len(urls)])] if file.drive else []
    return [*urls, *drive]


def files_of(sources: Sources, loader) -> list[File]:
    """The files of a dataset, the split first, with what the loader knows of them filled in."""
    split = [replace(sources.split, name=loader.split, makes=(loader.split,))] if sources.split else []
    return [*split, *(with_images(file, loader) for file in sources.files)]


def with_images(file: File, loader) -> File:
    """The file, with its mirrors, as one that makes the folder of images where it does not say what it makes."""
    mirrors = tuple(with_images(mirror, loader) for mirror in file.mirrors)
    return replace(file, makes=file.makes or (loader.images,), mirrors=mirrors)
