"""What commands print on terminals, in pipes, and where nobody listens."""

import os
import subprocess
import sys
import types

import pytest
from terminal import bars, on_terminal

from reptile_tf.cli import main as cli
from reptile_tf.cli import output

COMMAND = [sys.executable, "-m", "reptile_tf"]


def test_a_training_is_a_line_an_epoch_on_80_columns(tmp_path):
    words = (
        *("--preset=sine", "--outer_iterations=60", "--meta_batch_size=1"),
        *("--inner_steps=1", "--eval_inner_steps=1", "--eval_every=30"),
        *("--num_validation_tasks=2", f"--run_dir={tmp_path}"),
    )
    written = on_terminal([*COMMAND, "train", *words], 80)
    assert "\x1b" not in written
    for made in 0, 30, 60:  # of the whole run
        start = f"{made}/60 iterations"
        assert any(state.startswith(start) for state in bars(written))
    assert max(map(len, bars(written))) <= 79
    seen = [line.split("\r")[-1] for line in written.split("\r\n")]
    begun = [line.partition(":")[0] for line in seen[:-1]]
    assert begun[:3] == ["30 of 60", "60 of 60", "Finished"]
    assert (len(begun), begun[-1]) == (8, "Next")


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"]])
def test_whoever_reads_the_help_may_stop(words):
    """As `reptile-tf --help | head -1` does."""
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run(
        [*COMMAND, *words],
        stdout=writing,
        stderr=subprocess.PIPE,
        # Else it would fail at once, and not at the end.
        env={k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"},
    )
    os.close(writing)
    assert process.stderr == b""
    assert process.returncode == 141  # as of a program that SIGPIPE ends


def test_a_pipe_that_breaks_is_no_fault_of_a_command(monkeypatch):
    def main():
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(cli, "_start_tensorflow", lambda: None)
    monkeypatch.setattr(output, "_drop", lambda: None)
    with pytest.raises(SystemExit) as ended, output.minded():
        cli._run("train", types.SimpleNamespace(main=main))
    assert ended.value.code == 141


@pytest.mark.parametrize(
    "shell, code, told",
    [
        ("train --help >&- <&-", 0, ""),
        ("--help >&- 2>&- <&-", 0, ""),
        (
            "--help >/dev/full",
            1,
            "reptile-tf: what it prints cannot be written: [Errno 28] No space "
            "left on device\n",
        ),
    ],
)
def test_a_closed_or_full_standard_output_is_no_traceback(shell, code, told):
    process = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m reptile_tf {shell}"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert (process.returncode, process.stderr) == (code, told)


def test_no_file_takes_the_place_of_a_stream_that_is_closed(tmp_path):
    code = (
        "from reptile_tf.cli.output import minded\n"
        "with minded():\n"
        f"    file = open({str(tmp_path / 'x')!r}, 'w')\n"
        "    print('to nobody')\n"
        "    assert file.fileno() > 2\n"
    )
    line = f"exec {sys.executable} -c '$0' >&- <&-".replace("'$0'", '"$0"')
    assert subprocess.run(["sh", "-c", line, code]).returncode == 0
    assert (tmp_path / "x").read_text() == ""


def test_python_without_docstrings_says_the_same():
    words = ["-m", "reptile_tf", "train", "--help"]
    kept, dropped = (
        subprocess.check_output([sys.executable, *options, *words])
        for options in ([], ["-OO"])
    )
    assert kept == dropped
