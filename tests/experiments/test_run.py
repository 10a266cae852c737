"""A run folder: what may be tried again, and what its history says."""

import csv
import dataclasses
import json
import os
import signal

import keras
import pytest

from reptile_tf import MetaLearner, Score
from reptile_tf.experiments.presets import PRESETS
from reptile_tf.experiments.run import Run

pytestmark = pytest.mark.usefixtures("eagerly")

TINY = dataclasses.replace(
    PRESETS["sine"],
    inner_steps=1,
    inner_batch_size=2,
    eval_inner_steps=1,
    outer_iterations=4,
)


def test_settings_that_were_refused_do_not_claim_the_folder(
    tmp_path, monkeypatch
):
    """The command is put right and given again, for the same folder."""
    monkeypatch.setattr(MetaLearner, "evaluate", lambda *_: [])
    wrong = dataclasses.replace(TINY, dataset="tfds:no_such_set")
    with pytest.raises(ValueError, match="no_such_set"):
        Run(tmp_path, wrong, 0).train()
    run = Run(tmp_path, TINY, 0)
    assert run.train(eval_every=4, num_validation_tasks=2) is None
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["dataset"] == "sine"


def test_a_stop_within_an_epoch_leaves_a_history_of_whole_epochs(
    tmp_path, monkeypatch
):
    """Its columns are those of a run that was never stopped."""
    score = Score.of("support", "mean_squared_error", [1.0, 2.0])
    monkeypatch.setattr(MetaLearner, "evaluate", lambda *_: [score])

    def terminate(batch, logs):
        if batch == 0:
            os.kill(os.getpid(), signal.SIGTERM)

    stop = keras.callbacks.LambdaCallback(on_train_batch_begin=terminate)
    run = Run(tmp_path, TINY, 0)
    arguments = {"eval_every": 2, "num_validation_tasks": 2}
    assert run.train(**arguments, callbacks=[stop]) == signal.SIGTERM
    assert run.train(**arguments) is None
    with open(tmp_path / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    for row in rows:
        assert None not in row  # more cells than columns
        for name in (
            "loss",
            "val_support_mean_squared_error",
            "val_support_ci95",
        ):
            assert float(row[name]) >= 0


# Keras's CSVLogger closes its file only at the end of a training.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_epoch_whose_evaluation_was_cut_short_is_evaluated_after_all(
    tmp_path, monkeypatch
):
    """As if killed there: checkpoints and epochs end at the same iteration."""
    run = Run(tmp_path, TINY, 0)
    arguments = {
        "checkpoint_every": 1,
        "eval_every": 2,
        "num_validation_tasks": 2,
    }
    with monkeypatch.context() as patch:
        patch.setattr(MetaLearner, "evaluate", None)  # raises, when called
        with pytest.raises(TypeError):
            run.train(**arguments)
    assert run.learner().iteration == 1
    assert run.train(**arguments) is None
    with open(tmp_path / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]


def test_a_signal_in_the_last_iteration_stops_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(MetaLearner, "evaluate", lambda *_: [])

    def terminate(batch, logs):
        if batch == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    stop = keras.callbacks.LambdaCallback(on_train_batch_begin=terminate)
    run = Run(tmp_path, TINY, 0)
    assert (
        run.train(eval_every=4, num_validation_tasks=2, callbacks=[stop])
        is None
    )
    assert run.learner().iteration == 4


def test_epochs_of_another_length_contradict_the_run(tmp_path, monkeypatch):
    """The history's lines would not say which iterations they are of."""
    monkeypatch.setattr(MetaLearner, "evaluate", lambda *_: [])
    run = Run(tmp_path, TINY, 0)
    run.train(eval_every=4, num_validation_tasks=2)
    with pytest.raises(ValueError, match=r"eval_every=2 \(the run has 4\)"):
        run.train(eval_every=2, num_validation_tasks=2)
