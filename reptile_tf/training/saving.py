"""A meta-learner as one file: written whole or not at all, checked on reading.

The file is a zip archive, whose entries carry checksums:

    learner.json   settings, losses and optimizers as Keras serializes them
    model.keras    the model, whose weights are phi, in Keras's own format
    state.npz      the inner optimizer's and the meta-optimizer's state
"""

import dataclasses
import io
import json
import os
import zipfile
import zlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reptile_tf import algorithms
from reptile_tf.algorithms.optimizers import INNER_OPTIMIZERS
from reptile_tf.models import keras_internals
from reptile_tf.training import keras_settings
from reptile_tf.utils.fields import values_of
from reptile_tf.utils.files import temporary_folder, whole_file
from reptile_tf.utils.precision import from_file

_FORMAT = 2
_KNOWN_FORMATS = (1, 2)
_OBJECTS = ("meta_optimizer", "loss", "metric")


# What reading a zip archive raises, depending on where it is damaged; a
# RuntimeError says that it uses what no archive of ours uses.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    ValueError,
)


class DamagedFileError(ValueError):
    """A file is not a whole saved learner."""


def require_saveable(learner: Any) -> None:
    """Refuses a learner that `save` would refuse.

    Raises:
        ValueError: names the part that cannot be saved and what would do.
        NotWrittenError: there is no folder for temporary files.
    """
    _config(learner)
    with temporary_folder():
        pass


def _config(learner: Any) -> dict[str, Any]:
    """Returns what learner.json says."""
    learner.functional.require_unchanged()
    for layer in keras_internals.all_layers(learner.model):
        if getattr(layer, "lora_enabled", False):
            raise ValueError(
                f"layer {layer.name!r} has LoRA weights, which Keras merges "
                "into others when it saves a model; save learner.model instead"
            )
    for name in _OBJECTS:
        for part in tf.nest.flatten(getattr(learner, name)):
            if getattr(part, "__name__", "") == "<lambda>":
                raise ValueError(
                    f"{name} is a lambda, which no file can hold; give the "
                    "learner a function with a name, registered with "
                    "keras.saving.register_keras_serializable"
                )
    return {
        "format": _FORMAT,
        "iteration": learner.iteration,
        **values_of(learner.settings),
        "algorithm": _algorithm_config(learner.algorithm),
        "inner_optimizer": _inner_optimizer_config(learner.inner_optimizer),
        **{
            name: keras.saving.serialize_keras_object(getattr(learner, name))
            for name in _OBJECTS
        },
        "keras": keras_settings.recorded(learner),
    }


def save(learner: Any, path: str | os.PathLike) -> None:
    """Writes a learner to a file; see `MetaLearner.save`."""
    with whole_file(path) as part:
        part.write_bytes(to_bytes(learner))


def to_bytes(learner: Any) -> bytes:
    """Returns what a learner's file holds.

    Raises:
        ValueError: as of `MetaLearner.save`.
    """
    config = _config(learner)
    state = {
        f"inner/{i}": tensor.numpy()
        for i, tensor in enumerate(tf.nest.flatten(learner.inner_state))
    }
    state |= {
        f"meta/{i}": v.numpy()
        for i, v in enumerate(learner.meta_optimizer.variables)
    }
    arrays = io.BytesIO()
    np.savez(arrays, **state)
    content = io.BytesIO()
    with temporary_folder() as folder:
        model = folder / "model.keras"
        learner.model.save(model)
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("learner.json", json.dumps(config, indent=2))
            archive.write(model, "model.keras")
            archive.writestr("state.npz", arrays.getvalue())
    return content.getvalue()


def load(
    cls: type,
    content: bytes,
    custom_objects: dict[str, Any] | None,
    path: str | os.PathLike = "what was given",
) -> Any:
    """Returns the learner of what `to_bytes` returned.

    Args:
        cls: the class of the learner.
        content: what the file holds.
        custom_objects: as of `MetaLearner.load`.
        path: of the file, for messages.

    Raises:
        DamagedFileError: it is not whole.
    """
    config, model, state = _read(content, path)
    keras_settings.require_same(config.pop("keras", {}), path)
    iteration = config.pop("iteration")
    for name in _OBJECTS:
        config[name] = keras.saving.deserialize_keras_object(
            config[name], custom_objects
        )
    # Files of format 1 say "meta_gradient", and the first of them nothing.
    algorithm = config.pop("meta_gradient", "reptile")
    algorithm = config.pop("algorithm", algorithm)
    if isinstance(algorithm, dict):
        algorithm = _own_object(algorithm, "algorithm", custom_objects)
    inner = config.pop("inner_optimizer")
    if "class" in inner:
        inner = _own_object(inner, "inner_optimizer", custom_objects)
    else:
        inner = INNER_OPTIMIZERS[inner.pop("name")](**inner)
    with temporary_folder() as folder:
        file = folder / "model.keras"
        file.write_bytes(model)
        model = keras.saving.load_model(file, custom_objects, compile=False)
    learner = cls(model, inner_optimizer=inner, algorithm=algorithm, **config)
    learner.iteration = iteration
    learner.inner_state = tf.nest.pack_sequence_as(
        learner.inner_state,
        [
            from_file(state[f"inner/{i}"], tensor.dtype)
            for i, tensor in enumerate(tf.nest.flatten(learner.inner_state))
        ],
    )
    for i, variable in enumerate(learner.meta_optimizer.variables):
        variable.assign(from_file(state[f"meta/{i}"], variable.dtype))
    return learner


def _read(content: bytes, path: str | os.PathLike) -> tuple[dict, bytes, dict]:
    """Returns a file's settings, its model's file, and its arrays."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = {n: archive.read(n) for n in archive.namelist()}
        config = json.loads(entries["learner.json"])
        with np.load(io.BytesIO(entries["state.npz"])) as arrays:
            state = dict(arrays)
        model = entries["model.keras"]
    except _DAMAGE as error:
        raise DamagedFileError(
            f"{path} is not a whole saved learner: {error!r}"
        ) from error
    if (found := config.pop("format")) not in _KNOWN_FORMATS:
        raise ValueError(
            f"{path} was written by another version of reptile_tf, in format "
            f"{found}; this one knows {', '.join(map(str, _KNOWN_FORMATS))}"
        )
    return config, model, state


def _algorithm_config(algorithm: algorithms.Algorithm) -> str | dict:
    """Returns an algorithm's name, or what makes a user's own again."""
    try:
        if algorithms.from_name(str(algorithm)) == algorithm:
            return str(algorithm)
    except ValueError:
        pass
    return _own_config(algorithm, "algorithm")


def _inner_optimizer_config(optimizer: Any) -> dict:
    for name, known in INNER_OPTIMIZERS.items():
        if type(optimizer) is known:
            return {"name": name, **values_of(optimizer)}
    return _own_config(optimizer, "inner_optimizer")


def _own_config(instance: Any, name: str) -> dict:
    """Returns what makes an object of a user's own class again."""
    if hasattr(instance, "get_config"):
        config = instance.get_config()
    elif dataclasses.is_dataclass(instance):
        config = values_of(instance)
    else:
        raise ValueError(
            f"{name}={instance!r} cannot be saved; make its class a dataclass, "
            "or give it get_config"
        )
    config = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in config.items()
    }
    try:
        json.dumps(config)
    except TypeError as error:
        raise ValueError(
            f"{name}={instance!r} cannot be saved, as JSON cannot hold what "
            f"it was made with: {error}"
        ) from error
    registered = keras.saving.get_registered_name(type(instance))
    return {"class": registered, "config": config}


def _own_object(config: dict, name: str, custom_objects: dict | None) -> Any:
    """Returns the object that `_own_config` is of."""
    known = keras.saving.get_registered_object(config["class"], custom_objects)
    if known is None:
        raise ValueError(
            f"the learner's {name} is of class {config['class']!r}, which is "
            "not known here; give custom_objects, or register the class with "
            "keras.saving.register_keras_serializable"
        )
    make = getattr(known, "from_config", lambda config: known(**config))
    return make(config["config"])
