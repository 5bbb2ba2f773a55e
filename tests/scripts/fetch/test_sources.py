"""configs/sources.yaml, and files of its form."""

from pathlib import Path

import pytest
from fetch.hub import SCHEME, HubFile
from fetch.prepare import files_of
from fetch.sources import File, SourcesError, read_sources
from protocols.catalogue import Dataset, known_names


def test_every_dataset_that_is_not_rendered_has_sources_or_says_why_not():
    sources = read_sources()
    assert {name for name in known_names() if not name.startswith("shapes")} == set(sources)
    assert all(bool(source.note) != bool(source.files) for source in sources.values())


@pytest.mark.parametrize("name", [name for name, source in read_sources().items() if source.files])
def test_the_sources_bring_what_the_loader_reads(name):
    sources, loader = read_sources()[name], Dataset(name, Path("nowhere")).loader
    files = files_of(sources, loader)
    assert all(file.makes and file.addresses for file in files)
    names = [file.name for file in files if file.name]
    assert len(set(names)) == len(names)
    made = {path for file in files for path in file.makes}
    assert loader.split in made | {""}
    assert loader.images in made | {"."} or sources.folders


def test_a_mirror_takes_the_place_of_single_datasets(tmp_path):
    mirror = tmp_path / "mirror.yaml"
    mirror.write_text("dtd: {files: [{url: 'http://mirror/dtd.zip?key=1', keep: dtd}]}")
    sources = read_sources(mirror)
    assert sources["dtd"].files == (File("dtd.zip", ("http://mirror/dtd.zip?key=1",), extract=".", keep="dtd"),)
    assert sources["dtd"].split is None
    assert sources["eurosat"] == read_sources()["eurosat"]


def test_copies_elsewhere_are_as_the_file_but_for_what_they_say(tmp_path):
    mirror = tmp_path / "mirror.yaml"
    mirror.write_text(
        "dtd: {files: [{url: 'http://one/dtd.tgz', extract: ., makes: images, size: 9, mirrors: "
        "[{url: 'http://two/dtd.tgz'}, {drive: abc, name: all.zip, keep: dtd/images, extract: images}]}]}"
    )
    ((file,),) = [source.files for source in [read_sources(mirror)["dtd"]]]
    assert file.mirrors == (
        File("dtd.tgz", ("http://two/dtd.tgz",), extract=".", makes=("images",)),
        File("all.zip", drive="abc", extract="images", keep="dtd/images", makes=("images",)),
    )


@pytest.mark.parametrize("name", ["stanford_cars", "sun397"])
def test_datasets_whose_addresses_are_gone_have_copies_elsewhere(name):
    files = files_of(read_sources()[name], Dataset(name, Path("nowhere")).loader)
    images = [file for file in files if file.mirrors]
    assert images
    for file in images:
        for mirror in file.mirrors:
            assert mirror.is_archive and mirror.makes == file.makes != ()
            assert all(HubFile.at(url).path == mirror.name for url in mirror.urls if url.startswith(SCHEME))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dtd: [", "cannot be read"),
        ("- dtd", "by name of dataset"),
        ("dtd: {file: []}", "dtd: unknown file; there are split, files"),
        ("dtd: {files: [{urls: x}]}", "unknown urls"),
        ("dtd: {files: [{drive: x}]}", "needs url"),
        ("dtd: {files: [http://mirror/dtd.zip]}", "should be a mapping"),
        ("dtd: {files: [{url: http://mirror/a.zip, name: ../a.zip}]}", "stay inside"),
        ("dtd: {files: [{url: http://mirror/a.zip, extract: ..}]}", "stay inside"),
        ("dtd: {files: [{url: http://mirror/a.zip, extract: ., makes: /etc}]}", "stay inside"),
        ("dtd: {files: [{url: http://mirror/a.zip, size: 5 GB}]}", "number of bytes"),
        ("dtd: x", "should be a mapping"),
        ("dtd: {files: [{url: http://mirror/a.zip, mirrors: [http://other/a.zip]}]}", "should be a mapping"),
        ("dtd: {files: [{url: http://mirror/a.zip, mirrors: [{page: http://other}]}]}", "unknown page"),
        ("dtd: {files: [{url: http://mirror/a.zip, mirrors: [{keep: dtd}]}]}", "needs url"),
    ],
)
def test_a_file_at_fault_is_named_with_the_entry(text, message, tmp_path):
    mirror = tmp_path / "mirror.yaml"
    mirror.write_text(text)
    with pytest.raises(SourcesError, match=message) as caught:
        read_sources(mirror)
    assert str(mirror) in str(caught.value)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(SourcesError, match="nowhere.yaml"):
        read_sources(tmp_path / "nowhere.yaml")
