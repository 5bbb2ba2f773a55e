"""Archives: read through before they are unpacked, and kept inside the folder that they are unpacked into."""

import errno
import io
import os
import stat
import tarfile
import zipfile

import pytest
from fetch import unpack as module
from fetch.errors import DiskFullError, FetchError
from fetch.unpack import check, unpack

FILES = {"images/a.jpg": os.urandom(20_000), "images/deep/b.jpg": os.urandom(30_000), "list.txt": b"a\nb\n"}
TAR_MODES = {"tar": "w", "tar.gz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}


def write_tar(path, members, mode="w:gz"):
    """Members are {name: bytes} or a list of (TarInfo, bytes)."""
    with tarfile.open(path, mode) as archive:
        for name, content in members.items() if isinstance(members, dict) else members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def write_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def write(path, members):
    """An archive of the kind that the name says."""
    if path.suffix == ".zip":
        return write_zip(path, members)
    return write_tar(path, members, TAR_MODES[path.name.partition(".")[2]])


def special(name, kind, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info, b""


def zip_link(name, target):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return {info: target}


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def target(tmp_path):
    """The folder to unpack into, empty, in one that must stay as it is."""
    (tmp_path / "around/target").mkdir(parents=True)
    yield tmp_path / "around/target"
    assert [path.name for path in (tmp_path / "around").iterdir()] == ["target"]
    assert not any(path.is_symlink() for path in (tmp_path / "around").rglob("*"))


@pytest.mark.parametrize("name", ["a.zip", *(f"a.{suffix}" for suffix in TAR_MODES)])
def test_unpacks_what_was_packed(name, tmp_path, target):
    path = write(tmp_path / name, FILES)
    contents = check(path)
    assert (contents.files, contents.size) == (3, 50_004)
    unpack(path, target)
    assert tree(target) == FILES


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_unpacks_one_folder_alone(name, tmp_path, target):
    unpack(write(tmp_path / name, FILES), target, only="images/deep")
    assert tree(target) == {"b.jpg": FILES["images/deep/b.jpg"]}


@pytest.mark.parametrize("share", [0.2, 0.8, 0.999])
@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar.bz2", "a.tar.xz"])
def test_a_truncated_archive_is_not_whole(name, share, tmp_path):
    path = write(tmp_path / name, FILES)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(FetchError, match=f"{name} is not whole"):
        check(path)


@pytest.mark.parametrize("length", [100, 20_000, 50_000, 52_736])  # the last: all members, but not the end mark
def test_a_truncated_plain_tar_is_not_whole(length, tmp_path):
    path = write_tar(tmp_path / "a.tar", FILES, "w")
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(FetchError, match="not whole"):
        check(path)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar.bz2", "a.tar.xz"])
def test_a_damaged_archive_is_not_whole(name, tmp_path):
    path = write(tmp_path / name, FILES)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8] = bytes(8)
    path.write_bytes(content)
    with pytest.raises(FetchError, match="is not whole"):
        check(path)


def test_a_plain_tar_with_a_broken_header_is_not_whole(tmp_path):
    path = write_tar(tmp_path / "a.tar", FILES, "w")
    content = bytearray(path.read_bytes())
    second = 512 + 20_480  # behind the first header and its data
    content[second : second + 100] = b"x" * 100
    path.write_bytes(content)
    with pytest.raises(FetchError, match="unexpected end"):
        check(path)


def test_an_archive_without_a_file_is_an_error(tmp_path):
    with pytest.raises(FetchError, match="holds no file"):
        check(write_tar(tmp_path / "a.tar.gz", {}))


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar"])
@pytest.mark.parametrize(
    "member", ["../out.txt", "images/../../out.txt", "/tmp/out.txt", "..\\out.txt", "C:\\out.txt", "C:out.txt"]
)
def test_a_path_that_leads_out_is_refused(name, member, tmp_path, target):
    path = write(tmp_path / name, {"images/a.jpg": b"a", member: b"out"})
    for action in (check, lambda path: unpack(path, target)):
        with pytest.raises(FetchError, match="leads out of its folder"):
            action(path)


@pytest.mark.parametrize("link", ["../../out", "/etc", "deep/../../../out"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_link_that_leads_out_is_refused(kind, link, tmp_path, target):
    path = write_tar(tmp_path / "a.tar.gz", [("images/a.jpg", b"a"), special("images/link", kind, link)])
    for action in (check, lambda path: unpack(path, target)):
        with pytest.raises(FetchError, match="leads out of its folder"):
            action(path)


def test_a_link_in_a_zip_that_leads_out_is_refused(tmp_path, target):
    path = write_zip(tmp_path / "a.zip", {"a.jpg": b"a", **zip_link("images", "../..")})
    for action in (check, lambda path: unpack(path, target)):
        with pytest.raises(FetchError, match="leads out of its folder"):
            action(path)


def test_nothing_is_written_through_links_that_lead_out_together(tmp_path, target):
    """Each is inside by its text; `deep/up` through `up` would be the folder above."""
    members = [special("deep/up", tarfile.SYMTYPE, ".."), special("out", tarfile.SYMTYPE, "deep/up/..")]
    path = write_tar(tmp_path / "a.tar", [*members, ("deep/up/../out/x.txt", b"x")], "w")
    with pytest.raises(FetchError):
        unpack(path, target)
    path = write_tar(tmp_path / "b.tar", [*members, ("deep/up/x.txt", b"x")], "w")
    with pytest.raises(FetchError):
        unpack(path, target)


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_pipes_are_refused(kind, tmp_path):
    with pytest.raises(FetchError, match="neither a file nor a folder"):
        check(write_tar(tmp_path / "a.tar.gz", [special("null", kind)]))


def test_a_link_to_a_file_of_the_archive_becomes_that_file(tmp_path, target):
    links = [
        special("images/before.jpg", tarfile.SYMTYPE, "../other/a.jpg"),
        ("other/a.jpg", b"a"),
        special("images/behind.jpg", tarfile.LNKTYPE, "other/a.jpg"),
    ]
    path = write_tar(tmp_path / "a.tar.gz", links)
    check(path)
    unpack(path, target)
    assert tree(target) == {"other/a.jpg": b"a", "images/before.jpg": b"a", "images/behind.jpg": b"a"}


def test_a_link_to_nothing_is_an_error(tmp_path, target):
    with pytest.raises(FetchError, match="not a file that the archive unpacks"):
        unpack(write_tar(tmp_path / "a.tar.gz", [special("link", tarfile.SYMTYPE, "nowhere")]), target)


def test_a_name_that_is_file_and_folder_is_an_error(tmp_path, target):
    with pytest.raises(FetchError, match="both a file and a folder"):
        unpack(write_tar(tmp_path / "a.tar.gz", {"a": b"1", "a/b": b"2"}), target)


def test_a_locked_zip_is_an_error(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"a.jpg": b"a"})
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 1  # the flag that says encrypted
    path.write_bytes(content)
    with pytest.raises(FetchError, match="encrypted"):
        check(path)


def test_a_full_disk_says_so(tmp_path, target, monkeypatch):
    def no_space(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.shutil, "copyfileobj", no_space)
    with pytest.raises(DiskFullError, match="is full"):
        unpack(write_tar(tmp_path / "a.tar.gz", FILES), target)
