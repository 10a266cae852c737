"""What a process prints while TensorFlow loads."""

import os
import signal
import subprocess
import sys

import pytest


def run(code: str) -> tuple[int, str]:
    """The exit status and the errors of a process that holds back."""
    code = (
        "import os, sys\nfrom reptile_tf.utils import log\n"
        "with log.held_back():\n"
        "    os.write(2, b'no cuda\\n')\n"
        f"    {code}\n"
        "os.write(2, b'after\\n')\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    return process.returncode, process.stderr


def test_what_is_printed_is_kept_back():
    assert run("print('warning', file=sys.stderr)") == (0, "after\n")


def test_a_failure_shows_all_of_it():
    status, errors = run("raise ImportError('undefined symbol')")
    assert status == 1 and errors.startswith("no cuda\nTraceback")
    assert errors.endswith("ImportError: undefined symbol\n")


def test_a_death_shows_all_of_it():
    """As of a library that was built for another processor."""
    status, errors = run("os.abort()")
    assert status == -signal.SIGABRT and errors == "no cuda\n"


def test_a_closed_standard_error_is_no_hindrance(tmp_path):
    command = (
        f"{sys.executable} -c 'from reptile_tf.utils import log\n"
        "with log.held_back(): print(1)' 2>&-"
    )
    process = subprocess.run(
        ["sh", "-c", command], stdout=subprocess.PIPE, text=True
    )
    assert (process.returncode, process.stdout) == (0, "1\n")


@pytest.mark.parametrize("flag, quiet", [("", True), ("--verbosity=1", False)])
def test_a_command_prints_what_was_asked_for(tmp_path, flag, quiet):
    """Without settings of the environment that silence TensorFlow."""
    silent = ("TF_CPP_MIN_LOG_LEVEL", "TF_CPP_MAX_LOG_LEVEL")
    process = subprocess.run(
        [
            *(sys.executable, "-m", "reptile_tf", "train", "--preset=sine"),
            *(f"--run_dir={tmp_path}", "--outer_iterations=2"),
            *("--eval_every=1", "--inner_steps=1", "--eval_inner_steps=1"),
            *("--num_validation_tasks=2", *filter(None, [flag])),
        ],
        capture_output=True,
        text=True,
        check=True,
        env={k: v for k, v in os.environ.items() if k not in silent},
    )
    first, second, finished, *_ = process.stdout.splitlines()
    for made, line in enumerate((first, second), 1):
        assert line.startswith(f"{made} of 2: loss ")
        assert line.endswith(" (2 tasks)")
    assert finished == f"Finished: 2 outer iterations, in {tmp_path}."
    assert (process.stderr == "") == quiet
