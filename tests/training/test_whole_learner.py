"""A learner is whole wherever an interrupt, a signal or an error falls."""

import signal

import keras
import numpy as np
import pytest
from toys import snapshot

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


@pytest.mark.parametrize(
    "count", [50, pytest.param(1000, marks=pytest.mark.long)]
)
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
