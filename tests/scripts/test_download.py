"""The downloader against a server on the loopback, with the tiny OxfordPets as the dataset."""

import errno
import io
import json
import signal
import subprocess
import sys
import tarfile
import zipfile
from collections import namedtuple

import download
import pytest
import yaml
from fetch import place, unpack
from fetch.state import locked

from tests.conftest import CHECKOUT
from tests.golden import make_inputs
from tests.scripts.local_server import serving

SPLIT, IMAGES, LISTS = "split_zhou_OxfordPets.json", "images.tar.gz", "annotations.tar.gz"
STATE = {".download.json", ".download.lock"}
WHOLE = {"images", "annotations", SPLIT}
QUOTA = b"<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head></html>"


@pytest.fixture
def site():
    with serving() as site:
        yield site


@pytest.fixture(scope="session")
def origin(tmp_path_factory):
    """The tiny OxfordPets as its publishers would have it: {file name: bytes}."""
    root = tmp_path_factory.mktemp("origin")
    make_inputs.make_pets(root)
    files = {SPLIT: (root / "oxford_pets" / SPLIT).read_bytes()}
    for name in ("images", "annotations"):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            archive.add(root / "oxford_pets" / name, arcname=name)
        files[f"{name}.tar.gz"] = buffer.getvalue()
    return files


@pytest.fixture
def publish(site, tmp_path):
    """Puts files on the server, and gives a mirror's file that leads to them, with changes to single entries."""

    def publish(files: dict[str, bytes], **changes: dict) -> str:
        urls = {name: site.add(name, content) for name, content in files.items()}
        entries = [
            {"url": urls.get(IMAGES, f"{site.base}/{IMAGES}"), "extract": "."} | changes.get("images", {}),
            {"url": urls.get(LISTS, f"{site.base}/{LISTS}"), "extract": ".", "makes": "annotations"},
        ]
        pets = {"split": {"url": urls.get(SPLIT, f"{site.base}/{SPLIT}")}, "files": entries}
        mirror = tmp_path / "mirror.yaml"
        mirror.write_text(yaml.safe_dump({"oxford_pets": pets | changes.get("dataset", {})}))
        return str(mirror)

    return publish


@pytest.fixture
def root(tmp_path):
    return tmp_path / "DATA"


@pytest.fixture
def fetch(root, capfd):
    """Runs the command with one try a file unless told otherwise; gives exit status, stdout and stderr."""
    Result = namedtuple("Result", "status out err")

    def fetch(mirror: str, *args: str, names=("oxford_pets",)):
        options = ["--root", str(root), "--sources", mirror, "--tries", "1", "--wait", "0"]
        with pytest.raises(SystemExit) as caught:
            download.main([*names, *options, *args])
        return Result(caught.value.code, *capfd.readouterr())

    return fetch


def tarred(members: dict[str, bytes], link: tuple[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        if link:
            info = tarfile.TarInfo(link[0])
            info.type, info.linkname = tarfile.SYMTYPE, link[1]
            archive.addfile(info)
    return buffer.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def names(folder):
    return {path.name for path in folder.iterdir()}


# --- a whole dataset


def test_a_dataset_is_prepared_and_trained_on(fetch, publish, origin, root, train_py):
    done = fetch(publish(origin))
    assert done.status == 0, done.err
    assert "oxford_pets  ready  72 images" in done.out
    assert f"{IMAGES}: {len(origin[IMAGES]) / 1000:.0f}kB, from http://127.0.0.1" in done.out
    assert names(root / "oxford_pets") == WHOLE | STATE
    assert names(root) == {"oxford_pets"}

    run = train_py("CoOp", "out", "OPTIM.MAX_EPOCH", 1, flags=("--root", root), recipe="vit_b16_ctxv1")
    assert run.status == 0, run.stderr
    assert run.results["config"]["DATASET"]["ROOT"] == str(root)


def test_a_finished_dataset_is_not_fetched_again(fetch, publish, origin, site):
    mirror = publish(origin)
    fetch(mirror)
    site.asked.clear()
    again = fetch(mirror)
    assert (again.status, site.asked) == (0, [])


def test_who_has_the_images_and_the_split_need_fetch_nothing(fetch, publish, pets, site):
    done = fetch(publish({}), "--root", str(pets))
    assert (done.status, site.asked) == (0, [])
    assert names(pets / "oxford_pets") == WHOLE


def test_what_one_has_already_is_kept_and_the_rest_fetched(fetch, publish, origin, site, pets):
    (pets / "oxford_pets" / SPLIT).unlink()
    done = fetch(publish(origin), "--root", str(pets))
    assert done.status == 0
    assert {path for _, path, _ in site.asked} == {SPLIT}


def test_missing_images_are_fetched_with_their_archive(fetch, publish, origin, site, pets):
    folder = pets / "oxford_pets/images"
    (folder / "own_notes.txt").write_text("mine")
    for _ in range(2):
        (folder / "beagle_0.jpg").unlink()
        assert fetch(publish(origin), "--root", str(pets)).status == 0
        assert (folder / "beagle_0.jpg").is_file()
    assert (folder / "own_notes.txt").read_text() == "mine"
    assert len(site.downloads(IMAGES)) == 2 and site.downloads(LISTS) == []


def test_images_that_the_archive_lacks_are_named_and_not_fetched_for_again(fetch, publish, origin, site):
    split = json.loads(origin[SPLIT])
    split["test"].append(["unicorn_0.jpg", 0, "abyssinian"])
    mirror = publish(origin | {SPLIT: json.dumps(split).encode()})
    for _ in range(2):
        done = fetch(mirror)
        assert done.status == 1
        assert "1 of 73 images missing" in done.out and "unicorn_0.jpg" in done.out
    assert site.downloads(IMAGES) == [""]


def test_missing_images_are_noticed_once_the_split_has_come(fetch, publish, origin, pets):
    (pets / "oxford_pets" / SPLIT).unlink()
    for name in ("trainval.txt", "test.txt"):
        (pets / "oxford_pets/annotations" / name).unlink()
    (pets / "oxford_pets/images/beagle_0.jpg").unlink()
    assert fetch(publish(origin), "--root", str(pets)).status == 0


def test_an_interrupted_transfer_goes_on_where_it_broke_off(fetch, publish, origin, site, root):
    mirror, half = publish(origin), len(origin[IMAGES]) // 2
    site.cuts[IMAGES] = [half]
    first = fetch(mirror)
    assert first.status == 1
    assert f"{IMAGES}: not fetched" in first.err
    assert names(root / "oxford_pets") == {SPLIT, "annotations", f"{IMAGES}.part", f"{IMAGES}.part.json"} | STATE

    second = fetch(mirror)
    assert second.status == 0
    assert site.downloads(IMAGES) == ["", f"bytes={half}-"]
    assert names(root / "oxford_pets") == WHOLE | STATE


def test_archives_are_kept_when_asked(fetch, publish, origin, root):
    fetch(publish(origin), "--keep-archives")
    assert names(root / "oxford_pets") == {*WHOLE, *STATE, IMAGES, LISTS}
    assert (root / "oxford_pets" / IMAGES).read_bytes() == origin[IMAGES]


def test_all_takes_what_can_be_fetched_and_goes_on_after_a_failure(monkeypatch, fetch, publish, root, capfd):
    seen = []

    def provide(name, sources, args):
        seen.append(name)
        return name != "eurosat", f"about {name}"

    monkeypatch.setattr(download, "provide", provide)
    done = fetch(publish({}), names=("all", "dtd", "shapes"))
    assert done.status == 1
    assert {"imagenet", "oxford_pets", "eurosat", "sun397", "cub"} < set(seen)
    assert seen[-1] == "shapes" and seen.count("dtd") == 1 and "imagefolder" not in seen
    assert "eurosat          NOT READY  about eurosat" in done.out


# --- what can be at fault


def spoilt(origin):
    """Faulty answers for the archive of images: (bytes, what the message says)."""
    link = tarred({"images/a.jpg": b"a"}, link=("images/link", "../../../out"))
    return {
        "a page of Drive's quota": (QUOTA, "an HTML page titled 'Google Drive - Quota exceeded'"),
        "a truncated archive": (origin[IMAGES][:-1000], "images.tar.gz is not whole"),
        "a path out of the folder, in a tar": (tarred({"images/a.jpg": b"a", "../out.txt": b"x"}), "leads out"),
        "a path out of the folder, in a zip": (zipped({"images/a.jpg": b"a", "../out.txt": b"x"}), "leads out"),
        "an absolute path in a tar": (tarred({"images/a.jpg": b"a", "/tmp/out.txt": b"x"}), "leads out"),
        "an absolute path in a zip": (zipped({"images/a.jpg": b"a", "/tmp/out.txt": b"x"}), "leads out"),
        "a link out of the folder": (link, "leads out"),
        "another archive": (tarred({"pictures/a.jpg": b"a"}), "it should hold images, and has pictures"),
    }


@pytest.mark.parametrize("case", spoilt({IMAGES: b""}))
def test_a_fault_is_named_with_the_way_out_and_leaves_nothing_half_unpacked(case, fetch, publish, origin, root):
    content, message = spoilt(origin)[case]
    done = fetch(publish(origin | {IMAGES: content}))
    folder = root / "oxford_pets"
    assert done.status == 1
    assert message in done.err
    assert f"put it there as {folder / IMAGES}" in done.err
    assert "/images.tar.gz" in done.err and "http://127.0.0.1" in done.err
    assert "Traceback" not in done.err
    assert "NOT READY" in done.out
    assert names(folder) == {SPLIT, "annotations"} | STATE
    assert names(root) == {"oxford_pets"}

    assert fetch(publish(origin)).status == 0  # once the server is in order, the rest is done


def test_what_is_not_there_is_named_and_the_rest_fetched(fetch, publish, origin, root):
    without_split = {name: content for name, content in origin.items() if name != SPLIT}
    done = fetch(publish(without_split))
    assert done.status == 1
    assert f"{SPLIT}: not fetched" in done.err and "404" in done.err
    assert f"put it there as {root / 'oxford_pets' / SPLIT}" in done.err
    assert f"split file {root / 'oxford_pets' / SPLIT} not found" in done.out
    assert names(root / "oxford_pets") == {"images", "annotations"} | STATE


def test_a_page_in_place_of_the_split_is_named_and_not_kept(fetch, publish, origin, root):
    done = fetch(publish(origin | {SPLIT: QUOTA}))
    assert done.status == 1
    assert f"{SPLIT}: not fetched" in done.err and "an HTML page titled 'Google Drive - Quota exceeded'" in done.err
    assert names(root / "oxford_pets") == {"images", "annotations"} | STATE


def test_a_second_address_is_taken_where_the_first_fails(fetch, publish, origin, site):
    urls = [f"{site.base}/gone.tar.gz", f"{site.base}/{IMAGES}"]
    assert fetch(publish(origin, images={"url": urls, "name": IMAGES})).status == 0


def without(packed: bytes, name: str) -> bytes:
    """A tar archive's files but for one, in another folder than before."""
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        files = {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}
    return tarred({f"copy/{path}": content for path, content in files.items() if not path.endswith(name)})


@pytest.mark.parametrize("first", ["gone", "a page", "another archive", "images lack"])
def test_a_mirror_is_taken_where_the_addresses_do_not_bring_all_images(first, fetch, publish, origin, site, root):
    """Which costs a line that says why; the images are counted by the split."""
    bad = {"a page": QUOTA, "another archive": tarred({"pictures/a.jpg": b"a"})}
    bad["images lack"] = tarred({"images/beagle_0.jpg": b"a"})
    urls = [site.add("first.tar.gz", bad[first]) if first in bad else f"{site.base}/gone.tar.gz"]
    mirror = {"url": site.add("copy.tar.gz", without(origin[IMAGES], "nothing")), "keep": "copy"}
    done = fetch(publish(origin, images={"url": urls, "mirrors": [mirror]}))
    assert done.status == 0, done.err
    said = {"gone": "404", "a page": "an HTML page", "another archive": "it should hold images, and has pictures"}
    said["images lack"] = "71 of the images that the dataset lists are not in it"
    lines = [line for line in done.err.splitlines() if "trying the next source" in line]
    assert len(lines) == 1 and urls[0] in lines[0] and said[first] in lines[0]
    assert names(root / "oxford_pets") == WHOLE | STATE


def test_where_every_copy_lacks_images_all_are_named_once_and_not_fetched_again(fetch, publish, origin, site):
    lacking = {"url": site.add("copy.tar.gz", without(origin[IMAGES], "beagle_0.jpg")), "keep": "copy"}
    mirror = publish(origin, images={"url": f"{site.base}/gone.tar.gz", "mirrors": [lacking]})
    done = fetch(mirror)
    assert done.status == 1
    assert "404" in done.err and "1 of the images that the dataset lists are not in it" in done.err
    assert "1 of 72 images missing" in done.out
    site.asked.clear()
    assert fetch(mirror).status == 1
    assert site.downloads("copy.tar.gz") == []


def test_an_archive_that_brings_all_is_fetched_once(fetch, publish, origin, site, root):
    """A mirror's may hold what others of the dataset's files make."""
    everything = {"url": site.add("all.tar.gz", whole_copy(origin)), "keep": "copy"}
    mirror = publish({SPLIT: origin[SPLIT], LISTS: origin[LISTS]}, images={"mirrors": [everything]})
    done = fetch(mirror)
    assert done.status == 0, done.err
    assert len(site.downloads("all.tar.gz")) == 1 and site.downloads(LISTS) == []
    assert names(root / "oxford_pets") == WHOLE | STATE


def whole_copy(origin: dict[str, bytes]) -> bytes:
    files = {}
    for name in (IMAGES, LISTS):
        with tarfile.open(fileobj=io.BytesIO(origin[name])) as archive:
            files |= {f"copy/{m.name}": archive.extractfile(m).read() for m in archive if m.isfile()}
    return tarred(files)


def test_a_mirrors_file_put_there_by_hand_is_unpacked(fetch, publish, origin, site, root):
    mirror = {"url": f"{site.base}/copy.tar.gz", "keep": "copy"}
    path = root / "oxford_pets/copy.tar.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(without(origin[IMAGES], "nothing"))
    assert fetch(publish(origin, images={"mirrors": [mirror]})).status == 0
    assert path.is_file()
    assert site.downloads(IMAGES) == []


def test_a_file_put_there_by_hand_is_unpacked_and_kept(fetch, publish, origin, site, root):
    folder = root / "oxford_pets"
    folder.mkdir(parents=True)
    (folder / IMAGES).write_bytes(origin[IMAGES])
    assert fetch(publish(origin)).status == 0
    assert site.downloads(IMAGES) == []
    assert names(folder) == {*WHOLE, *STATE, IMAGES}


def test_a_faulty_file_put_there_by_hand_is_named_and_kept(fetch, publish, origin, root):
    path = root / "oxford_pets" / IMAGES
    path.parent.mkdir(parents=True)
    path.write_bytes(QUOTA)
    done = fetch(publish(origin))
    assert done.status == 1
    assert f"Delete {path} to have it fetched again" in done.err
    assert path.read_bytes() == QUOTA


def test_a_page_without_an_address_is_shown(fetch, publish, origin, root):
    mirror = publish(origin, images={"url": [], "page": "https://pets.example", "name": IMAGES})
    done = fetch(mirror)
    path = root / "oxford_pets" / IMAGES
    assert done.status == 1
    assert f"By hand (https://pets.example): put it there as {path}" in done.err
    path.write_bytes(origin[IMAGES])
    assert fetch(mirror).status == 0


def test_an_archive_in_an_archive_is_unpacked(fetch, publish, origin, root):
    outer = zipped({f"pets/{IMAGES}": origin[IMAGES], "pets/readme.txt": b"read"})
    mirror = publish(origin | {IMAGES: outer}, images={"inner": f"pets/{IMAGES}"})
    assert fetch(mirror).status == 0
    assert names(root / "oxford_pets") == WHOLE | STATE


def test_one_folder_of_an_archive_becomes_the_datasets_content(fetch, publish, origin, root):
    with tarfile.open(fileobj=io.BytesIO(origin[IMAGES])) as archive:
        images = {f"top/pets/{m.name}": archive.extractfile(m).read() for m in archive if m.isfile()}
    packed = tarred({**images, "top/other.txt": b"x"})
    assert fetch(publish(origin | {IMAGES: packed}, images={"keep": "top/pets"})).status == 0
    assert names(root / "oxford_pets") == WHOLE | STATE


def test_class_folders_are_counted(fetch, publish, origin):
    done = fetch(publish(origin, dataset={"folders": {"images": 3}}))
    assert done.status == 1
    assert "images holds 0 class folders of 3" in done.out


# --- space, and other runs


def test_what_cannot_fit_is_not_begun(fetch, publish, origin, site, root, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(place.shutil, "disk_usage", lambda path: usage(10**9, 10**9, 1000))
    done = fetch(publish(origin))
    assert done.status == 1
    assert "are needed in" in done.err and "1.00kB are free" in done.err
    assert all(method == "HEAD" for method, _, _ in site.asked)
    assert names(root / "oxford_pets") == {".download.lock"}


def test_a_disk_that_fills_up_while_unpacking_leaves_the_archive(fetch, publish, origin, site, root, monkeypatch):
    def no_space(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(unpack.shutil, "copyfileobj", no_space)
    done = fetch(publish(origin))
    assert done.status == 1
    assert "is full" in done.err and "make room" in done.err
    assert names(root / "oxford_pets") == {SPLIT, IMAGES} | STATE

    monkeypatch.undo()
    assert fetch(publish(origin)).status == 0
    assert site.downloads(IMAGES) == [""]
    assert names(root / "oxford_pets") == WHOLE | STATE


def test_what_a_killed_run_was_unpacking_is_removed(fetch, publish, origin, root):
    (root / "oxford_pets/.unpack-abc/outer").mkdir(parents=True)
    fetch(publish(origin))
    assert names(root / "oxford_pets") == WHOLE | STATE


def test_a_folder_that_cannot_be_made_is_named(fetch, publish, origin, root):
    root.write_text("a file")
    done = fetch(publish(origin))
    assert done.status == 1
    assert str(root) in done.err and "Traceback" not in done.err


def test_a_second_run_waits_for_the_first_and_does_nothing_twice(publish, origin, root, site):
    folder = root / "oxford_pets"
    folder.mkdir(parents=True)
    options = ["--root", str(root), "--sources", publish(origin), "--wait", "0"]
    command = [sys.executable, str(CHECKOUT / "scripts/download.py"), "oxford_pets", *options]
    with locked(folder):
        second = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert "waiting for it" in second.stderr.readline()
        make_inputs.make_pets(root)
    out, err = second.communicate(timeout=60)
    assert second.returncode == 0, err
    assert "72 images" in out
    assert site.asked == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_says_how_to_go_on(number, status, publish, origin, root, foreground_signals):
    folder = root / "oxford_pets"
    folder.mkdir(parents=True)
    command = [sys.executable, str(CHECKOUT / "scripts/download.py"), "oxford_pets", "--root", str(root)]
    with locked(folder):
        process = subprocess.Popen([*command, "--sources", publish(origin)], stderr=subprocess.PIPE, text=True)
        assert "waiting for it" in process.stderr.readline()
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert err == f"stopped by {signal.Signals(number).name}; the same command goes on\n"


# --- names and options


def test_what_needs_no_download_says_so(fetch, publish):
    done = fetch(publish({}), names=("shapes", "imagefolder"))
    assert done.status == 0
    assert "rendered on first use" in done.out
    assert "your own pictures" in done.out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["oxford_pet"], "Did you mean oxford_pets?"),
        ([], "DATASET"),
        (["dtd", "--tries", "0"], "--tries"),
        (["dtd", "--sources", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_bad_arguments_are_named(args, message, capsys):
    with pytest.raises(SystemExit) as caught:
        download.main(args)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_imagenet_says_what_to_get_and_counts_what_is_there(fetch, tmp_path, site, root):
    classnames = site.add("classnames.txt", b"n01440764 tench\nn01443537 goldfish\n")
    sources = yaml.safe_load((CHECKOUT / "configs/sources.yaml").read_text(encoding="utf-8"))["imagenet"]
    sources["files"][0] = {"url": classnames}
    mirror = tmp_path / "mirror.yaml"
    mirror.write_text(json.dumps({"imagenet": sources}))
    (root / "imagenet/images/train/n01440764").mkdir(parents=True)
    done = fetch(str(mirror), names=("imagenet",))
    assert done.status == 1
    assert "ILSVRC 2012" in done.err and "image-net.org" in done.err
    assert f"{root / 'imagenet'} should hold images/train/n01440764" in done.err
    assert "train holds 1 class folders of 1,000" in done.out and "val holds 0 class folders of 1,000" in done.out
    assert (root / "imagenet/classnames.txt").is_file()


def test_imagenets_flat_validation_images_are_sorted_or_it_is_told_how(fetch, tmp_path, root):
    mirror = tmp_path / "mirror.yaml"
    entries = [{"page": "https://image-net.example", "makes": ["images/train", "images/val"]}]
    mirror.write_text(json.dumps({"imagenet": {"files": entries, "folders": {"images/val": 2}}}))
    folder = root / "imagenet"
    wnids = ["n01443537", "n01440764"]
    for wnid in wnids:
        (folder / "images/train" / wnid).mkdir(parents=True)
        (folder / "images/train" / wnid / "a.JPEG").touch()
    (folder / "images/val").mkdir()
    for number in (1, 2):
        (folder / f"images/val/ILSVRC2012_val_{number:08}.JPEG").touch()
    (folder / "classnames.txt").write_text("n01440764 tench\nn01443537 goldfish\n")
    done = fetch(str(mirror), names=("imagenet",))
    assert done.status == 1
    assert f"{folder / 'images/val'} holds 2 images that are in no class folder" in done.err
    assert "ILSVRC2012_devkit_t12.tar.gz" in done.err and "Traceback" not in done.err
    assert "images/val holds 2 files that are in no class folder" in done.out

    (folder / "imagenet_2012_validation_synset_labels.txt").write_text("\n".join(wnids))
    done = fetch(str(mirror), names=("imagenet",))
    assert (done.status, done.err) == (0, "")
    assert (folder / "images/val/n01443537/ILSVRC2012_val_00000001.JPEG").is_file()
    assert "ready  4 images" in done.out
