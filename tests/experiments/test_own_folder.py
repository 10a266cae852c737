"""A run folder is one process's own while it is trained into."""

import dataclasses
import errno
import os
import subprocess
import sys

import keras
import pytest

from reptile_tf.experiments import run as run_module
from reptile_tf.experiments.presets import PRESETS
from reptile_tf.experiments.run import Run
from reptile_tf.training.checkpoints import newest, newest_iteration
from reptile_tf.utils.files import NotWrittenError

pytestmark = pytest.mark.usefixtures("eagerly")

TINY = dataclasses.replace(
    PRESETS["sine"],
    inner_steps=1,
    inner_batch_size=2,
    eval_inner_steps=1,
    outer_iterations=4,
)
HOLD = """
import pathlib, sys
from reptile_tf.utils import locks
with locks.held(pathlib.Path(sys.argv[1], "train.lock"), ""):
    print("held", flush=True)
    sys.stdin.read()
"""


def train(run, *callbacks):
    return run.train(
        checkpoint_every=1,
        num_validation_tasks=2,
        callbacks=callbacks,
        verbose=0,
    )


def test_a_second_process_is_refused_by_name_until_the_first_is_dead(tmp_path):
    run = Run(tmp_path, TINY, 0)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(TimeoutError, match=f"process {other.pid} on .*let"):
            train(run)
        assert not (tmp_path / "config.json").exists()
        other.kill()
    assert train(run) is None
    assert run.learner().iteration == 4


def test_what_another_process_trained_meanwhile_is_not_trained_again(
    tmp_path, monkeypatch
):
    """It ended while this one was reading its data."""
    found = iter([0, 3])
    monkeypatch.setattr(
        run_module.checkpoints, "newest_iteration", lambda _: next(found)
    )
    with pytest.raises(ValueError, match="by another process just now"):
        train(Run(tmp_path, TINY, 0))


# Keras's CSVLogger closes its file only at the end of a training.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_folder_that_is_moved_is_missed_and_found_again(tmp_path):
    there, elsewhere = tmp_path / "run", tmp_path / "elsewhere"

    def move(batch, logs):
        if batch == 2:
            os.rename(there, elsewhere)

    mover = keras.callbacks.LambdaCallback(on_train_batch_begin=move)
    one_epoch = dataclasses.replace(TINY, outer_iterations=5)
    run = Run(there, one_epoch, 0)
    with pytest.raises(FileNotFoundError, match="run_dir=.*was moved"):
        run.train(1, 5, 2, [mover], verbose=0)
    assert not there.exists()
    assert newest_iteration(elsewhere / "checkpoints") == 2
    assert Run.open(elsewhere).train(1, verbose=0) is None
    assert newest(elsewhere / "checkpoints").iteration == 5


def test_scores_are_shown_before_a_folder_refuses_them(tmp_path, monkeypatch):
    run = Run(tmp_path, TINY, 0)
    train(run)

    def refuse(path, content):
        raise NotWrittenError(path, OSError(errno.EROFS, "Read-only"))

    monkeypatch.setattr(run_module, "write_json", refuse)
    shown = []
    with pytest.raises(NotWrittenError, match="evaluation.json"):
        run.evaluate(2, show=shown.extend)
    assert [score.num_tasks for score in shown] == [2]
