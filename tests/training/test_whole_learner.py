"""A learner is whole wherever an interrupt, a signal or an error falls."""

import copy
import multiprocessing
import os
import pickle
import signal
import threading
import time

import keras
import numpy as np
import pytest
from toys import Constants, regression, snapshot

import reptile_tf as rt


def sine_learner():
    keras.utils.set_random_seed(0)
    return rt.MetaLearner(
        rt.models.sine_mlp(),
        # Both have state that must move with phi.
        inner_optimizer=rt.Adam(1e-3),
        meta_optimizer=keras.optimizers.Adam(1e-3),
        loss="mean_squared_error",
        metric="mean_squared_error",
        inner_steps=2,
        meta_batch_size=2,
    )


def raise_at_random(learner, tasks, count, seed=0):
    """Lets a timer raise in so many trainings; returns how many it stopped."""

    def interrupt(number, frame):
        del number, frame
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    draws, stopped = np.random.default_rng(seed), 0
    try:
        while stopped < count:
            try:
                signal.setitimer(signal.ITIMER_REAL, draws.uniform(1e-4, 0.2))
                learner.fit(tasks, learner.iteration + 1000, verbose=0)
            except KeyboardInterrupt:
                stopped += 1
            assert learner.iteration == learner.meta_optimizer.iterations
            # Two tasks an iteration, and two steps a task.
            assert int(learner.inner_state.step) == 4 * learner.iteration
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.long
@pytest.mark.parametrize("count", [50, 1000])
def test_interrupts_find_the_learner_whole(count):
    learner, tasks = sine_learner(), rt.SineWaves(10)
    learner.fit(tasks, 1, verbose=0)  # compiles
    raise_at_random(learner, tasks, count)
    made = learner.iteration
    assert made > count
    undisturbed = sine_learner()
    learner.fit(tasks, made + 1, verbose=0)
    undisturbed.fit(tasks, made + 1, verbose=0)
    for one, other in zip(
        snapshot(learner), snapshot(undisturbed), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@keras.saving.register_keras_serializable("test_whole_learner")
def halved(y, outputs):
    return keras.ops.mean((y - outputs) ** 2, -1) / 2


def trained(**settings):
    learner = regression(inner_steps=1, loss=halved, **settings)
    learner.fit(TASKS, 3, verbose=0)
    learner.evaluate(TASKS, 2)
    return learner


TASKS = Constants(*range(200))


def train_on(learner, connection):
    learner.fit(TASKS, 5, verbose=0)
    connection.send(snapshot(learner))


def test_a_learner_is_copied_and_sent_whole():
    learner = trained(meta_optimizer=keras.optimizers.Adam(0.1))
    before = snapshot(learner)
    copies = [
        pickle.loads(pickle.dumps(learner)),
        copy.deepcopy(learner),
        copy.copy(learner),
    ]
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=train_on, args=(learner, there))
    process.start()
    for other in copies:
        np.testing.assert_equal(snapshot(other), before)
        other.fit(TASKS, 5, verbose=0)
    # It is another one: what they did is nothing to the first.
    np.testing.assert_equal(snapshot(learner), before)
    learner.fit(TASKS, 5, verbose=0)
    for other in copies:
        np.testing.assert_equal(snapshot(other), snapshot(learner))
    assert here.poll(120)
    np.testing.assert_equal(here.recv(), snapshot(learner))
    process.join()


@pytest.mark.parametrize(
    "callback, remedy",
    [
        (keras.callbacks.BackupAndRestore("backup"), "use reptile_tf.Checkpoi"),
        (
            keras.callbacks.EarlyStopping("loss", restore_best_weights=True),
            "restore_best_weights=False",
        ),
        (keras.callbacks.SwapEMAWeights(), "use_ema=True"),
    ],
)
def test_callbacks_that_would_write_phi_alone_are_refused(callback, remedy):
    learner = regression(inner_steps=1)
    name = type(callback).__name__
    with pytest.raises(ValueError, match=f"{name} puts other.*{remedy}"):
        learner.fit(TASKS, 2, callbacks=[callback], verbose=0)
    assert learner.iteration == 0


def test_the_average_of_phi_is_phi_at_the_end_as_in_keras(tmp_path):
    average = keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    learner = regression(meta_optimizer=average, inner_steps=1)
    tasks = Constants(*[8.0] * 10)
    checkpoint = rt.Checkpoint(learner, tmp_path, every=1)
    learner.fit(tasks, 2, callbacks=[checkpoint], verbose=0)
    # phi is 4, then 6, as a step halves the distance; the average of the first
    # is itself.
    saved = rt.MetaLearner.load(tmp_path / "iteration-00000002.zip")
    for each in learner, saved:
        assert each.model.get_weights()[0].item() == 0.5 * 4 + 0.5 * 6


def test_a_callback_that_raises_leaves_the_learner_whole():
    def fail(batch, logs):
        raise RuntimeError("mine")

    learner = regression(inner_steps=1, meta_batch_size=1)
    failing = keras.callbacks.LambdaCallback(on_train_batch_end=fail)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="mine"):
            learner.fit(TASKS, 9, callbacks=[failing], verbose=0)
    assert learner.iteration == learner.meta_optimizer.iterations == 2
    other = regression(inner_steps=1, meta_batch_size=1)
    other.fit(TASKS, 2, verbose=0)
    np.testing.assert_equal(snapshot(learner), snapshot(other))


class Slow(keras.callbacks.Callback):
    """Sends signals when an evaluation has begun, or an iteration ended.

    Each event is given the signals to send the first time, the second, ...
    """

    def __init__(self, **numbers):
        super().__init__()
        self._numbers = numbers

    def on_train_batch_end(self, batch, logs=None):
        self._send("iteration")

    def on_test_batch_begin(self, batch, logs=None):
        self._send("evaluation")

    def _send(self, when):
        times = self._numbers.get(when)
        for number in times.pop(0) if times else ():
            os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    "number, epoch, kept",
    [(signal.SIGINT, 4, 3), (signal.SIGHUP, 4, 3), (signal.SIGINT, 1, 2)],
)
def test_a_signal_in_an_evaluation_stops_it_and_loses_one_iteration(
    tmp_path, number, epoch, kept
):
    def train(learner, folder, *callbacks):
        with rt.Checkpoint(learner, folder, every=100) as checkpoint:
            learner.fit(
                TASKS,
                8,
                iterations_per_epoch=epoch,
                validation_tasks=TASKS,
                num_validation_tasks=150,
                callbacks=[*callbacks, checkpoint],
                verbose=0,
            )
        return checkpoint

    learner = regression(inner_steps=1)
    # Of an epoch of 1, the third evaluation; each has three batches.
    before = [[]] * 6 if epoch == 1 else []
    checkpoint = train(learner, tmp_path, Slow(evaluation=[*before, [number]]))
    assert checkpoint.signal == number
    newest = max(path.name for path in tmp_path.iterdir())
    assert newest == f"iteration-{kept:08d}.zip"
    resumed = rt.MetaLearner.load(tmp_path / newest)
    train(resumed, tmp_path)
    straight = regression(inner_steps=1)
    train(straight, tmp_path / "straight")
    np.testing.assert_equal(snapshot(resumed), snapshot(straight))


def test_a_second_signal_ends_all_at_once(tmp_path):
    learner = regression(inner_steps=1)
    twice = Slow(iteration=[[signal.SIGINT, signal.SIGINT]])
    with pytest.raises(KeyboardInterrupt):
        with rt.Checkpoint(learner, tmp_path) as checkpoint:
            learner.fit(TASKS, 9, callbacks=[twice, checkpoint], verbose=0)
    assert learner.iteration == learner.meta_optimizer.iterations == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_ignored_signal_stays_ignored_and_threads_have_none(tmp_path):
    learner = regression(inner_steps=1)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        hung_up = Slow(iteration=[[signal.SIGHUP]])
        with rt.Checkpoint(learner, tmp_path) as checkpoint:
            learner.fit(TASKS, 2, callbacks=[hung_up, checkpoint], verbose=0)
        assert checkpoint.signal is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)

    def elsewhere():
        with rt.Checkpoint(learner, tmp_path) as checkpoint:
            learner.fit(TASKS, 4, callbacks=[checkpoint], verbose=0)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert learner.iteration == 4
    assert (tmp_path / "iteration-00000004.zip").exists()


def test_a_long_evaluation_is_left_within_two_seconds():
    """One task takes half a minute; it is not waited for."""
    learner = regression(inner_steps=1)
    learner.evaluate(TASKS, 2, steps=1)  # compiles
    began = time.monotonic()
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        learner.evaluate(TASKS, 2, steps=2_000_000)
    assert time.monotonic() - began < 3.0
    [score] = learner.evaluate(TASKS, 2)  # and it goes on
    assert score.num_tasks == 2
