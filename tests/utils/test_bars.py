"""Bars, on terminals that are made for it."""

import io
import subprocess
import sys
import time

import pytest
from terminal import Terminal, bars, on_terminal

from reptile_tf.utils.bars import Bar, shown

DRAW = [
    sys.executable,
    "-c",
    "from reptile_tf.utils.bars import Bar\n"
    "with Bar(300, 'iteration', mininterval=0) as bar:\n"
    "    for i in range(300):\n"
    "        bar.show(i + 1, f'loss {1 / (i + 1):.4f}')\n"
    "print('done')\n",
]


@pytest.mark.parametrize("columns", [0, 1, 5, 40, 80, 200])
def test_a_bar_is_one_line_of_the_terminals_width(columns):
    written = on_terminal(DRAW, columns)
    # A terminal that does not know its width says 0.
    width = columns or 80
    assert written.count("\n") == 1 and "\x1b" not in written
    assert len(bars(written)) > 300
    assert max(map(len, bars(written))) <= max(1, width - 1)
    if width >= 40:
        assert "300/300 iterations, loss 0.0033 " in written
    # It is erased, so that the next line begins where it was.
    assert set(bars(written)[-1]) == {" "} and written.endswith("\rdone\r\n")


def test_the_variable_columns_counts_before_the_terminal():
    widest = max(map(len, bars(on_terminal(DRAW, 200, COLUMNS="60"))))
    assert widest == 59


@pytest.mark.parametrize("asks", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_there_is_no_bar_where_plain_text_is_asked_for(asks):
    assert on_terminal(DRAW, 80, **asks) == "done\r\n"


def test_there_is_no_bar_in_pipes():
    process = subprocess.run(DRAW, capture_output=True, text=True, check=True)
    assert (process.stdout, process.stderr) == ("done\n", "")


def test_what_takes_long_is_a_line_now_and_then_in_pipes(monkeypatch, capsys):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with Bar(10_000, "iteration", initial=4000) as bar:
        for i in range(4001, 10_001):
            clock[0] += 1 / 64
            bar.show(i, f"loss {i}")
            if i == 5000:
                bar.say("5,000 of 10,000: loss 5000", timed=True)
                bar.say("a line")
    assert capsys.readouterr().out.splitlines() == [
        "5,000 of 10,000: loss 5000, 01:18 left",
        "a line",
        "8,841 of 10,000 iterations, loss 8841, 00:18 left",
    ]
    with Bar(2, "task", show=0) as bar:
        clock[0] += 100
        bar.show(1)
    assert capsys.readouterr().out == ""


def test_bars_are_shown_on_terminals_and_in_notebooks(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    cell = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.x"})
    assert shown(cell()) and shown(Terminal())
    assert not shown(io.StringIO()) and not shown(None)
    monkeypatch.setattr(sys, "stdout", Terminal())
    with Bar(3, "task", show=0) as bar:
        bar.show(3)
    assert sys.stdout.getvalue() == ""
    monkeypatch.setattr(sys, "stdout", None)  # it is closed
    with Bar(3, "task") as bar:
        bar.show(1, "loss 1")
        bar.say("a line")
