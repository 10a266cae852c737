"""The floating-point operations of an outer iteration.

Counted are the multiplications and additions of the convolutions and of the
dense layers, two a weight that meets a number; those that meet padding too.
"""

import keras


def forward(model: keras.Model) -> list[int]:
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


def outer_iteration(model: keras.Model, preset) -> int:
    """Returns the operations of a meta-batch of Reptile.

    A gradient of a kernel, and one of a layer's inputs, is as much as the layer
    itself; nobody asks for the gradient of the images.

    Args:
        model: the network.
        preset: the experiment's settings.
    """
    layers = forward(model)
    example = 3 * sum(layers) - layers[0]
    trained = preset.inner_steps * preset.inner_batch_size
    queries = preset.ways * preset.query_shots
    return preset.meta_batch_size * (trained * example + queries * sum(layers))
