"""A meta-learner as one file: written whole or not at all, checked on reading.

The file is a zip archive, whose entries carry checksums:

    learner.json   settings, losses and optimizers as Keras serializes them
    model.keras    the model, whose weights are phi, in Keras's own format
    state.npz      the inner optimizer's and the meta-optimizer's state, and
                   the sums of the logs of an epoch that is not over
"""

import dataclasses
import io
import json
import os
import reprlib
import zipfile
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reptile_tf import algorithms
from reptile_tf.algorithms.optimizers import INNER_OPTIMIZERS
from reptile_tf.models import keras_internals
from reptile_tf.training import keras_archive, keras_settings, learner_file
from reptile_tf.training.epoch_logs import EpochLogs
from reptile_tf.training.learner_file import DamagedFileError, LearnerFile
from reptile_tf.training.settings import Settings
from reptile_tf.utils.fields import kinds_of, values_of
from reptile_tf.utils.files import temporary_folder, whole_file
from reptile_tf.utils.validation import require_at_least

_OBJECTS = ("meta_optimizer", "loss", "metric")
# The settings that files of every version say.
_SINCE_ALWAYS = (
    *("inner_steps", "inner_batch_size", "meta_batch_size"),
    *("meta_batch_mode", "loss_reduction"),
    *("eval_inner_steps", "eval_inner_batch_size"),
)


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
        "format": learner_file.FORMAT,
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
    state |= learner.epoch_logs.arrays()
    arrays = io.BytesIO()
    np.savez(arrays, **state)
    content = io.BytesIO()
    with temporary_folder() as folder:
        model = folder / "model.keras"
        learner.model.save(model)
        with zipfile.ZipFile(content, "w") as archive:
            text = json.dumps(config, indent=2)
            archive.writestr(learner_file.CONFIG, text)
            archive.write(model, learner_file.MODEL)
            archive.writestr(learner_file.STATE, arrays.getvalue())
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
    file = LearnerFile.of(content, path)
    keras_settings.require_same(file.config.pop("keras", {}), path)
    iteration = file.take("iteration", int)
    with file.explained(f"the learner of {learner_file.CONFIG}"):
        require_at_least(0, iteration=iteration)
    parts = _parts(file, custom_objects)
    settings = {
        name: file.take(name, kind)
        for name, kind in kinds_of(Settings).items()
        if name in _SINCE_ALWAYS or name in file.config
    }
    if file.config:
        raise DamagedFileError(
            f"{path} is not a whole saved learner: {learner_file.CONFIG} has "
            f"what no learner has: {reprlib.repr(list(file.config))}"
        )
    with temporary_folder() as folder, file.explained(learner_file.MODEL):
        place = folder / learner_file.MODEL
        place.write_bytes(file.model)
        model = keras_archive.load_model(place, custom_objects)
    with file.explained(f"the learner of {learner_file.CONFIG}"):
        learner = cls(model, **parts, **settings)
    learner.iteration = iteration
    learner.inner_state = tf.nest.pack_sequence_as(
        learner.inner_state,
        [
            file.tensor(f"inner/{i}", tensor)
            for i, tensor in enumerate(tf.nest.flatten(learner.inner_state))
        ],
    )
    for i, variable in enumerate(learner.meta_optimizer.variables):
        variable.assign(file.tensor(f"meta/{i}", variable.value))
    with file.explained(learner_file.STATE):
        learner.epoch_logs = EpochLogs.of_arrays(file.state)
    return learner


def _parts(
    file: LearnerFile, custom_objects: dict[str, Any] | None
) -> dict[str, Any]:
    """Returns the objects that a learner is made of, by name."""
    parts = {}
    for name in _OBJECTS:
        config = file.take(name)
        with file.explained(f"{name} of {learner_file.CONFIG}"):
            parts[name] = keras.saving.deserialize_keras_object(
                config, custom_objects
            )
    # Files of format 1 say "meta_gradient", and the first of them nothing.
    old = file.config.pop("meta_gradient", "reptile")
    algorithm = file.config.pop("algorithm", old)
    with file.explained(f"algorithm of {learner_file.CONFIG}"):
        if isinstance(algorithm, str):
            parts["algorithm"] = algorithms.from_name(algorithm)
        else:
            parts["algorithm"] = _own_object(
                algorithm, "algorithm", custom_objects
            )
    inner = file.take("inner_optimizer", dict)
    with file.explained(f"inner_optimizer of {learner_file.CONFIG}"):
        if "class" in inner:
            inner = _own_object(inner, "inner_optimizer", custom_objects)
        else:
            inner = INNER_OPTIMIZERS[inner.pop("name")](**inner)
    return parts | {"inner_optimizer": inner}


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
