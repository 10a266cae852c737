"""The networks of the paper: plain Keras models that return logits.

They are the same whatever Keras is configured to: `image_data_format` and
`epsilon` make no difference. The global dtype policy is honoured, with inputs
of float32, as data sets have them, under each.
"""

import functools
from collections.abc import Callable, Sequence

import keras

from reptile_tf.models.batch_normalization import BatchNormalization

# Keras would take these from its configuration.
_Input = functools.partial(keras.Input, dtype="float32")
_Conv2D = functools.partial(
    keras.layers.Conv2D, padding="same", data_format="channels_last"
)
_MaxPooling2D = functools.partial(
    keras.layers.MaxPooling2D, padding="same", data_format="channels_last"
)
_Flatten = functools.partial(keras.layers.Flatten, data_format="channels_last")


def omniglot_cnn(
    ways: int, image_shape: Sequence[int] = (28, 28, 1)
) -> keras.Model:
    """Finn et al.'s Omniglot network: 111,936 + 257 `ways` weights at 28x28x1.

    Four times a 3x3 convolution with 64 filters and stride 2, batch
    normalization and ReLU; then a dense layer.

    Args:
        ways: N, number of logits.
        image_shape: (height, width, channels).
    """
    inputs = x = _Input(tuple(image_shape))
    for _ in range(4):
        x = _Conv2D(64, 3, strides=2)(x)
        x = BatchNormalization(epsilon=1e-3)(x)
        x = keras.layers.ReLU()(x)
    x = _Flatten()(x)
    return keras.Model(inputs, keras.layers.Dense(ways)(x), name="omniglot_cnn")


def mini_imagenet_cnn(
    ways: int, image_shape: Sequence[int] = (84, 84, 3)
) -> keras.Model:
    """Finn et al.'s Mini-ImageNet network.

    Four times a 3x3 convolution with 32 filters, batch normalization, 2x2
    max-pooling and ReLU; then a dense layer.

    Args:
        ways: N, number of logits.
        image_shape: (height, width, channels).
    """
    inputs = x = _Input(tuple(image_shape))
    for _ in range(4):
        x = _Conv2D(32, 3)(x)
        x = BatchNormalization(epsilon=1e-3)(x)
        x = _MaxPooling2D(2)(x)
        x = keras.layers.ReLU()(x)
    x = _Flatten()(x)
    outputs = keras.layers.Dense(ways)(x)
    return keras.Model(inputs, outputs, name="mini_imagenet_cnn")


def sine_mlp(
    outputs: int = 1,
    input_shape: Sequence[int] = (1,),
    activation: str = "tanh",
) -> keras.Model:
    """The MLP 1-64-64-1 of Figure 1.

    The paper leaves the activation open. With "relu" the curvature of the loss
    has no bound, and grows as phi is learned, until gradient descent on some
    wave diverges.

    Args:
        outputs: number of outputs.
        input_shape: of one example.
        activation: of the two hidden layers.

    Raises:
        ValueError: the inputs are no vectors.
    """
    if len(input_shape) != 1:
        raise ValueError(
            "network=sine_mlp takes inputs of shape [n], such as points; "
            f"received {list(input_shape)}; for images use omniglot_cnn or "
            "mini_imagenet_cnn"
        )
    inputs = x = _Input(tuple(input_shape))
    for _ in range(2):
        x = keras.layers.Dense(64, activation)(x)
    return keras.Model(inputs, keras.layers.Dense(outputs)(x), name="sine_mlp")


# Each is made of (outputs, input_shape).
NETWORKS: dict[str, Callable[..., keras.Model]] = {
    network.__name__: network
    for network in (omniglot_cnn, mini_imagenet_cnn, sine_mlp)
}
