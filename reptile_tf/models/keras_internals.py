"""What reaches into Keras where it has no public way."""

import collections

import keras


def all_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Returns the layers of a model, and the layers inside these."""
    return list(model._flatten_layers())


def last_layers(model: keras.Model) -> set:
    """Returns the layers with trainable weights that are nearest the output."""
    found, tensors = set(), list(getattr(model, "outputs", None) or [])
    while tensors:
        layer, call, _ = tensors.pop()._keras_history
        if isinstance(layer, keras.Model):
            found |= last_layers(layer)
        elif getattr(layer, "trainable_variables", None):
            found.add(layer)
        else:
            tensors += layer._inbound_nodes[call].input_tensors
    return found


def normalize_by_batch(model: keras.Model, calls: collections.Counter) -> list:
    """Makes batch normalization use its batch even in inference mode.

    Args:
        model: the model to change.
        calls: counts the calls of each layer, by its name.

    Returns:
        The layers changed; those with frozen weights keep their statistics, as
        they do in Keras, and are not among them.
    """

    def by_batch(name, call):
        def wrapped(inputs, training=None, mask=None):
            del training
            calls[name] += 1
            return call(inputs, training=True, mask=mask)

        return wrapped

    layers = [
        layer
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.BatchNormalization)
        and layer.trainable
    ]
    for layer in layers:
        layer.call = by_batch(layer.path, layer.call)
    return layers
