"""The log: torn by a kill it goes on, changed by hand it is refused."""

import json

import pytest

from reptile_tf.search.search_log import SearchLog
from reptile_tf.utils.files import NotWrittenError

ENTRIES = [{"a": 1}, {"b": [0.1, None, "x"]}, {"c": {"d": 1e-300}}]


@pytest.fixture
def log(tmp_path):
    made = SearchLog(tmp_path)
    with made.held():
        for entry in ENTRIES:
            made.append(entry)
    return made


def test_what_was_written_is_read(log, tmp_path):
    assert log.read() == SearchLog(tmp_path).read() == ENTRIES
    assert SearchLog(tmp_path / "other").read() == []
    assert len(log.path.read_text().splitlines()) == 3


def test_a_line_torn_by_a_kill_at_any_byte_is_left_out(log):
    whole = log.path.read_bytes()
    start = whole[:-1].rfind(b"\n") + 1
    for end in range(start, len(whole)):
        log.path.write_bytes(whole[:end])
        assert log.read() == ENTRIES[:2]
        log.append(ENTRIES[2])
        assert log.path.read_bytes() == whole


@pytest.mark.parametrize(
    "edit, number",
    [
        (lambda lines: [lines[0], *lines[2:]], 2),  # one taken out
        (lambda lines: [lines[0], lines[2], lines[1]], 2),  # exchanged
        (lambda lines: [lines[0].replace("1", "2", 1), *lines[1:]], 1),
        (lambda lines: [*lines[:2], lines[2].replace("1e-300", "2e-300")], 3),
        (lambda lines: [*lines[:2], lines[2].replace("1e-300", "NaN")], 3),
        (lambda lines: [*lines[:2], "{}", lines[2]], 3),
        (lambda lines: [*lines[:2], "[1]", lines[2]], 3),
        (lambda lines: ["", *lines], 1),
    ],
)
def test_an_edited_log_is_refused(log, edit, number):
    lines = edit(log.path.read_text().splitlines())
    log.path.write_text("\n".join(lines) + "\n")
    with pytest.raises(
        ValueError, match=rf"line {number} (was ed|is dam).*put"
    ):
        log.read()
    with pytest.raises(ValueError, match=f"line {number} "):
        log.append({"more": 1})


def test_what_json_cannot_hold_is_not_written(log):
    with pytest.raises(ValueError):
        log.append({"a": float("nan")})
    assert log.read() == ENTRIES


def test_a_full_disk_is_one_line_that_names_the_file(log, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(NotWrittenError, match="search.jsonl cannot be written"):
        log.append({"more": 1})


def test_a_log_that_another_process_holds_is_waited_for(log, monkeypatch):
    monkeypatch.setattr("reptile_tf.search.search_log._PATIENCE", 0.1)
    with log.held(), pytest.raises(TimeoutError, match="log.lock .waited"):
        with log.held():
            pass
    with log.held():  # it is free again
        pass


def test_each_line_is_json(log):
    lines = log.path.read_text().splitlines()
    for line, entry in zip(lines, ENTRIES, strict=True):
        assert entry.items() <= json.loads(line).items()
