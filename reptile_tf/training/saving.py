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
import pathlib
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import keras
import numpy as np
import tensorflow as tf

from reptile_tf import algorithms
from reptile_tf.algorithms.optimizers import INNER_OPTIMIZERS
from reptile_tf.models import keras_internals
from reptile_tf.training import keras_settings
from reptile_tf.utils.fields import values_of
from reptile_tf.utils.files import whole_file
from reptile_tf.utils.precision import from_file

if TYPE_CHECKING:  # it needs Pillow, and is for pictures alone
    from reptile_tf.data.picture import Preparation

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


class Saveable:
    """What a `MetaLearner` writes, and is read from."""

    def export(
        self,
        folder: str | os.PathLike,
        *,
        uint8_images: bool = False,
        pictures: "Preparation | None" = None,
        class_names: Sequence[str] = (),
        max_steps: int = 1000,
        max_examples: int = 1000,
    ) -> pathlib.Path:
        """Writes a SavedModel that adapts inside the server.

        It goes into `folder`/VERSION, the layout of TF Serving, under the next
        number, whole or not at all. `reptile_tf.serving.signatures` describes
        what can be asked of it; pip's extra [serve] has what this needs.

        Args:
            folder: of the model's versions; its name is the model's name.
            uint8_images: whether to add signatures that take raw uint8 images,
                which are divided by 255, as the data sets' are.
            pictures: how picture files become its inputs, for clients and for
                `reptile-tf adapt`; None if they do not.
            class_names: of the classes that were trained on, to be told.
            max_steps: the most inner steps that a request may ask for.
            max_examples: the most support examples, and the most query
                examples, that a request may hold.

        Returns:
            The folder of the new version.

        Raises:
            ValueError: the model is subclassed, and so does not say what
                inputs it takes; or a limit is below 1.
        """
        # Serving is built on training; the arrow back is for users alone.
        from reptile_tf.serving import export

        learner: Any = self
        return export.export(
            learner,
            folder,
            uint8_images=uint8_images,
            pictures=pictures,
            class_names=class_names,
            max_steps=max_steps,
            max_examples=max_examples,
        )

    def save(self, path: str | os.PathLike) -> None:
        """Writes the learner to one file, whole or not at all.

        Args:
            path: of the file; by convention it ends in `.zip`.

        Raises:
            ValueError: a part of the learner cannot be saved, such as a loss
                that is a lambda; names it and what would do.
        """
        _save(self, path)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike,
        custom_objects: dict[str, Any] | None = None,
    ) -> Self:
        """Returns the learner that `save` wrote.

        Args:
            path: of the file.
            custom_objects: as of `keras.saving.load_model`; also names the
                classes of inner optimizers and algorithms of your own.

        Raises:
            DamagedFileError: it is not whole.
        """
        return _load(cls, path, custom_objects)


def require_saveable(learner: Any) -> None:
    """Refuses a learner that `save` would refuse.

    Raises:
        ValueError: names the part that cannot be saved and what would do.
    """
    _config(learner)


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


def _save(learner: Any, path: str | os.PathLike) -> None:
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
    with tempfile.TemporaryDirectory() as folder, whole_file(path) as part:
        model = os.path.join(folder, "model.keras")
        learner.model.save(model)
        with zipfile.ZipFile(part, "w") as archive:
            archive.writestr("learner.json", json.dumps(config, indent=2))
            archive.write(model, "model.keras")
            archive.writestr("state.npz", arrays.getvalue())


def _load(
    cls: type, path: str | os.PathLike, custom_objects: dict[str, Any] | None
) -> Any:
    config, model, state = _read(path)
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
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "model.keras")
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


def _read(path: str | os.PathLike) -> tuple[dict, bytes, dict]:
    """Returns a file's settings, its model's file, and its arrays."""
    content = io.BytesIO(pathlib.Path(path).read_bytes())
    try:
        with zipfile.ZipFile(content) as archive:
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
