"""What users bring: a row for each kind of Keras model, and what it learns."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from reptile_tf.models import BatchNormalization

L = keras.layers
S = 6  # examples


class Row(NamedTuple):
    """A kind of model, with a task that it can learn.

    Attributes:
        make: makes the model, the same one each time.
        x: its examples.
        y: their targets, in the form that Keras's `fit` takes.
        loss: a Keras loss.
        metric: a Keras metric.
        tolerance: how near training comes to Keras's.
        loss_reduction: as of a learner's settings.
        exported: whether an export is possible.
    """

    make: Callable[[], keras.Model]
    x: Any
    y: Any
    loss: Any = "mean_squared_error"
    metric: Any = "mean_squared_error"
    tolerance: float = 1e-5
    loss_reduction: str = "mean"
    exported: bool = True


ROWS: dict[str, Row] = {}


def row(x, y=None, **about):
    """Makes a row of the function below it, which makes the model."""

    def add(make):
        def seeded():
            keras.utils.set_random_seed(0)
            return make()

        target = NUMBERS if y is None else y
        ROWS[make.__name__] = Row(seeded, x, target, **about)
        return make

    return add


def numbers(*shape, seed=0):
    """Returns float32 numbers around 0."""
    draws = np.random.default_rng(seed).normal(size=shape)
    return draws.astype("float32")


NUMBERS = numbers(S, 2, seed=1)
LABELS = np.arange(S) % 2
TABLE = numbers(S, 3)
IDS = np.random.default_rng(2).integers(1, 9, (S, 4)).astype("int32")
WORDS = np.array(["a b", "b c", "c a", "a", "d e f", "b"])
PICTURES = numbers(S, 5, 5, 2)
SERIES = numbers(S, 4, 3)
MASKED = np.where(np.arange(4)[:, None] < 3, SERIES, 0.0).astype("float32")
CLASSES = {
    "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "metric": "sparse_categorical_accuracy",
}


def sequential(shape, *layers, dtype=None, name=None):
    """Returns a sequential model."""
    return keras.Sequential(
        [keras.Input(shape, dtype=dtype), *layers], name=name
    )


# State beside the weights.


@row(TABLE * 10 + 100)
def normalization():
    """Mean and variance are no weights."""
    layer = L.Normalization()
    layer.adapt(TABLE * 10 + 100)
    return sequential([3], layer, L.Dense(2))


@row(TABLE)
def discretization():
    """The boundaries are learned by adapt."""
    layer = L.Discretization(num_bins=4, output_mode="multi_hot")
    layer.adapt(TABLE)
    return sequential([3], layer, L.Dense(2))


@row(IDS.astype("int64") + (1 << 25))
def integer_lookup():
    """Ids that a float32 would merge."""
    layer = L.IntegerLookup()
    layer.adapt(IDS.astype("int64") + (1 << 25))
    return sequential(
        [4], layer, L.Embedding(12, 3), L.Flatten(), L.Dense(2), dtype="int64"
    )


@row(WORDS.reshape(S, 1))
def string_lookup():
    """The vocabulary is a table."""
    layer = L.StringLookup()
    layer.adapt(WORDS)
    return sequential(
        [1], layer, L.Embedding(9, 3), L.Flatten(), L.Dense(2), dtype="string"
    )


@row(WORDS, LABELS, **CLASSES)
def text_vectorization():
    """Text in, classes out."""
    layer = L.TextVectorization(max_tokens=9, output_sequence_length=3)
    layer.adapt(WORDS)
    return sequential(
        [], layer, L.Embedding(9, 3), L.Flatten(), L.Dense(2), dtype="string"
    )


@row(IDS)
def embedding_of_ids():
    """Whole numbers in."""
    return sequential(
        [4], L.Embedding(9, 3), L.Flatten(), L.Dense(2), dtype="int32"
    )


# Frozen and bounded weights.


@row(TABLE)
def frozen():
    """A layer that was frozen from the start."""
    return sequential([3], L.Dense(4, trainable=False), L.Dense(2))


@row(TABLE)
def frozen_nested():
    """A layer inside of a model, frozen after it was made."""
    inner = sequential([3], L.Dense(4, name="still"), L.Dense(4))
    inner.layers[0].trainable = False
    return sequential([3], inner, L.Dense(2))


@row(TABLE)
def partly_frozen():
    """One weight of a layer."""
    model = sequential([3], L.Dense(4), L.Dense(2))
    model.layers[0].kernel.trainable = False
    return model


@row(TABLE)
def constraints():
    """Each kind that Keras has."""
    return sequential(
        [3],
        L.Dense(4, kernel_constraint="non_neg"),
        L.Dense(4, kernel_constraint=keras.constraints.UnitNorm()),
        L.Dense(4, kernel_constraint=keras.constraints.MaxNorm(0.5)),
        L.Dense(2, bias_constraint=keras.constraints.MinMaxNorm(0.1, 0.2)),
    )


@row(TABLE)
def regularizers():
    """Of weights, and of activity."""
    return sequential(
        [3],
        L.Dense(4, kernel_regularizer="l2", activity_regularizer="l2"),
        L.Dense(2, bias_regularizer="l1"),
    )


# Structures of layers.


@row(TABLE)
def shared_layer():
    """One layer in two places."""
    inputs = keras.Input([3])
    layer = L.Dense(3, "tanh")
    return keras.Model(inputs, L.Dense(2)(layer(layer(inputs))))


@row(MASKED)
def lstm_with_masking():
    """Steps that do not count."""
    return sequential([4, 3], L.Masking(), L.LSTM(3), L.Dense(2))


@row(MASKED, np.tile(LABELS[:, None], [1, 4]), **CLASSES)
def label_of_each_step():
    """A loss in which some steps do not count."""
    return sequential(
        [4, 3], L.Masking(), L.LSTM(3, return_sequences=True), L.Dense(2)
    )


@row(SERIES)
def gru():
    """Another cell."""
    return sequential([4, 3], L.GRU(3), L.Dense(2))


@row(SERIES)
def bidirectional():
    """A layer around a layer."""
    return sequential([4, 3], L.Bidirectional(L.LSTM(2)), L.Dense(2))


@row(SERIES)
def attention():
    """A layer with several arguments."""
    inputs = keras.Input([4, 3])
    x = L.MultiHeadAttention(2, 3)(inputs, inputs)
    x = L.Attention()([x, inputs])
    return keras.Model(inputs, L.Dense(2)(L.Flatten()(x)))


@row(TABLE)
def lambda_layer():
    """A function as a layer."""
    return sequential([3], L.Lambda(lambda x: x * 3), L.Dense(2))


def twice(x):
    """A function that is not registered with Keras."""
    return keras.ops.tanh(x) * 2


@row(TABLE)
def functions_of_the_users():
    """They use names of their module, which Keras forgets."""
    return sequential(
        [3],
        L.Lambda(lambda x: keras.ops.relu(x)),
        L.Dense(4, twice),
        L.Dense(2),
    )


# Normalization layers.


def _normalized(layer):
    return sequential(
        [5, 5, 2], L.Conv2D(4, 3), layer, L.Activation("relu"), L.Flatten(),
        L.Dense(2),
    )  # fmt: skip


@row(PICTURES)
def batch_normalization():
    """Keras's."""
    return _normalized(L.BatchNormalization())


@row(PICTURES)
def batch_normalization_of_ours():
    """The fused one."""
    return _normalized(BatchNormalization())


@row(PICTURES)
def batch_normalization_synchronized():
    """With statistics of all devices."""
    return _normalized(L.BatchNormalization(synchronized=True))


@row(PICTURES)
def batch_normalization_frozen():
    """It keeps its statistics."""
    return _normalized(L.BatchNormalization(trainable=False))


@row(PICTURES)
def batch_normalization_called_in_inference():
    """In training, Keras does not heed training=False in a functional model."""
    inputs = keras.Input([5, 5, 2])
    x = L.BatchNormalization()(L.Conv2D(4, 3)(inputs), training=False)
    return keras.Model(inputs, L.Dense(2)(L.Flatten()(x)))


@row(PICTURES)
def group_normalization():
    """It has no statistics."""
    return _normalized(L.GroupNormalization(2))


@row(PICTURES)
def layer_normalization():
    """Nor has this one."""
    return _normalized(L.LayerNormalization())


@row(TABLE)
def unit_normalization():
    """Nor this one."""
    return sequential([3], L.Dense(4), L.UnitNormalization(), L.Dense(2))


# Several inputs and outputs.


@row([TABLE, NUMBERS])
def two_inputs():
    """A list."""
    left, right = keras.Input([3], name="left"), keras.Input([2], name="right")
    return keras.Model(
        [left, right], L.Dense(2)(L.Concatenate()([left, right]))
    )


@row({"table": TABLE, "ids": IDS})
def dict_of_inputs():
    """A dict, of two dtypes."""
    inputs = {
        "table": keras.Input([3], name="table"),
        "ids": keras.Input([4], dtype="int32", name="ids"),
    }
    ids = L.Flatten()(L.Embedding(9, 2)(inputs["ids"]))
    x = L.Concatenate()([inputs["table"], ids])
    return keras.Model(inputs, L.Dense(2)(x))


@row(
    TABLE,
    [NUMBERS, LABELS],
    loss=["mse", CLASSES["loss"]],
    metric=[None, "sparse_categorical_accuracy"],
)
def two_outputs():
    """A list, with a loss for each."""
    inputs = keras.Input([3])
    x = L.Dense(4, "tanh")(inputs)
    outputs = [L.Dense(2, name="numbers")(x), L.Dense(2, name="labels")(x)]
    return keras.Model(inputs, outputs)


@row(
    TABLE,
    [NUMBERS, TABLE],
    loss={"z": "mae", "a": "mse"},
    metric={"z": None, "a": "mse"},
)
def losses_by_name():
    """A dict for a list of outputs, in another order than the alphabet's."""
    inputs = keras.Input([3])
    x = L.Dense(4, "tanh")(inputs)
    return keras.Model(
        inputs, [L.Dense(2, name="z")(x), L.Dense(3, name="a")(x)]
    )


@row(
    TABLE,
    {"a": NUMBERS, "b": TABLE},
    metric={"a": "mse", "b": None},
)
def dict_of_outputs():
    """A dict, with one loss for all."""
    inputs = keras.Input([3])
    x = L.Dense(4, "tanh")(inputs)
    return keras.Model(inputs, {"a": L.Dense(2)(x), "b": L.Dense(3)(x)})


@keras.saving.register_keras_serializable("tests")
class WithTraining(keras.Model):
    """Subclassed, with the argument `training`."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.parts = [L.Dense(4), L.BatchNormalization(), L.Dense(2)]

    def call(self, inputs, training=None):
        """Returns the outputs."""
        first, norm, last = self.parts
        return last(norm(first(inputs), training=training))


@keras.saving.register_keras_serializable("tests")
class Plain(keras.Model):
    """Subclassed, without it, and with a dict for inputs."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.last = L.Dense(2)

    def call(self, inputs):
        """Returns the outputs."""
        return self.last(inputs["left"] * inputs["right"])


@row(TABLE, exported=False)
def subclassed():
    """Built by its first batch."""
    model = WithTraining()
    model(TABLE)
    return model


@row({"left": TABLE, "right": TABLE}, exported=False)
def subclassed_with_a_dict():
    """Built by its first batch."""
    model = Plain()
    model({"left": TABLE, "right": TABLE})
    return model


# Ends, losses and targets.


@row(TABLE, LABELS, loss=None, metric="sparse_categorical_accuracy")
def softmax():
    """The default loss is that of probabilities."""
    return sequential([3], L.Dense(2, "softmax"))


@row(TABLE, LABELS, loss="binary_crossentropy", metric="binary_accuracy")
def sigmoid():
    """Binary labels of shape [S]."""
    return sequential([3], L.Dense(1, "sigmoid"))


@row(
    TABLE,
    NUMBERS > 0,
    loss=keras.losses.BinaryCrossentropy(from_logits=True),
    metric=keras.metrics.BinaryAccuracy(threshold=0.0),
)
def multi_label():
    """Several labels of an example."""
    return sequential([3], L.Dense(2))


@row(
    TABLE,
    np.eye(2)[LABELS],
    loss=keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=0.1
    ),
    metric="categorical_accuracy",
)
def one_hot():
    """Rows of a class each."""
    return sequential([3], L.Dense(2))


@row(TABLE, LABELS, loss="mae")
def whole_targets():
    """Whole numbers as targets of a regression."""
    return sequential([3], L.Dense(1))


@keras.saving.register_keras_serializable("tests")
def scalar_loss(y, outputs):
    """Returns one number for a batch."""
    return keras.ops.mean(keras.ops.square(y - outputs))


@keras.saving.register_keras_serializable("tests")
def example_loss(y, outputs):
    """Returns a number for each example."""
    return keras.ops.mean(keras.ops.abs(y - outputs), -1)


@keras.saving.register_keras_serializable("tests")
class OwnLoss(keras.losses.Loss):
    """A class."""

    def call(self, y, outputs):
        """Returns a number for each output."""
        return keras.ops.square(y - outputs)


@row(TABLE, loss=scalar_loss)
def loss_of_a_batch():
    """A function that returns a scalar."""
    return sequential([3], L.Dense(2))


@row(TABLE, NUMBERS[:, 0], loss=example_loss)
def loss_of_examples():
    """A function that returns a vector, with targets of a rank less."""
    return sequential([3], L.Dense(1))


@keras.saving.register_keras_serializable("tests")
class Doubled(keras.losses.MeanSquaredError):
    """A class that does all by itself."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Returns one number."""
        return 2 * super().__call__(y_true, y_pred, sample_weight)


@row(TABLE, loss=Doubled())
def loss_that_is_called():
    """What is more in its call counts."""
    return sequential([3], L.Dense(2))


@row(
    SERIES,
    np.arange(24).reshape(6, 4) % 3 - 1,
    loss=keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, ignore_class=-1
    ),
    metric=keras.metrics.SparseCategoricalAccuracy(),
)
def ignored_labels():
    """Steps that the loss does not count."""
    return sequential([4, 3], L.Dense(2))


@row(TABLE, loss=OwnLoss())
def loss_of_outputs():
    """A class that returns a matrix."""
    return sequential([3], L.Dense(2))


@row(
    TABLE,
    loss=keras.losses.MeanSquaredError(reduction="none"),
    loss_reduction="sum",
)
def loss_without_reduction():
    """Keras descends the sum."""
    return sequential([3], L.Dense(2))


@row(
    SERIES,
    numbers(S, 4, 2),
    loss=keras.losses.MeanSquaredError(reduction="sum"),
    loss_reduction="sum",
)
def summed_loss():
    """The sum over examples and steps."""
    return sequential([4, 3], L.Dense(2))


# Dtypes.


@row(TABLE)
def float64():
    """Weights of 64 bits."""
    return sequential([3], L.Dense(2, dtype="float64"), dtype="float64")


@row(TABLE, tolerance=2e-3)
def mixed_float16():
    """Computed in 16 bits."""
    return sequential([3], L.Dense(2, dtype="mixed_float16"))


@row(TABLE, tolerance=2e-2)
def mixed_bfloat16():
    """Computed in 16 other bits."""
    return sequential([3], L.Dense(2, dtype="mixed_bfloat16"))


# Sizes.


@row(numbers(S, 32, 32, 3), np.minimum(np.arange(S), 1), **CLASSES)
def backbone():
    """A network of keras.applications, of which the head alone is trained."""
    network = keras.applications.MobileNet(
        (32, 32, 3), alpha=0.25, weights=None, include_top=False, pooling="avg"
    )
    network.trainable = False
    return sequential([32, 32, 3], network, L.Dense(2))


@row(PICTURES)
def pictures_of_any_size():
    """The size is left open."""
    return sequential(
        [None, None, 2], L.Conv2D(4, 3), L.GlobalAveragePooling2D(), L.Dense(2)
    )


@row(SERIES)
def series_of_any_length():
    """The length is left open."""
    return sequential([None, 3], L.LSTM(3), L.Dense(2))
