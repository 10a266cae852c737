"""What a process prints while TensorFlow loads."""

import os
import subprocess
import sys

import pytest

from reptile_tf.utils import log


def test_what_is_printed_is_kept_to_itself(capfd):
    with log.held_back():
        os.write(2, b"could not find cuda drivers\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_a_failure_shows_all_of_it(capfd):
    with pytest.raises(ImportError), log.held_back():
        os.write(2, b"libcudart.so: undefined symbol\n")
        raise ImportError
    assert capfd.readouterr().err == "libcudart.so: undefined symbol\n"


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
    first, second, last = process.stdout.splitlines()
    for made, line in enumerate((first, second), 1):
        assert line.startswith(f"{made} of 2: loss ")
        assert line.endswith(" (2 tasks)")
    assert last == f"Finished: 2 outer iterations, in {tmp_path}."
    assert (process.stderr == "") == quiet
