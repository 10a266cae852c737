"""Labels and targets in the forms that users have them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from models_table import NUMBERS, SERIES, TABLE, sequential

import reptile_tf as rt
from reptile_tf.models.class_names import class_names_of
from reptile_tf.utils import random

L = keras.layers
LABELS = np.array([0, 1, 2, 0, 1, 2])


def learner(outputs=3, loss=None, metric=None, shape=(3,), **settings):
    keras.utils.set_random_seed(0)
    return rt.MetaLearner(
        sequential(shape, L.Dense(outputs)),
        loss=loss,
        metric=metric or (None if loss is None else "mse"),
        inner_optimizer=rt.SGD(0.1),
        inner_batch_size=6,
        **settings,
    )


def adapted(y, **about):
    return learner(**about).adapt(TABLE, y, steps=2).get_weights()[0]


@pytest.mark.parametrize(
    "y",
    [
        LABELS[:, None],
        np.eye(3)[LABELS],
        np.eye(3, dtype=int)[LABELS],
        LABELS.astype(float),
        LABELS.astype(np.uint8),
        list(LABELS),
        tf.constant(LABELS),
        list("abcabc"),
        np.array(list("abcabc")),
        np.array(list("abcabc"), object),
        tf.constant(list("abcabc")),
        [b"a", b"b", b"c", b"a", b"b", b"c"],
    ],
    ids=lambda y: f"{type(y).__name__}-{np.asarray(y).dtype}",
)
def test_labels_in_all_their_forms(y):
    np.testing.assert_array_equal(adapted(y), adapted(LABELS))


def test_names_stay_with_the_adapted_model(tmp_path):
    model = learner().adapt(TABLE, ["dog", "cat", "ant"] * 2, steps=1)
    assert model.class_names == ("ant", "cat", "dog")
    model.save(tmp_path / "a.keras")
    again = keras.saving.load_model(tmp_path / "a.keras")
    assert class_names_of(again) == ("ant", "cat", "dog")
    np.testing.assert_array_equal(again(TABLE), model(TABLE))


@pytest.mark.parametrize(
    "y, words",
    [
        (LABELS + 3, r"y must be labels.*0 to 2.*y\[0\] is 3"),
        (LABELS - 1.0, r"y\[0\] is -1.0"),
        (np.where(LABELS == 1, 0.7, LABELS), r"y\[1\] is 0.7"),
        (np.where(LABELS == 1, np.nan, LABELS), r"y\[1\] is nan"),
        (NUMBERS, r"shape \[n\], or one-hot.*\[n, 3\].*received \[6, 2\]"),
        (np.full([6, 3], 1 / 3), "labels of shape"),
        (list("abcdef"), r"6 classes.*3 outputs.*with_ways\(learner, 6\)"),
        (list("ababab"), r"2 classes.*3 outputs.*with_ways\(learner, 2\)"),
        ([None, 1, 2, 0, 1, 2], "y must be numbers"),
        (["a", 1, 2, 0, 1, 2], "y must be numbers"),
        ({"a": LABELS}, "y must be numbers|same length"),
        (LABELS[:5], "same length.*6 and 5"),
        (1, "same length.*one number"),
    ],
)
def test_labels_that_are_none(y, words):
    with pytest.raises(ValueError, match=words) as raised:
        adapted(y)
    assert len(str(raised.value)) < 250


@pytest.mark.parametrize(
    "loss, outputs, y, like",
    [
        ("mse", 1, LABELS, LABELS[:, None] * 1.0),
        ("mse", 1, LABELS[:, None], LABELS * 1.0),
        ("mse", 2, NUMBERS.astype(float), NUMBERS),
        ("mae", 1, list(NUMBERS[:, 0]), NUMBERS[:, :1]),
        ("binary_crossentropy", 1, LABELS > 0, (LABELS[:, None] > 0) * 1.0),
    ],
)
def test_targets_in_all_their_forms(loss, outputs, y, like):
    about = {"loss": loss, "outputs": outputs}
    np.testing.assert_array_equal(adapted(y, **about), adapted(like, **about))


@pytest.mark.parametrize(
    "loss, outputs, y, words",
    [
        ("mse", 1, NUMBERS, r"shape \[n, 1\].*mean_squared_error.*\[6, 2\]"),
        ("mse", 2, NUMBERS[:, :1], r"shape \[n, 2\].*received \[6, 1\]"),
        ("mse", 2, NUMBERS[:, 0], r"shape \[n, 2\].*received \[6\]"),
        ("mse", 1, [1, 2, np.inf, 0, 0, 0], r"finite.*y\[2, 0\] is inf"),
        ("binary_crossentropy", 1, LABELS, r"0 to 1.*y\[2, 0\] is 2"),
        ("categorical_crossentropy", 3, LABELS, "to_categorical.*Sparse"),
        ("mse", 1, list("abcabc"), "y must be numbers.*<U1"),
    ],
)
def test_targets_that_do_not_fit(loss, outputs, y, words):
    with pytest.raises(ValueError, match=words) as raised:
        adapted(y, loss=loss, outputs=outputs)
    assert len(str(raised.value)) < 250


@pytest.mark.parametrize("outputs, loss", [(3, None), (1, "mse")])
def test_two_calls_with_other_ranks(outputs, loss):
    one = learner(outputs, loss)
    labels = LABELS if loss is None else LABELS * 1.0
    first, second, third = (
        one.adapt(TABLE, y, steps=2).get_weights()[0]
        for y in (labels, labels[:, None], labels)
    )
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, third)


def test_a_loss_of_ones_own_may_take_any_targets():
    def weighted(y, outputs):
        return y[:, 1:] * keras.ops.square(y[:, :1] - outputs)

    one = learner(1, weighted, "mse")
    kernel = one.adapt(TABLE, NUMBERS, steps=1).get_weights()[0]
    assert not np.array_equal(kernel, one.model.get_weights()[0])
    kernels = [
        one.adapt(x, y, steps=1).get_weights()[0]
        for x, y in ((TABLE, NUMBERS), (TABLE[:4], NUMBERS[:4]))
    ]
    np.testing.assert_array_equal(kernels[0], kernel)


def test_a_loss_of_ones_own_may_be_given_other_ranks():
    """Then what is compiled for one is not made to fit both."""

    def distance(y, outputs):
        return keras.ops.square(
            keras.ops.reshape(y, (-1, y.shape[-1] if len(y.shape) > 1 else 1))
            - outputs
        )

    one, y = learner(1, distance, "mse"), NUMBERS[:, 0]
    kernels = [
        one.adapt(x, t, steps=1).get_weights()[0]
        for x, t in ((TABLE, y), (TABLE, y[:, None]), (TABLE, y))
    ]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    np.testing.assert_array_equal(kernels[0], kernels[2])


def test_a_label_for_each_step():
    one = learner(shape=(4, 3))
    y = np.arange(24).reshape(6, 4) % 3
    np.testing.assert_array_equal(
        *(
            one.adapt(SERIES, labels, steps=2).get_weights()[0]
            for labels in (y, np.eye(3)[y])
        )
    )
    with pytest.raises(ValueError, match=r"\[n, 4\].*received \[6\]"):
        one.adapt(SERIES, LABELS)
    with pytest.raises(ValueError, match=r"y\[1, 2\] is 5"):
        one.adapt(SERIES, np.where(np.arange(24).reshape(6, 4) == 6, 5, y))


class Later:
    """Tasks that are as they should be up to one, which has `y`."""

    def __init__(self, bad, y):
        self.bad, self.y = bad, tf.constant(y)

    def sample(self, index):
        y = tf.constant(LABELS, self.y.dtype)
        y = tf.where(tf.equal(index, self.bad), self.y, y)
        x = TABLE + tf.cast(index, tf.float32)
        return rt.Task(x, y, x, y, random.fold_in(0, index))


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("bad", [0, 3])
def test_a_wrong_label_of_a_task_is_told_in_one_sentence(bad, compiled):
    tasks = Later(bad, [0, 1, 2, 7, 1, 2])
    tf.config.run_functions_eagerly(not compiled)
    try:
        for use in (
            lambda one: one.fit(tasks, 4, verbose=0),
            lambda one: one.evaluate(tasks, 6),
        ):
            with pytest.raises(
                ValueError,
                match=rf"support_y of task {bad} must be labels.*\[3\] is 7",
            ) as raised:
                use(learner(meta_batch_size=2))
            assert len(str(raised.value)) < 250
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize(
    "y, words",
    [
        (LABELS * 1.0, "must be integer labels.*float"),
        (np.eye(3, dtype=int)[LABELS], r"integer labels of shape \[6\]"),
        (NUMBERS, "labels of shape"),
    ],
)
def test_tasks_have_labels_as_they_are_learned_from(y, words):
    def task(index):
        return TABLE + index, y, TABLE + index, y

    tasks = rt.tasks_from_function(task)
    for use in (
        lambda one: one.fit(tasks, 1, verbose=0),
        lambda one: one.evaluate(tasks, 2),
    ):
        with pytest.raises(ValueError, match=f"support_y of task 0.*{words}"):
            use(learner())


def test_inputs_that_are_not_finite_are_no_matter_of_the_learning_rate():
    def task(index):
        x = np.where(index == 5, np.nan, TABLE)
        return x, LABELS, TABLE, LABELS

    tasks = rt.tasks_from_function(task)
    with pytest.raises(ValueError, match="support_x of task 5 must be finite"):
        learner(meta_batch_size=2).fit(tasks, 4, verbose=0)
