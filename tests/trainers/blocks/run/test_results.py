"""results.json: what is written is read again, and what cannot be read counts as not there."""

import pytest

from trainers.blocks.run.results import FILE_NAME, read_record, write_record


def test_record_is_read_as_written_with_its_folder(tmp_path):
    write_record({"metrics": {"accuracy": 50.0}}, tmp_path)
    assert read_record(tmp_path) == {"metrics": {"accuracy": 50.0}, "folder": str(tmp_path)}


@pytest.mark.parametrize("content", [None, "", "{", "[1, 2]", "3"])
def test_unreadable_record_is_none_but_its_folder(content, tmp_path):
    if content is not None:
        (tmp_path / FILE_NAME).write_text(content)
    assert read_record(tmp_path) == {"folder": str(tmp_path)}
