"""Keras callbacks in `fit`, and what it shows."""

import csv
import math
import re
import sys

import keras
import numpy as np
import pytest
from events import steps
from terminal import Terminal, bars
from toys import Constants, dense, regression

from reptile_tf import Episodes, MetaLearner, TensorBoard
from reptile_tf.training.epoch_logs import EpochLogs


@pytest.fixture(scope="module")
def learner():
    """One learner for all tests that do not mind where it stands."""
    return regression(inner_steps=1, meta_batch_size=1)


TASKS = Constants(*range(100))


def test_iterations_are_batches_in_epochs(learner):
    seen = []
    callback = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: seen.append("begin"),
        on_epoch_begin=lambda epoch, logs: seen.append(("epoch", epoch)),
        on_train_batch_begin=lambda batch, logs: seen.append(batch),
        on_train_batch_end=lambda batch, logs: seen.append(set(logs)),
        on_epoch_end=lambda epoch, logs: seen.append(("end", set(logs))),
        on_train_end=lambda logs: seen.append("end"),
    )
    learner.iteration = 0
    history = learner.fit(
        TASKS, 3, iterations_per_epoch=2, callbacks=[callback], verbose=0
    )
    names = {"loss", "query_mse", "tasks_per_second"}
    assert seen == [
        "begin",
        ("epoch", 0),
        *(0, names),
        *(1, names),
        ("end", names),
        ("epoch", 1),
        *(0, names),
        ("end", names),
        "end",
    ]
    assert history.epoch == [0, 1]
    assert set(history.history) == names


def test_an_evaluation_is_told_as_keras_tells_it(learner):
    seen = []

    def note(name):
        return lambda *said, **more: seen.append((name, *said, *more.values()))

    names = ("begin", "batch_begin", "batch_end", "end")
    callback = keras.callbacks.Callback()
    for name in names:
        setattr(callback, f"on_test_{name}", note(name))
    callback.on_epoch_end = note("epoch")
    learner.iteration = 0
    learner.fit(
        TASKS,
        1,
        iterations_per_epoch=1,
        validation_tasks=TASKS,
        num_validation_tasks=60,
        callbacks=[callback],
        verbose=0,
    )
    assert [name for name, *_ in seen] == [
        "begin",
        *names[1:3] * 2,
        "end",
        "epoch",
    ]
    assert [said[0] for name, *said in seen if name == "batch_end"] == [0, 1]
    assert seen[-1][-1]["val_support_mse"] == pytest.approx(
        seen[-2][-1]["support_mse"]
    )
    told = len(seen)
    learner.evaluate(TASKS, 2, callbacks=[callback])
    assert len(seen) == told + 4


def test_a_users_callback_sees_phi_and_stops_the_training(learner):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            assert self.model is learner.model
            if batch == 2:
                self.model.stop_training = True

    learner.iteration = 0
    learner.fit(TASKS, 10, callbacks=[Stop()], verbose=0)
    assert learner.iteration == 3
    # The next call starts anew, as Keras's fit does.
    learner.fit(TASKS, 5, verbose=0)
    assert learner.iteration == 5


def test_a_callback_alone_is_one(learner):
    ended = []
    learner.fit(
        TASKS,
        learner.iteration + 1,
        callbacks=keras.callbacks.LambdaCallback(on_train_end=ended.append),
        verbose=0,
    )
    assert len(ended) == 1


def test_early_stopping_stops(learner):
    callback = keras.callbacks.EarlyStopping("loss", min_delta=1e6, patience=2)
    learner.iteration = 0
    learner.fit(
        TASKS, 20, iterations_per_epoch=2, callbacks=[callback], verbose=0
    )
    # The first epoch is the best so far; two more do not improve on it.
    assert learner.iteration == 6


def test_tensorboard_and_csv_write(learner, tmp_path):
    learner.iteration = 0
    learner.fit(
        TASKS,
        4,
        iterations_per_epoch=2,
        callbacks=[
            TensorBoard(tmp_path / "logs", update_freq=2, histogram_freq=2),
            keras.callbacks.CSVLogger(tmp_path / "history.csv"),
        ],
        verbose=0,
    )
    found = steps(tmp_path / "logs")
    assert found["epoch_loss"] == found["epoch_query_mse"] == [2, 4]
    assert found["batch_loss"] == [2, 4]
    [weights] = [name for name in found if name.endswith("/histogram")]
    assert found[weights] == [2]  # of the first of two epochs
    with open(tmp_path / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert {"loss", "query_mse", "tasks_per_second"} <= set(rows[0])


def test_the_progress_bar_and_the_validation_say_what_they_are(
    classes, monkeypatch
):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", Terminal())
    learner = MetaLearner(
        dense(), inner_steps=1, inner_batch_size=3, meta_batch_size=1
    )
    tasks = Episodes(classes, ways=3, shots=2)
    validation = Episodes(classes, ways=3, shots=2, seed=1)
    history = learner.fit(
        tasks,
        2,
        iterations_per_epoch=2,
        validation_tasks=validation,
        num_validation_tasks=3,
        verbose=1,
    )
    shown = sys.stdout.getvalue()
    # The bar, which is erased before the line.
    assert re.search(
        r"\r2/2 iterations, loss \d\.\d{4} .*\r +\r"
        r"2 of 2: loss \d\.\d{4}, "
        r"support accuracy [\d.]+% \+- [\d.]+% \(3 tasks\)\n",
        shown,
    )
    for name in ("loss", "query_accuracy", "tasks_per_second"):
        assert name in history.history
    assert {"val_support_accuracy", "val_support_ci95"} < set(history.history)
    # What was answered in the first task can be looked at.
    task = validation.sample(0)
    adapted = learner.adapt(task.support_x, task.support_y)
    answers = adapted(task.query_x).numpy().argmax(1)
    assert learner.evaluator.answers.tolist() == answers.tolist()


def test_a_bar_goes_on_where_the_training_was(learner, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", Terminal())
    learner.iteration = 32
    learner.fit(TASKS, 60, iterations_per_epoch=50)
    states = bars(sys.stdout.getvalue())
    assert states[0].startswith("32/60 iterations ")
    assert "? left" in states[0]
    assert states[-2].startswith("60/60 iterations, loss ")
    assert "50 of 60: loss " in sys.stdout.getvalue()


def test_an_epoch_of_two_calls_has_the_logs_of_all_its_iterations(learner):
    def losses(*stops):
        learner.iteration = 0
        learner.model.set_weights([np.zeros([1, 1])])
        for stop in stops:
            history = learner.fit(
                TASKS, stop, iterations_per_epoch=4, verbose=0
            )
        return history.history["loss"], history.history["query_mse"]

    straight = losses(6)
    assert [len(values) for values in straight] == [2, 2]
    assert losses(3, 6) == straight
    assert losses(4, 6) == tuple(values[1:] for values in straight)
    # An epoch of another length, which begins elsewhere.
    learner.fit(TASKS, 7, iterations_per_epoch=6, verbose=0)
    expected = learner.fit(TASKS, 8, iterations_per_epoch=1, verbose=0)
    again = losses(7), learner.fit(TASKS, 8, iterations_per_epoch=7, verbose=0)
    assert again[1].history["loss"] == expected.history["loss"]


def test_sums_that_no_learner_has_are_refused():
    good = EpochLogs()
    good.begin(50, 50)
    good.with_more({"loss": 1.0, "skipped_tasks": 2, "query_mse": math.nan})
    arrays = good.arrays()
    np.testing.assert_equal(EpochLogs.of_arrays(arrays).arrays(), arrays)
    assert EpochLogs.of_arrays({"inner/0": np.zeros(3)}).arrays() == {}
    for name in "epoch/first", "epoch/sum/loss":
        for bad in np.zeros(3), np.array("x"), np.full([2], np.nan):
            with pytest.raises(ValueError, match="must have numbers|NaN"):
                EpochLogs.of_arrays({**arrays, name: bad})


def test_the_line_of_a_stopped_training_counts_what_was_made(capsys):
    learner = regression(inner_steps=1, meta_batch_size=1)
    stop = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: setattr(
            learner.model, "stop_training", batch == 2
        )
    )
    learner.fit(Constants(*range(10)), 10, callbacks=[stop], verbose=2)
    assert capsys.readouterr().out.startswith("3 of 10: loss ")


def test_silent_means_silent(learner, capsys):
    learner.iteration = 0
    learner.fit(TASKS, 2, verbose=0)
    assert capsys.readouterr().out == ""
