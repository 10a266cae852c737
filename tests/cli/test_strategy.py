"""--strategy: the same numbers, from several devices."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from command import run_command

from reptile_tf import MetaLearner

TINY = (
    *("train", "--preset=sine", "--meta_batch_size=3"),
    *("--outer_iterations=4", "--num_validation_tasks=3", "--eval_every=2"),
)


def test_devices_train_what_one_trains(tmp_path):
    command = [*TINY, "--meta_batch_mode=parallel"]
    shared = ["--strategy=mirrored", "--logical_devices=2"]
    python = [sys.executable, "-m", "reptile_tf"]
    for words in (
        [*command, f"--run_dir={tmp_path}/two"],
        ["evaluate", f"--run_dir={tmp_path}/two", "--num_tasks=9"],
    ):
        subprocess.run([*python, *words, *shared], check=True, timeout=240)
    run_command(*command, f"--run_dir={tmp_path}/one")
    run_command("evaluate", f"--run_dir={tmp_path}/one", "--num_tasks=9")
    one, two = (tmp_path / name for name in ("one", "two"))
    first, second = (
        MetaLearner.load(folder / "checkpoints" / "iteration-00000004.zip")
        for folder in (one, two)
    )
    for a, b in zip(
        first.model.get_weights(), second.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    name = "evaluation.json"
    assert (one / name).read_text() == (two / name).read_text()
    losses = [
        [
            line.split(",")[1]
            for line in (folder / "history.csv").read_text().splitlines()
        ]
        for folder in (one, two)
    ]
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    "words, message",
    [
        (["--strategy=mirrored"], "finds none; --logical_devices=2 divides"),
        (["--logical_devices=2"], "needs --strategy=mirrored"),
        (
            ["--strategy=mirrored", "--logical_devices=2"],
            "must be said before TensorFlow does anything",
        ),
    ],
)
def test_devices_that_are_not_there_are_refused(tmp_path, words, message):
    tf.constant(0)  # TensorFlow has begun
    with pytest.raises(ValueError, match=message):
        run_command(*TINY, f"--run_dir={tmp_path}/run", *words)
    assert not (tmp_path / "run").exists()


def test_a_serial_run_is_refused_before_anything_is_written(tmp_path):
    command = [*TINY, f"--run_dir={tmp_path}/run"]
    shared = ["--strategy=mirrored", "--logical_devices=2"]
    python = [sys.executable, "-m", "reptile_tf"]
    process = subprocess.run(
        [*python, *command, *shared],
        stderr=subprocess.PIPE,
        text=True,
        timeout=240,
    )
    assert process.returncode == 1
    assert "use meta_batch_mode=parallel" in process.stderr
    assert not (tmp_path / "run").exists()
