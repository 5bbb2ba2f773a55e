"""Sorts ImageNet's validation images into class folders: their archive unpacks flat, and says nothing of classes."""

import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from .errors import FetchError
from .place import TEMPORARY
from .unpack import check, unpack

IMAGES = Path("images/val")
IMAGE = re.compile(r"ILSVRC2012_val_(\d{8})\.jpe?g", re.IGNORECASE)
WNID = re.compile(r"n\d{8}")
PAIR = re.compile(r"ILSVRC2012_val_(\d{8})\D.*?\b(n\d{8})\b")
DEVKIT, INSIDE = "ILSVRC2012_devkit_t12.tar.gz", "ILSVRC2012_devkit_t12/data"
TRUTH, META = "ILSVRC2012_validation_ground_truth.txt", "meta.mat"  # of the devkit
LISTS = ("LOC_val_solution.csv", "imagenet_2012_validation_synset_labels.txt", "valprep.sh")
PLACES = (".", "devkit", "devkit/data", "data", "ILSVRC2012_devkit_t12", INSIDE, "images", IMAGES)  # searched

Classes = dict[int, str]  # number of a validation image ─▶ its class's WordNet ID


def sort_validation(folder: Path) -> None:
    """Moves loose validation images into folders of their classes, if there are any; goes on where it was stopped.

    Raises FetchError where it is not known of which classes they are: then nothing is moved.
    """
    part = folder / IMAGES
    entries = os.listdir(part) if part.is_dir() else []
    loose = {name: int(found[1]) for name in sorted(entries) if (found := IMAGE.fullmatch(name))}
    if not loose:
        return
    classes, origin = find_classes(folder, len(loose))
    unknown = [name for name, number in loose.items() if number not in classes]
    if unknown:
        raise FetchError(f"{origin} names no class of {len(unknown):,} images in {part}, {unknown[0]} among them")
    for name, number in loose.items():
        (part / classes[number]).mkdir(exist_ok=True)
        os.replace(part / name, part / classes[number] / name)
    print(f"  {part}: {len(loose):,} images sorted into class folders by {origin}", flush=True)


def find_classes(folder: Path, count: int) -> tuple[Classes, Path]:
    """The classes by the first list that is there, and that list. Raises FetchError without any."""
    for place in (folder / place for place in PLACES):
        if all((place / name).is_file() for name in (TRUTH, META)):
            return read(place / TRUTH, devkit_classes), place / TRUTH
        for path in (place / name for name in LISTS):
            if path.is_file():
                return read(path, listed_classes), path
    if (packed := folder / DEVKIT).is_file():
        with TemporaryDirectory(prefix=TEMPORARY, dir=folder, ignore_cleanup_errors=True) as temp:
            check(packed)
            unpack(packed, Path(temp, "devkit"), INSIDE)
            return read(Path(temp, "devkit", TRUTH), devkit_classes), packed
    raise FetchError(
        f"{folder / IMAGES} holds {count:,} images that are in no class folder, as their archive unpacks.\n"
        f"    To have them sorted, put one of these into {folder}, then run the same command again: {DEVKIT} "
        f"(the development kit, from https://image-net.org/download-images), or {TRUTH} and {META} out of it, or "
        f"{', or '.join(LISTS)}."
    )


def read(path: Path, reader) -> Classes:
    """What `reader` makes of a list. Raises FetchError for what is none."""
    try:
        classes = reader(path)
    except Exception as error:  # noqa: BLE001 - malformed .mat files make their reader raise almost anything
        raise FetchError(f"{path} cannot be read ({type(error).__name__}: {error})") from error
    if not classes or not all(WNID.fullmatch(wnid) for wnid in classes.values()):
        raise FetchError(f"{path} names no classes of validation images, such as n01440764")
    return classes


def devkit_classes(truth: Path) -> Classes:
    """By the devkit: a line for each image, the number of its class, and meta.mat beside it with the classes."""
    from scipy.io import loadmat

    synsets = loadmat(truth.with_name(META), squeeze_me=True)["synsets"]
    wnids = {int(number): str(wnid) for number, wnid in zip(synsets["ILSVRC2012_ID"], synsets["WNID"], strict=True)}
    lines = truth.read_text(encoding="utf-8").split()
    return {image: wnids[int(number)] for image, number in enumerate(lines, 1)}


def listed_classes(path: Path) -> Classes:
    """By a list of pairs of image and class, or of classes alone in the order of the images."""
    text = path.read_text(encoding="utf-8")
    if pairs := PAIR.findall(text):
        return {int(image): wnid for image, wnid in pairs}
    return dict(enumerate(text.split(), 1))
