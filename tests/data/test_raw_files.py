"""The cache of decoded data sets."""

import os

import numpy as np
import pytest

from reptile_tf.data import raw_files

SHAPE = (2, 1)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("REPTILE_TF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def labels():
    return np.array([0, 0, 1, 2]), ["a", "b", "c"]


def fill(rows):
    rows[:] = np.arange(8).reshape(4, 2, 1)
    return {"told": 1}


def load(key="key", fill=fill, name="some"):
    return raw_files.load_or_write(name, key, SHAPE, labels, fill)


def not_again(*_):
    raise AssertionError("written again")


def test_a_data_set_is_written_once(folder):
    for each in (fill, not_again):
        classes, info = load(fill=each)
        assert info == {"told": 1}
        assert classes.names == ("a", "b", "c")
        assert [classes[c].ravel().tolist() for c in range(3)] == [
            [0, 1, 2, 3],
            [4, 5],
            [6, 7],
        ]
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".raw"]
    load(key=["other"], fill=fill)
    assert len(list(folder.iterdir())) == 4


def test_unreadable_examples_leave_no_gap(folder):
    """Nor do classes of which none is left."""

    def some(rows):
        return fill(rows) | {"unreadable": [0, 2]}

    classes, info = load(fill=some)
    assert info["unreadable"] == [0, 2]
    assert classes.names == ("a", "c")
    assert [classes[c].ravel().tolist() for c in range(2)] == [[2, 3], [6, 7]]


@pytest.mark.parametrize(
    "error", [ValueError("no picture"), KeyboardInterrupt()]
)
def test_a_data_set_is_written_whole_or_not_at_all(folder, error):
    def broken(rows):
        rows[:2] = 1
        raise error

    with pytest.raises(type(error)):
        load(fill=broken)
    assert not list(folder.iterdir())


def test_a_kill_between_the_two_files_leaves_nothing_to_be_read(folder):
    load()
    next(folder.glob("*.json")).unlink()
    classes, _ = load(fill=lambda rows: fill(rows) | {"told": 2})
    assert classes[1].ravel().tolist() == [4, 5]


def test_a_folder_without_room_is_named(folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    message = f"{folder} cannot hold some: .*No space.*REPTILE_TF_CACHE .*MB"
    with pytest.raises(ValueError, match=message):
        load()
    assert not list(folder.iterdir())


def test_a_folder_that_cannot_be_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("REPTILE_TF_CACHE", str(tmp_path / "file"))
    with pytest.raises(ValueError, match="REPTILE_TF_CACHE"):
        load()
