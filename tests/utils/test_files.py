"""Files that are written whole, and named if they are not."""

import errno
import os
import pathlib
import uuid

import pytest

from reptile_tf.utils import locks
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


@pytest.mark.parametrize("kind", ["link", "dangling", "folder", "pipe"])
def test_what_lies_where_a_part_is_to_be_is_left_alone(
    tmp_path, monkeypatch, kind
):
    """Though nobody can know the name of a part before."""
    own, folder = tmp_path / "own", tmp_path / "folder"
    folder.mkdir()
    own.write_text("mine")
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=0))
    part = folder / ".part-00000000-x.json"
    if kind == "folder":
        part.mkdir()
    elif kind == "pipe":
        os.mkfifo(part)
    else:
        part.symlink_to(own if kind == "link" else tmp_path / "new")
    with pytest.raises(NotWrittenError) as told:
        write_json(folder / "x.json", 1)
    assert str(told.value) == (
        f"{folder}/x.json cannot be written: {part} is in the way; remove it"
    )
    assert own.read_text() == "mine" and os.path.lexists(part)
    assert sorted(os.listdir(tmp_path)) == ["folder", "own"]


def test_the_holder_of_a_lock_is_not_written_through_a_link(tmp_path):
    own, lock = tmp_path / "own", tmp_path / "x.lock"
    own.write_text("mine")
    (tmp_path / "x.holder").symlink_to(own)
    with locks.held(lock):
        assert (tmp_path / "x.holder").read_text().startswith("process")
    assert own.read_text() == "mine"
    assert not (tmp_path / "x.holder").exists()
