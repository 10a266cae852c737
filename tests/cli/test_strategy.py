"""--strategy: the same numbers, from several devices."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

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
    [line] = process.stderr.splitlines()
    assert line.startswith("reptile-tf train: ")
    assert "use meta_batch_mode=parallel" in line
    assert not (tmp_path / "run").exists()


class Workers:
    """Processes of one training, each with a run folder of its own."""

    def __init__(self, folder, *flags, differently=(), count=2):
        with contextlib.ExitStack() as stack:
            ports = []
            for _ in range(count):
                each = stack.enter_context(socket.socket())
                each.bind(("127.0.0.1", 0))
                ports.append(each.getsockname()[1])
        self.folder = folder
        self.running = []
        for index in range(count):
            config = {
                "cluster": {"worker": [f"127.0.0.1:{port}" for port in ports]},
                "task": {"type": "worker", "index": index},
            }
            self.running.append(
                subprocess.Popen(
                    [
                        *(sys.executable, "-m", "reptile_tf", *TINY),
                        *("--meta_batch_mode=parallel", *flags),
                        *("--strategy=multi_worker", "--start_timeout=60"),
                        *(differently if index else ()),
                        f"--run_dir={folder}/{index}",
                    ],
                    env=os.environ | {"TF_CONFIG": json.dumps(config)},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )

    def wait_for_checkpoint(self):
        """Waits until the chief has saved a new one, and all train on."""
        end, before = time.monotonic() + 240, self.checkpoints()
        while self.checkpoints() <= before:
            assert time.monotonic() < end
            assert {process.poll() for process in self.running} == {None}
            time.sleep(0.05)

    def checkpoints(self):
        """Returns those that the chief has."""
        return {p.name for p in self.folder.glob("0/checkpoints/*.zip")}

    def ended(self, seconds=240):
        """Returns the exit status of each, and the lines it printed."""
        found = []
        for process in self.running:
            text, _ = process.communicate(timeout=seconds)
            found.append((process.returncode, text.splitlines()))
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.running:
            process.kill()
            process.communicate()


def weights(run_dir):
    newest = max((run_dir / "checkpoints").glob("*.zip"))
    return MetaLearner.load(newest).model.get_weights()


def test_processes_that_were_started_differently_do_not_begin(tmp_path):
    differently = ["--seed=1", "--inner_steps=7", "--intra_op_threads=2"]
    with Workers(tmp_path, differently=differently) as workers:
        for status, lines in workers.ended():
            assert status == 1
            assert "worker 1 (127.0.0.1:" in lines[-1]
            assert (
                "was started otherwise: inner_steps=7 (worker 0 has 32), "
                "intra_op_threads=2 (worker 0 has 1), seed=1 (worker 0 has 0)"
            ) in lines[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.long
@pytest.mark.parametrize(
    "counts, stopped", [([2, 1], 0), ([2, 3, 1], 1), ([1, 3], 0)]
)
def test_processes_that_are_stopped_go_on_as_others(tmp_path, counts, stopped):
    longer = ["--outer_iterations=3000", "--eval_every=1500"]
    for count in counts[:-1]:
        with Workers(
            tmp_path, *longer, "--checkpoint_every=5", count=count
        ) as workers:
            workers.wait_for_checkpoint()
            workers.running[stopped].send_signal(signal.SIGTERM)
            for status, lines in workers.ended():
                assert status == 128 + signal.SIGTERM
                assert (
                    lines[-1] == "Stopped and saved; the same command resumes."
                )
        assert [path.name for path in tmp_path.iterdir()] == ["0"]
    with Workers(tmp_path, *longer, count=counts[-1]) as workers:
        assert {status for status, _ in workers.ended()} == {0}
    run_command(
        *(*TINY, "--meta_batch_mode=parallel", *longer),
        f"--run_dir={tmp_path}/one",
    )
    for a, b in zip(
        weights(tmp_path / "0"), weights(tmp_path / "one"), strict=True
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.long
@pytest.mark.parametrize("killed", [0, 1])
def test_a_process_that_is_killed_ends_the_others(tmp_path, killed):
    longer = ["--outer_iterations=300000", "--eval_every=1000"]
    with Workers(tmp_path, *longer, "--checkpoint_every=5", count=3) as workers:
        workers.wait_for_checkpoint()
        workers.running[killed].kill()
        start = time.monotonic()
        found = workers.ended()
        assert time.monotonic() - start < 30
    del found[killed]
    for status, lines in found:
        assert status == 1
        assert f"worker {killed} (127.0.0.1:" in lines[-1]
        assert "is gone; what it said last tells why" in lines[-1]
        assert "the same command on all workers resumes" in lines[-1]
        assert not any("Traceback" in line for line in lines)
    with Workers(tmp_path, *longer, "--checkpoint_every=5") as workers:
        workers.wait_for_checkpoint()  # they go on
