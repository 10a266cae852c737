"""What reaches into Keras where it has no public way."""

import collections
import contextlib
import inspect
import math
import re
import tempfile
from collections.abc import Sequence
from typing import Any

import keras
from keras.src.losses.loss import squeeze_or_expand_to_same_rank
from keras.src.models.functional import Functional
from keras.src.saving.serialization_lib import SafeModeScope


def trusted() -> contextlib.AbstractContextManager:
    """Lets Keras make layers of Python functions again, in its block."""
    return SafeModeScope(safe_mode=False)


def size_of_new(initial_value: Any) -> int:
    """Returns how many numbers a variable will hold that is being made.

    Args:
        initial_value: that TensorFlow is given for it. Keras gives a function,
            of which the variable says its shape before it is called.
    """
    if callable(initial_value):
        known = inspect.getclosurevars(initial_value).nonlocals
        initial_value = known.get("self")
    return math.prod(getattr(initial_value, "shape", ()))


def in_mode(model: keras.Model, training: bool) -> dict[str, bool]:
    """Returns how to call a model in a mode, as Keras's own training does."""
    return {"training": training} if model._call_has_training_arg else {}


def all_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Returns the layers of a model, and the layers inside these."""
    return list(model._flatten_layers())


def inputs_of(model: keras.Model) -> Any:
    """Returns a model's inputs in their structure; None if it is subclassed."""
    inputs = getattr(model, "inputs", None)
    if not inputs or isinstance(model, keras.Sequential):
        return inputs[0] if inputs else None
    return model.input


def outputs_of(model: keras.Model) -> Any:
    """Returns its outputs in their structure; None if it is subclassed."""
    outputs = getattr(model, "outputs", None)
    if not outputs or isinstance(model, keras.Sequential):
        return outputs[0] if outputs else None
    return model.output


def input_names(model: keras.Model, only: str) -> list[str]:
    """Returns a name for each input, in their flat order.

    Args:
        model: that says what inputs it takes.
        only: the name if there is one.
    """
    return _names(inputs_of(model), only, [x.name for x in model.inputs])


def output_names(model: keras.Model, only: str) -> list[str]:
    """Returns a name for each output, likewise."""
    known = getattr(model, "output_names", [""])
    return _names(outputs_of(model), only, known)


def is_counted(name: str) -> bool:
    """Returns whether Keras counted up a name, from 1 in each process."""
    return bool(re.match(r"keras_tensor|input_layer", name))


def _names(structure: Any, only: str, known: Sequence[str]) -> list[str]:
    if len(keras.tree.flatten(structure)) == 1:
        return [only]
    names = sorted(structure) if isinstance(structure, dict) else list(known)
    return [
        str(i) if is_counted(name) else re.sub(r"\W", "_", name)
        for i, name in enumerate(names)
    ]


def exportable(model: keras.Model) -> keras.Model:
    """Returns a model that Keras exports though nobody has called it yet.

    Args:
        model: that is built.
    """
    model._called = True
    return model


def is_functional(model: keras.Model) -> bool:
    """Returns whether a model is a graph of layers, of Keras's own class."""
    return type(model) is Functional


def has_operations(model: keras.Model) -> bool:
    """Returns whether operations lie between the layers of a functional one."""
    return len(model.operations) > len(model.layers)


def is_followed_by(layer: keras.layers.Layer, kind: type) -> bool:
    """Returns whether a graph of layers hands its outputs to one of a kind.

    Args:
        layer: of a model; those that code calls are followed by none.
        kind: of layers.
    """
    return any(isinstance(n.operation, kind) for n in layer._outbound_nodes)


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


def output_layers(model: keras.Model) -> list[keras.Operation]:
    """Returns the layer or operation that makes each output, in Keras's order.

    Those that only hand numbers on, cast or reshape them are looked through.
    There are none for a subclassed model, which does not say.
    """
    return [_maker(t) for t in getattr(model, "outputs", None) or []]


def _maker(tensor: Any) -> keras.Operation:
    made, call, place = tensor._keras_history
    if isinstance(made, keras.Model) and made.outputs:
        return _maker(made.outputs[place])
    sources = made._inbound_nodes[call].input_tensors
    if sources and _hands_on(made):
        return _maker(sources[0])
    return made


def _hands_on(made: keras.Operation) -> bool:
    """Returns whether outputs are the inputs' numbers."""
    if isinstance(made, keras.layers.Activation):
        return made.activation is keras.activations.linear
    # Also operations, whose classes Keras keeps to itself.
    names = "Identity", "ClassNames", "Reshape", "Flatten", "Cast"
    return type(made).__name__ in names


def weights_in_operations(model: keras.Model) -> list[str]:
    """Returns the weights that operations between layers use directly."""
    return [
        value.path
        for layer in all_layers(model)
        for operation in getattr(layer, "operations", ())
        for node in operation._inbound_nodes
        for value in keras.tree.flatten(
            (node.arguments.args, node.arguments.kwargs)
        )
        if isinstance(value, keras.Variable)
    ]


def mask_of(tensor: Any) -> Any:
    """Returns which entries of an output count; None where all do."""
    return getattr(tensor, "_keras_mask", None)


def with_mask(tensor: Any, mask: Any) -> Any:
    """Returns the tensor, with the mask of what it was made of."""
    if mask is not None:
        tensor._keras_mask = mask
    return tensor


def same_rank(y: Any, outputs: Any) -> tuple[Any, Any]:
    """Returns targets and outputs as Keras's losses compare them.

    Where one has a rank more than the other, and 1 as its last size, that size
    is dropped, or given to the other one.
    """
    return squeeze_or_expand_to_same_rank(y, outputs)


def seeds(model: keras.Model) -> set[int]:
    """Returns the ids of the variables that random layers draw from."""
    generators = [
        generator
        for layer in all_layers(model)
        for generator in getattr(layer, "_seed_generators", ())
    ]
    return {id(generator.state) for generator in generators}


def tables(model: keras.Model) -> list:
    """Returns the tables in which lookup layers keep their vocabularies."""
    found = [getattr(x, "lookup_table", None) for x in all_layers(model)]
    return [table for table in found if table is not None]


def copy_state(model: keras.Model, copy: keras.Model) -> None:
    """Gives a clone all that Keras would save of a model.

    That is weights, the seeds of random layers, and what layers such as
    `Normalization` and `StringLookup` keep beside their weights; and which
    layers and weights are frozen.

    Args:
        model: the model to copy.
        copy: a clone of it. Its weights that have another shape stay.
    """
    layers = list(zip(all_layers(model), all_layers(copy), strict=True))
    # The layers around come first; they set the layers inside as well.
    for layer, other in layers:
        if other.trainable != layer.trainable:
            other.trainable = layer.trainable
    for variable, other in zip(model.variables, copy.variables, strict=True):
        if other.shape == variable.shape:
            other.assign(variable)
        if other.trainable != variable.trainable:
            other.trainable = variable.trainable
    for layer, other in layers:
        if hasattr(layer, "finalize_state"):
            _copy_adapted(layer, other)


def _copy_adapted(layer: keras.layers.Layer, other: keras.layers.Layer) -> None:
    """Copies what `adapt` of a preprocessing layer made, as Keras saves it."""
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    other.load_own_variables(store)
    with tempfile.TemporaryDirectory() as folder:
        if hasattr(layer, "save_assets"):
            layer.save_assets(folder)
            other.load_assets(folder)


def description(model: keras.Model) -> list[tuple]:
    """Returns what a model is, apart from the values of its weights.

    It changes when a layer is frozen, when an attribute changes that belongs
    to a layer's configuration, and when a preprocessing layer adapts.
    """
    told = []
    for layer in all_layers(model):
        try:
            config = str(layer.get_config())
        except NotImplementedError:  # as a subclassed model's may be
            config = ""
        frozen = [v.trainable for v in layer.variables]
        told.append((layer.name, config, layer.trainable, frozen))
        told += [_adapted(layer)] if hasattr(layer, "finalize_state") else []
    return told


def _adapted(layer: keras.layers.Layer) -> tuple:
    """Returns what `adapt` of a preprocessing layer made."""
    values = [getattr(layer, name, None) for name in ("mean", "variance")]
    arrays = [
        keras.ops.convert_to_numpy(v).tobytes() for v in values if v is not None
    ]
    words: list[str] = getattr(layer, "get_vocabulary", list)()
    return layer.name, arrays, str(words)


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
            masked = {} if mask is None else {"mask": mask}
            return call(inputs, training=True, **masked)

        return wrapped

    layers = [
        layer
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.BatchNormalization)
        and layer.trainable
    ]
    for layer in layers:
        if layer.momentum == 1:  # of which a batch's values could not be told
            layer.momentum = 0.5
        layer.call = by_batch(layer.path, layer.call)
    return layers
