"""Files that are written whole, and named if they are not."""

import errno
import os
import pathlib

import pytest

from reptile_tf.utils.files import NotWrittenError, whole_file, write_json


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told_with_the_files_name(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "x.json"
    write_json(path, 1)
    for name in ("write_text", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(pathlib.Path, name, full)
            with pytest.raises(NotWrittenError) as told:
                write_json(path, 2)
        assert told.value.errno == errno.ENOSPC
        assert str(told.value) == (
            f"{path} cannot be written: No space left on device; make room "
            "there, or write to another place"
        )
        assert path.read_text() == "1\n"
        assert os.listdir(path.parent) == ["x.json"]


def test_a_place_that_is_no_folder_is_named(tmp_path):
    (tmp_path / "file").touch()
    for path in ("file/x.json", "file/deeper/x.json"):
        with pytest.raises(NotWrittenError, match="file is no folder; name a"):
            write_json(tmp_path / path, 1)


def test_an_error_of_another_file_stays_what_it_is(tmp_path):
    with pytest.raises(FileNotFoundError, match="elsewhere") as told:
        with whole_file(tmp_path / "x"):
            open("/nowhere/elsewhere")
    assert not isinstance(told.value, NotWrittenError)
