"""ImageNet's validation images, unpacked flat, are sorted into class folders by any of the known lists."""

import io
import tarfile

import numpy as np
import pytest
from fetch.errors import FetchError
from fetch.validation import DEVKIT, INSIDE, META, TRUTH, sort_validation
from scipy.io import savemat

WNIDS = ["n01440764", "n01443537", "n02012849"]
CLASSES = [2, 0, 2, 1]  # of the images


def name(number: int) -> str:
    return f"ILSVRC2012_val_{number:08}.JPEG"


@pytest.fixture
def folder(tmp_path):
    """ImageNet with four validation images that say which they are, and a file of the user's beside them."""
    part = tmp_path / "imagenet/images/val"
    part.mkdir(parents=True)
    for number in range(1, 5):
        (part / name(number)).write_text(str(number))
    (part / "notes.txt").write_text("mine")
    return tmp_path / "imagenet"


def sorted_into(folder) -> dict[str, str]:
    part = folder / "images/val"
    return {path.read_text(): path.parent.name for path in part.glob("*/*")}


def add_devkit(place) -> None:
    """Its classes are in no order, and have groups of classes among them, as in the real one."""
    place.mkdir(parents=True, exist_ok=True)
    rows = [(2, WNIDS[1]), (1, WNIDS[0]), (1001, "n00001740"), (3, WNIDS[2])]
    synsets = np.array(rows, dtype=[("ILSVRC2012_ID", object), ("WNID", object)])
    savemat(place / META, {"synsets": synsets.reshape(-1, 1)})
    (place / TRUTH).write_text("".join(f"{label + 1}\n" for label in CLASSES))


def add_packed_devkit(folder) -> None:
    add_devkit(folder / "temp")
    with tarfile.open(folder / DEVKIT, "w:gz") as archive:
        for file in (TRUTH, META):
            content = (folder / "temp" / file).read_bytes()
            info = tarfile.TarInfo(f"{INSIDE}/{file}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
            (folder / "temp" / file).unlink()


def add_labels(folder) -> None:
    lines = "".join(f"{WNIDS[label]}\n" for label in CLASSES)
    (folder / "imagenet_2012_validation_synset_labels.txt").write_text(lines)


def add_solution(folder) -> None:
    rows = [f"{name(i)[:-5]},{WNIDS[label]} 1 2 3 4" for i, label in enumerate(CLASSES, 1)]
    (folder / "LOC_val_solution.csv").write_text("\n".join(["ImageId,PredictionString", *reversed(rows)]))


def add_script(folder) -> None:
    lines = [f"mv {name(i)} {WNIDS[label]}/" for i, label in enumerate(CLASSES, 1)]
    (folder / "images/val/valprep.sh").write_text("\n".join([f"mkdir -p {WNIDS[0]}", *lines]))


@pytest.mark.parametrize(
    "add",
    [
        add_devkit,
        lambda folder: add_devkit(folder / INSIDE),
        add_packed_devkit,
        add_labels,
        add_solution,
        add_script,
    ],
    ids=["devkit", "devkit's folder", "devkit, packed", "labels", "solution", "script"],
)
def test_images_are_moved_into_folders_of_their_classes(add, folder, capsys):
    add(folder)
    sort_validation(folder)
    assert sorted_into(folder) == {str(i): WNIDS[label] for i, label in enumerate(CLASSES, 1)}
    assert (folder / "images/val/notes.txt").read_text() == "mine"
    assert "4 images sorted" in capsys.readouterr().out
    sort_validation(folder)  # there is nothing left to do
    assert capsys.readouterr().out == ""


def test_what_was_stopped_is_gone_on_with(folder):
    """Images are told by their number, however many are left."""
    part = folder / "images/val"
    (part / WNIDS[2]).mkdir()
    (part / name(1)).rename(part / WNIDS[2] / name(1))
    add_labels(folder)
    sort_validation(folder)
    assert sorted_into(folder) == {str(i): WNIDS[label] for i, label in enumerate(CLASSES, 1)}


def test_without_a_list_it_is_said_what_is_needed(folder):
    with pytest.raises(FetchError) as raised:
        sort_validation(folder)
    message = str(raised.value)
    assert f"{folder / 'images/val'} holds 4 images that are in no class folder" in message
    assert all(word in message for word in (DEVKIT, TRUTH, META, "image-net.org", str(folder), "same command"))
    assert sorted_into(folder) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("n01440764\nn01443537\n", "names no class of 2 images"),
        ("../../out\n" * 4, "names no classes of validation images"),
        ("", "names no classes"),
        (b"\xff", "cannot be read"),
    ],
)
def test_a_list_at_fault_is_named_and_nothing_is_moved(content, message, folder):
    path = folder / "imagenet_2012_validation_synset_labels.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(FetchError, match=message) as raised:
        sort_validation(folder)
    assert str(path) in str(raised.value)
    assert sorted_into(folder) == {}


def test_a_devkit_at_fault_is_named(folder):
    add_devkit(folder)
    (folder / META).write_bytes(b"not a MATLAB file")
    with pytest.raises(FetchError, match="cannot be read"):
        sort_validation(folder)


def test_a_folder_without_loose_images_needs_nothing(tmp_path):
    sort_validation(tmp_path)
    (tmp_path / "images/val/n01440764").mkdir(parents=True)
    (tmp_path / "images/val/n01440764" / name(1)).touch()
    sort_validation(tmp_path)
