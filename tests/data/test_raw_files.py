"""The cache of decoded data sets."""

import concurrent.futures
import os
import re
import time

import numpy as np
import pytest

from reptile_tf.data import raw_files

SHAPE = (2, 1, 1)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("REPTILE_TF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def labels():
    return np.array([0, 0, 1, 2]), ["a", "b", "c"]


def fill(rows):
    rows[:] = np.arange(8).reshape(4, 2, 1, 1)
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
    files = sorted(path.suffix for path in folder.iterdir())
    assert files == [".json", ".lock", ".raw"]
    load(key=["other"], fill=fill)
    assert len(list(folder.iterdir())) == 6


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
    assert not [p for p in folder.iterdir() if p.suffix != ".lock"]


def test_a_kill_between_the_two_files_leaves_nothing_to_be_read(folder):
    load()
    next(folder.glob("*.json")).unlink()
    classes, _ = load(fill=lambda rows: fill(rows) | {"told": 2})
    assert classes[1].ravel().tolist() == [4, 5]


def test_without_room_the_data_are_read_all_the_same(
    folder, monkeypatch, capsys
):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    some = {"unreadable": [1]}
    classes, info = load(fill=lambda rows: fill(rows) | some)
    assert info == {"told": 1, "unreadable": [1]}
    assert classes.names == ("a", "b", "c")
    found = [classes[c].ravel().tolist() for c in range(3)]
    assert found == [[0, 1], [4, 5], [6, 7]]
    assert re.search(
        f"not kept.*{folder}.*No space.*REPTILE_TF_CACHE .*MB",
        capsys.readouterr().out,
    )
    assert not [p for p in folder.iterdir() if p.suffix != ".lock"]


def test_a_cache_that_cannot_be_is_done_without(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("REPTILE_TF_CACHE", str(tmp_path / "file"))
    classes, _ = load()
    assert classes[1].ravel().tolist() == [4, 5]
    assert f"{tmp_path / 'file'}" in capsys.readouterr().out


def test_what_fits_nowhere_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("REPTILE_TF_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(os, "sysconf", lambda name: 3)
    with pytest.raises(ValueError, match="neither the cache nor the memory"):
        load(fill=not_again)


def test_an_error_in_reading_is_not_the_caches(folder):
    """A picture that has gone is no reason to read all of them again."""

    calls = []

    def gone(rows):
        calls.append(rows)
        raise FileNotFoundError(2, "No such file", "/elsewhere/1.png")

    with pytest.raises(FileNotFoundError, match="elsewhere"):
        load(fill=gone)
    assert len(calls) == 1


@pytest.mark.parametrize(
    "about",
    [
        *("[]", "5", "null", "[" * 200_000, "{}", "\\0"),
        '{"offsets": 5, "names": ["a", "b", "c"], "info": {}}',
        '{"offsets": [0, 2, 3, 4.0], "names": ["a", "b", "c"], "info": {}}',
        '{"offsets": [0, 2, 3, "4"], "names": ["a", "b", "c"], "info": {}}',
        '{"offsets": [0, 2, 3, 4], "names": ["a", "b", 5], "info": {}}',
        '{"offsets": [0, 2, 3, 4], "names": 3, "info": {}}',
        '{"offsets": [4, 3, 4], "names": ["a", "b"], "info": {}}',
        '{"offsets": [0, 2, 3, 4], "names": ["a", "b", "c"], "info": []}',
        '{"offsets": [0, 2, 3, 4], "names": ["a", "b", "c"], "info": {}}',
    ],
    ids=lambda about: about[:50],
)
def test_what_is_not_ours_is_written_again(folder, about):
    def load():
        return raw_files.load_or_write(
            *("some", "key", SHAPE, labels, fill),
            known=lambda info: info["told"] == 1,
        )

    load()
    [path] = folder.glob("*.json")
    path.write_text(about)
    classes, info = load()
    assert classes[1].ravel().tolist() == [4, 5]
    assert classes.names == ("a", "b", "c") and info == {"told": 1}
    assert path.read_text() != about


def test_what_is_no_file_is_named_or_written_again(folder, capsys):
    load()
    [raw], [about] = folder.glob("*.raw"), folder.glob("*.json")
    about.unlink()
    os.mkfifo(about)  # which would be waited for
    folder.joinpath(f".part-00000000-{raw.name}").mkdir()
    classes, _ = load()
    assert classes[1].ravel().tolist() == [4, 5]
    raw.unlink()
    raw.mkdir()
    load()
    told = capsys.readouterr().out
    assert re.search(f"not kept in the cache, .*: {raw} cannot be wri", told)


@pytest.mark.parametrize("harm", ["cut", "no json", "empty json"])
def test_what_is_not_whole_is_written_again(folder, harm):
    load()
    [raw], [about] = folder.glob("*.raw"), folder.glob("*.json")
    if harm == "cut":
        raw.write_bytes(raw.read_bytes()[:-1])
    elif harm == "no json":
        about.unlink()
    else:
        about.write_text("")
    classes, _ = load()
    assert classes[1].ravel().tolist() == [4, 5]


def test_several_at_once_write_once(folder):
    """Threads, as processes do, wait for the one that writes."""
    written = []

    def slowly(rows):
        written.append(1)
        time.sleep(0.3)
        return fill(rows)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: load(fill=slowly), range(4)))
    assert len(written) == 1
    for classes, _ in found:
        assert classes[2].ravel().tolist() == [6, 7]


def test_what_a_killed_process_left_is_removed(folder):
    load()
    [raw] = folder.glob("*.raw")
    left = raw.with_name(f".part-1a2b3c4d-{raw.name}")
    left.write_bytes(b"half")
    raw.unlink()
    load()
    assert not left.exists()


def test_nothing_at_all_to_read_is_refused(folder):
    with pytest.raises(ValueError, match="none of 4 files can be read"):
        load(fill=lambda rows: {"unreadable": [0, 1, 2, 3]})
    assert not list(folder.glob("*.json"))
