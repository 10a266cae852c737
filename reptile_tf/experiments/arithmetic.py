"""The floating-point operations of an outer iteration, and of an evaluation.

Counted are the multiplications and additions of the convolutions and of the
dense layers, two a weight that meets a number; those that meet padding too.
"""

import keras

from reptile_tf.experiments.preset import Preset
from reptile_tf.models import NETWORKS


def outer_iteration(preset: Preset) -> int:
    """Returns the operations of a meta-batch of Reptile.

    Args:
        preset: the experiment's settings.
    """
    steps = preset.inner_steps * preset.inner_batch_size
    return preset.meta_batch_size * _task(preset, steps)


def evaluation_task(preset: Preset) -> int:
    """Returns the operations of the evaluation of a task in one mode.

    Args:
        preset: the experiment's settings.
    """
    return _task(preset, preset.eval_inner_steps * preset.eval_inner_batch_size)


def _task(preset: Preset, trained: int) -> int:
    """Returns the operations of a task: to train on examples, and to predict.

    A gradient of a kernel, and one of a layer's inputs, is as much as the layer
    itself; nobody asks for the gradient of the images.

    Args:
        preset: the experiment's settings.
        trained: how many examples the steps have together.
    """
    layers = _forward(NETWORKS[preset.network](preset.ways))
    example = 3 * sum(layers) - layers[0]
    queries = preset.ways * preset.query_shots
    return trained * example + queries * sum(layers)


def _forward(model: keras.Model) -> list[int]:
    """Returns the operations of each layer, for one example."""
    counts = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            _, height, width, _ = layer.output.shape
            counts.append(2 * layer.kernel.shape.num_elements())
            counts[-1] *= height * width
        elif isinstance(layer, keras.layers.Dense):
            counts.append(2 * layer.kernel.shape.num_elements())
    return counts
