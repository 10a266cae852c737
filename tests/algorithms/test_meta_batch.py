"""Adam's state: through training, in both meta-batch modes; in evaluation."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import op_def_registry
from toys import Constants, dense, one_weight, regression, snapshot, weight

from reptile_tf import Adam, Episodes, MetaLearner
from reptile_tf.models import BatchNormalization
from reptile_tf.training.settings import EVALUATION_MODES
from reptile_tf.utils import machine

RATE, BETA_2, EPSILON = 0.1, 0.999, 1e-8
TARGETS = 3.0, 2.0, 5.0, 0.5, 4.0, 2.5
STEPS = 3  # k
TASKS = 2  # n


def adapt(w, second, t, c):
    """One task of `Constants` with Adam, by hand: returns w, second, t."""
    for _ in range(STEPS):
        gradient = 2 * (w - c)
        t += 1
        second = BETA_2 * second + (1 - BETA_2) * gradient**2
        corrected = np.sqrt(second / (1 - BETA_2**t))
        w -= RATE * gradient / (corrected + EPSILON)
    return w, second, t


def serial(phi, second, t, targets):
    """The tasks in order, the state running through them all."""
    found = []
    for c in targets:
        w, second, t = adapt(phi, second, t, c)
        found.append(w)
    return np.mean(found), second, t


def parallel(phi, second, t, targets):
    """The tasks from one state; the mean of their states goes on."""
    found = [adapt(phi, second, t, c) for c in targets]
    return tuple(np.mean(found, 0))


@pytest.mark.parametrize(
    "mode, by_hand", [("serial", serial), ("parallel", parallel)]
)
def test_adams_state_runs_through_training(mode, by_hand):
    learner = regression(
        one_weight(dtype="float64"),
        inner_optimizer=Adam(RATE, 0.0, BETA_2, EPSILON),
        inner_steps=STEPS,
        meta_batch_size=TASKS,
        meta_batch_mode=mode,
    )
    tasks = Constants(*TARGETS)
    phi, second, t = 0.0, 0.0, 0
    for i in range(3):
        learner.fit(tasks, i + 1, verbose=0)
        targets = TARGETS[TASKS * i : TASKS * (i + 1)]
        phi, second, t = by_hand(phi, second, t, targets)
        np.testing.assert_allclose(weight(learner.model), phi, rtol=1e-6)
        np.testing.assert_allclose(
            learner.inner_state.second, [second], rtol=1e-6
        )
    per_iteration = STEPS * TASKS if mode == "serial" else STEPS
    assert learner.inner_state.step == t == 3 * per_iteration


@pytest.mark.parametrize(
    "mode, cores, loops, at_a_time",
    [
        ("serial", 2, 2, 5),  # of tasks, and of inner steps
        ("parallel", 5, 2, 5),
        ("parallel", 2, 1, 2),  # of five tasks' steps in turn
    ],
)
def test_no_loop_touches_a_variable(
    mode, cores, loops, at_a_time, classes, monkeypatch
):
    """TensorFlow would run its iterations, the tasks, one after another."""
    monkeypatch.setattr(machine, "operations_at_a_time", lambda: cores)
    model = dense(BatchNormalization(), keras.layers.Dropout(0.2))
    learner = MetaLearner(
        model,
        inner_steps=2,
        inner_batch_size=4,
        meta_batch_size=5,
        meta_batch_mode=mode,
    )
    tasks = Episodes(classes, ways=3, shots=2)
    index, state = tf.constant(0, tf.int64), learner.inner_state
    made_of = tasks.ingredients
    training = learner._outer_loop.compiled(tasks)
    testing = learner.evaluator.compiled(tasks, EVALUATION_MODES)
    for graph, least, most in (
        (training.traced(index, state, made_of).graph, loops, at_a_time),
        (
            testing.traced(
                *(learner.functional.phi(), state, tf.constant(2), index[None]),
                made_of,
            ).graph,
            2,
            cores,
        ),
    ):
        whole = graph.as_graph_def()
        functions = whole.library.function
        bodies = [f for f in functions if "while" in f.signature.name]
        assert len(bodies) >= 2 * least  # each has a body and a condition
        used = {node.op for body in bodies for node in body.node_def}
        nodes = [*whole.node, *(n for f in bodies for n in f.node_def)]
        found = [n for n in nodes if "While" in n.op]
        assert {n.op for n in found} == {"StatelessWhile"}
        side_by_side = {n.attr["parallel_iterations"].i for n in found}
        assert most in side_by_side
        stateful = {op for op in used if op_def_registry.get(op).is_stateful}
        assert not stateful


def test_with_sgd_the_modes_are_the_same():
    found = []
    for mode in ("serial", "parallel"):
        learner = regression(
            inner_steps=2, meta_batch_size=3, meta_batch_mode=mode
        )
        learner.fit(Constants(1, 2, 3, 4, 5, 6), 2, verbose=0)
        assert learner.inner_state == ()
        found.append(weight(learner.model))
    assert found[0] == found[1]


def test_evaluation_starts_from_adams_present_state():
    """Each task from the state training left, none from another task's."""
    learner = regression(
        one_weight(dtype="float64"),
        inner_optimizer=Adam(RATE, 0.0, BETA_2, EPSILON),
        inner_steps=STEPS,
        meta_batch_size=TASKS,
    )
    learner.fit(Constants(*TARGETS), 2, verbose=0)
    phi, second, t = serial(0.0, 0.0, 0, TARGETS[:2])
    phi, second, t = serial(phi, second, t, TARGETS[2:4])
    tested = 6.0, 1.0, 0.25
    errors = [(adapt(phi, second, t, c)[0] - c) ** 2 for c in tested]
    [score] = learner.evaluate(Constants(*tested), 3)
    np.testing.assert_allclose(score.value, np.mean(errors), rtol=1e-5)
    fresh = [(adapt(phi, 0.0, 0, c)[0] - c) ** 2 for c in tested]
    assert abs(np.mean(fresh) / score.value - 1) > 0.01
    # The same for adapt, which users call.
    adapted = learner.adapt(np.ones([1, 1]), np.full([1, 1], 6.0))
    expected, _, _ = adapt(phi, second, t, 6.0)
    np.testing.assert_allclose(weight(adapted), expected, rtol=1e-6)


def test_evaluation_and_use_leave_no_trace(classes):
    """To the bit: phi, moving statistics, Adam's state, the optimizer."""
    model = dense(BatchNormalization(), keras.layers.Dropout(0.2))
    learner = MetaLearner(
        model,
        inner_optimizer=Adam(1e-3, 0.5),
        inner_steps=2,
        inner_batch_size=4,
        meta_batch_size=2,
        meta_optimizer=keras.optimizers.Adam(0.01),
    )
    tasks = Episodes(classes, ways=3, shots=2)
    learner.fit(tasks, 2, verbose=0)
    before, iteration = snapshot(learner), learner.iteration
    first = learner.evaluate(tasks, 4)
    task = tasks.sample(tf.constant(0, tf.int64))
    adapted = learner.adapt(task.support_x, task.support_y)
    after = snapshot(learner)
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)
    assert learner.iteration == iteration
    assert learner.model is model
    assert adapted is not model
    assert np.any(adapted.get_weights()[-2] != model.get_weights()[-2])
    assert learner.evaluate(tasks, 4) == first


@pytest.mark.parametrize("mode", ["serial", "parallel"])
def test_a_task_that_diverges_is_left_out_and_counted(mode):
    """The others move phi and the state as if it had not been there."""

    def learner(n, on_divergence="skip"):
        return regression(
            inner_optimizer=Adam(RATE),
            inner_steps=STEPS,
            meta_batch_size=n,
            meta_batch_mode=mode,
            on_divergence=on_divergence,
        )

    far = 1e30  # its squared error is infinite
    tasks = Constants(3.0, far, 2.0, far, far, far, 5.0, 1.0, far)
    skipping, without = learner(3), learner(2)
    history = skipping.fit(tasks, 3, iterations_per_epoch=1, verbose=0)
    assert history.history["skipped_tasks"] == [1, 3, 1]
    assert np.isnan(history.history["loss"]).tolist() == [0, 1, 0]
    without.fit(Constants(3.0, 2.0), 1, verbose=0)
    # The meta-batch of which nothing is left moves nothing.
    expected = without.fit(
        Constants(0.0, 0.0, 5.0, 1.0), 2, iterations_per_epoch=1, verbose=0
    )
    for one, other in zip(
        snapshot(skipping)[:-2], snapshot(without)[:-2], strict=True
    ):
        np.testing.assert_array_equal(one, other)
    loss = expected.history["loss"][-1]
    assert history.history["loss"][-1] == pytest.approx(loss)
    with pytest.raises(FloatingPointError, match="on_divergence=skip"):
        learner(3, "stop").fit(tasks, 1, verbose=0)
