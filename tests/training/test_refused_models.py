"""Models that cannot be learned with, and those changed behind the back."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from models_table import LABELS, NUMBERS, SERIES, TABLE, sequential

import reptile_tf as rt

L = keras.layers


def learner(model, **arguments):
    return rt.MetaLearner(
        model,
        **{
            "loss": "mse",
            "metric": "mse",
            "inner_optimizer": rt.SGD(0.1),
            "inner_batch_size": 6,
            **arguments,
        },
    )


class Counting(L.Layer):
    """Counts its calls in a weight that no gradient changes."""

    def build(self, shape):
        self.count = self.add_weight(
            shape=[], trainable=False, initializer="zeros", name="count"
        )

    def call(self, x):
        self.count.assign_add(1.0)
        return x + self.count


class Unclonable(L.Layer):
    """Keras cannot tell what it was made with."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function

    def call(self, x):
        return self.function(x)


@pytest.mark.parametrize(
    "layer, weight",
    [
        (L.BatchNormalization(renorm=True, name="norm"), "norm/moving_stddev"),
        (L.SpectralNormalization(L.Dense(3), name="unit"), "unit/vector_u"),
        (Counting(name="own"), "own/count"),
    ],
)
def test_state_that_steps_would_have_to_hand_on(layer, weight):
    model = sequential([3], layer, L.Dense(2))
    with pytest.raises(ValueError, match=f"{weight}.*not by gradients.*Freeze"):
        learner(model)


class Scaling(L.Layer):
    """Keeps a factor that its configuration does not tell."""

    factor = 1.0

    def call(self, x):
        return x * self.factor


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_clones_lack_is_no_silent_loss(when, tmp_path):
    layer = Scaling(name="scaling")
    model = sequential([3], layer, L.Dense(2))
    tasks = rt.tasks_from_function(lambda i: (TABLE, NUMBERS, TABLE, NUMBERS))
    if when == "before":
        layer.factor = 2.0
    one = learner(model)
    if when == "after":
        one.adapt(TABLE, NUMBERS)
        layer.factor = 2.0
    for use in (
        lambda: one.adapt(TABLE, NUMBERS, steps=0),
        lambda: one.fit(tasks, 1, verbose=0),
        lambda: one.evaluate(tasks, 2),
    ):
        with pytest.raises(ValueError, match="'scaling' keeps what is neither"):
            use()


def test_such_state_of_a_frozen_layer_is_no_hindrance():
    model = sequential(
        [3], L.BatchNormalization(renorm=True, trainable=False), L.Dense(2)
    )
    learner(model).adapt(TABLE, NUMBERS)


def test_a_layer_that_keras_cannot_clone():
    model = sequential([3], Unclonable(tf.sin), L.Dense(2), name="mine")
    with pytest.raises(ValueError, match="'mine' cannot be cloned.*config"):
        learner(model)


@pytest.mark.parametrize(
    "last, loss, words",
    [
        (
            L.Dense(2, "softmax", name="end"),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "'end'.*probabilities.*from_logits=False, or leave the activation",
        ),
        (
            L.Dense(2, "sigmoid"),
            keras.losses.BinaryCrossentropy(from_logits=True),
            "sigmoid.*from_logits=False, or leave the activation",
        ),
        (L.Dense(2, "sigmoid"), None, "sigmoid.*'binary_crossentropy', or"),
        (
            L.Dense(2),
            ["mse", "mse"],
            "loss must be one for all outputs, or",
        ),
        (
            L.Dense(2),
            keras.losses.MeanSquaredError(reduction="sum"),
            "reduction='sum'.*loss_reduction='mean'",
        ),
    ],
)
def test_losses_that_the_end_of_a_model_is_not_for(last, loss, words):
    model = sequential([3], last)
    with pytest.raises(ValueError, match=words):
        learner(model, loss=loss, loss_reduction="mean")


def test_a_metric_of_several_outputs():
    inputs = keras.Input([3])
    model = keras.Model(inputs, [L.Dense(2)(inputs), L.Dense(3)(inputs)])
    for metric in (None, "mse", ["mse", "mse"]):
        with pytest.raises(ValueError, match="metric.*None for the other"):
            learner(model, metric=metric)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"model": "resnet"}, "model must be a keras.Model"),
        ({"meta_optimizer": "sgd"}, "meta_optimizer.*Keras optimizer.*'sgd'"),
        ({"inner_steps": 2.5}, "inner_steps must be a whole number.*2.5"),
        ({"inner_steps": "3"}, "inner_steps must be a whole number.*'3'"),
    ],
)
def test_arguments_of_another_kind(arguments, words):
    arguments = {"model": sequential([3], L.Dense(2)), **arguments}
    with pytest.raises(ValueError, match=words):
        learner(**arguments)


def freeze(model):
    model.layers[1].trainable = False


def freeze_a_weight(model):
    model.layers[1].bias.trainable = False


def adapt_a_layer(model):
    model.layers[0].adapt(TABLE * 7 + 5)


def set_a_rate(model):
    model.layers[2].rate = 0.5


@pytest.mark.parametrize(
    "change, layer",
    [
        (freeze, "dense"),
        (freeze_a_weight, "dense"),
        (adapt_a_layer, "normalization"),
        (set_a_rate, "dropout"),
    ],
)
def test_a_model_that_was_changed_is_refused_at_the_next_use(
    change, layer, tmp_path
):
    model = sequential(
        [3],
        L.Normalization(name="normalization"),
        L.Dense(4, name="dense"),
        L.Dropout(0.1, name="dropout"),
        L.Dense(2),
    )
    one = learner(model)
    one.adapt(TABLE, NUMBERS)
    change(model)
    tasks = rt.tasks_from_function(lambda i: (TABLE, NUMBERS, TABLE, NUMBERS))
    for use in (
        lambda: one.adapt(TABLE, NUMBERS),
        lambda: one.fit(tasks, 1, verbose=0),
        lambda: one.evaluate(tasks, 2),
        lambda: one.export(tmp_path / "model"),
        lambda: one.save(tmp_path / "learner.zip"),
    ):
        with pytest.raises(ValueError, match=f"'{layer}.*changed.*another"):
            use()
    assert not list(tmp_path.iterdir())
    learner(model).adapt(TABLE, NUMBERS)


def test_weights_that_are_loaded_count_frozen_ones_too(tmp_path, eagerly):
    def made(seed):
        keras.utils.set_random_seed(seed)
        return sequential(
            [3], L.Normalization(), L.Dense(4, trainable=False), L.Dense(2)
        )

    other = made(1)
    other.save_weights(tmp_path / "a.weights.h5")
    model = made(0)
    one = learner(model)
    tasks = rt.tasks_from_function(lambda i: (TABLE, NUMBERS, TABLE, NUMBERS))
    one.evaluate(tasks, 2)
    model.load_weights(tmp_path / "a.weights.h5")
    expected = learner(other)
    np.testing.assert_allclose(
        one.adapt(TABLE, NUMBERS, steps=0)(TABLE), other(TABLE), rtol=1e-6
    )
    for use in (
        lambda it: it.evaluate(tasks, 2)[0].value,
        lambda it: it.fit(tasks, 1, verbose=0) and it.model.get_weights()[-1],
    ):
        np.testing.assert_array_equal(use(one), use(expected))


def test_no_input_is_silently_another(tmp_path):
    one = learner(sequential([4, 3], L.Flatten(), L.Dense(2)))
    for x, words in (
        (SERIES[:, :3], r"x must have inputs of shape \[4, 3\].*\[3, 3\]"),
        ({"a": SERIES}, "x must be the 1 inputs.*keys"),
        ([[[1.0, 2.0, 3.0]] * 4, [[1.0, 2.0]] * 4], "rows of one length"),
        (np.full([6, 4, 3], None), "array of numbers or of strings"),
        (np.where(SERIES == SERIES[2, 1, 0], np.nan, SERIES), r"x\[2, 1, 0\]"),
    ):
        with pytest.raises(ValueError, match=words):
            one.adapt(x, NUMBERS)


def test_several_inputs_are_named():
    left, right = keras.Input([3], name="left"), keras.Input([2], name="right")
    outputs = L.Dense(2)(L.Concatenate()([left, right]))
    one = learner(keras.Model([left, right], outputs))
    for x, words in (
        (TABLE, "x must be the 2 inputs.*'left', 'right'.*an array of shape"),
        ([TABLE, TABLE], r"x\[1\] must have inputs of shape \[2\].*\[3\]"),
        ([TABLE, NUMBERS[:5]], "same length"),
    ):
        with pytest.raises(ValueError, match=words):
            one.adapt(x, NUMBERS)


def test_ids_above_what_a_float_holds_stay_apart():
    """As whole numbers from the support set to the embedding."""
    ids = np.array([[1 << 24], [(1 << 24) + 1]])
    layer = L.IntegerLookup(vocabulary=ids.ravel())
    model = sequential(
        [1], layer, L.Embedding(3, 2), L.Flatten(), L.Dense(2), dtype="int64"
    )
    one = learner(model, loss=None, metric=None)
    adapted = one.adapt(ids, LABELS[:2], steps=30)
    assert adapted.predict(ids, verbose=0).argmax(1).tolist() == [0, 1]


def of_one_name(factor):
    def scaled(x):
        return x * factor

    return scaled


def two_functions():
    return sequential(
        [3], L.Dense(4, of_one_name(2)), L.Dense(2, of_one_name(3))
    )


class OwnSequential(keras.Sequential):
    """Keras clones it to a plain one."""


class OwnStep(keras.Model):
    """Its training is another than Keras's."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.last = L.Dense(2)

    def call(self, x):
        return self.last(x)

    def train_step(self, data):
        return {}


def tied():
    inputs, layer = keras.Input([3]), L.Dense(3, name="tied")
    x = keras.ops.matmul(layer(inputs), layer.kernel)
    return keras.Model(inputs, L.Dense(2)(x))


def own_step():
    model = OwnStep()
    model(TABLE)
    return model


@pytest.mark.parametrize(
    "make, words",
    [
        (tied, "'tied/kernel'.*outside of its layer"),
        (own_step, "train_step of its own"),
        (two_functions, "two functions of its layers are called scaled"),
        (
            lambda: OwnSequential([keras.Input([3]), L.Dense(2)]),
            "OwnSequential.*derive it from keras.Model",
        ),
        (
            lambda: keras.Sequential(
                [
                    keras.Input(batch_shape=[6, 4, 3]),
                    L.LSTM(3, stateful=True, name="going"),
                    L.Dense(2),
                ]
            ),
            "'going'.*stateful=False",
        ),
    ],
)
def test_what_clones_or_steps_would_lose(make, words):
    with pytest.raises(ValueError, match=words):
        learner(make())


def test_names_of_outputs_that_there_are_not():
    inputs = keras.Input([3])
    outputs = [L.Dense(2, name="a")(inputs), L.Dense(2, name="b")(inputs)]
    model = keras.Model(inputs, outputs)
    with pytest.raises(ValueError, match="loss must be one for all outputs"):
        learner(model, loss={"a": "mse", "c": "mse"}, metric=["mse", None])
    with pytest.raises(ValueError, match="metric must be one for all outputs"):
        learner(model, metric={"a": "mse"})


def test_a_metric_that_is_a_function_or_no_number(eagerly):
    tasks = rt.tasks_from_function(lambda i: (TABLE, NUMBERS, TABLE, NUMBERS))
    model = sequential([3], L.Dense(2))
    one = learner(model, metric=keras.metrics.mean_absolute_error)
    [score] = one.evaluate(tasks, 2)
    assert score.metric == "mean_absolute_error"
    with pytest.raises(ValueError, match="'r2_score' must return one number"):
        metric = keras.metrics.R2Score(class_aggregation=None)
        learner(model, metric=metric).evaluate(tasks, 2)


def test_lora_is_not_saved(tmp_path):
    layer = L.Dense(4, name="low")
    model = sequential([3], layer, L.Dense(2))
    layer.enable_lora(2)
    with pytest.raises(ValueError, match="'low' has LoRA"):
        learner(model).save(tmp_path / "a.zip")
