"""Layers computed in faster ways, where that pays."""

import keras
import tensorflow as tf

from reptile_tf.models import (
    convolution,
    keras_internals,
    max_pooling,
    normalized_convolution,
)


def speed_up(model: keras.Model, second_order: bool = False) -> None:
    """Has convolutions and max-pooling computed in faster ways, where it pays.

    Kernels' gradients are products, a convolution of few inputs is one function
    with the batch normalization after it, and the gradient of max-pooling is a
    function of its own. Nothing is changed where there is a GPU, whose own
    operations are faster.

    Args:
        model: whose layers may be changed; its numbers stay what they are but
            for rounding.
        second_order: whether the gradients are differentiated, which does not
            pay where others than TensorFlow's own make them.
    """
    if tf.config.get_visible_devices("GPU"):
        return
    for layer in keras_internals.all_layers(model):
        if convolution.is_plain(layer):
            if not second_order:
                layer.convolution_op = convolution.Operation(
                    layer, layer.convolution_op
                )
            normalized_convolution.remember(layer)
        elif max_pooling.is_plain(layer) and not second_order:
            layer.call = max_pooling.MaxPooling(layer)
