"""A meta-learner as one file: written whole or not at all, checked on reading.

The file is a zip archive, whose entries carry checksums:

    learner.json   settings, losses and optimizers as Keras serializes them
    model.keras    the model, whose weights are phi, in Keras's own format
    state.npz      the inner optimizer's and the meta-optimizer's state
"""

import contextlib
import dataclasses
import io
import json
import os
import pathlib
import tempfile
import zipfile
import zlib

import keras
import numpy as np
import tensorflow as tf

from reptile_tf.algorithms import meta_gradients, optimizers

_FORMAT = 1
_SETTINGS = (
    "inner_steps",
    "inner_batch_size",
    "meta_batch_size",
    "meta_batch_mode",
    "loss_reduction",
    "eval_inner_steps",
    "eval_inner_batch_size",
)
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


@contextlib.contextmanager
def whole_file(path):
    """Yields a path to write to, which becomes `path` when all went well.

    The file is on the disk before it gets its name, so that no reader, and no
    kill at any moment, ever sees a part of it.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Hidden, and with the whole name at the end, for formats told by suffix.
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def save(learner, path) -> None:
    """Writes a `MetaLearner`; see `MetaLearner.save`."""
    for name in _OBJECTS:
        if getattr(getattr(learner, name), "__name__", "") == "<lambda>":
            raise ValueError(
                f"{name} is a lambda, which no file can hold; give the "
                "learner a function with a name, registered with "
                "keras.saving.register_keras_serializable"
            )
    inner = learner.inner_optimizer
    config = {
        "format": _FORMAT,
        "iteration": learner.iteration,
        "meta_gradient": str(learner.meta_gradient),
        **{name: getattr(learner, name) for name in _SETTINGS},
        **{
            name: keras.saving.serialize_keras_object(getattr(learner, name))
            for name in _OBJECTS
        },
        "inner_optimizer": {
            "name": type(inner).__name__.lower(),
            **dataclasses.asdict(inner),
        },
    }
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


def load(cls, path, custom_objects=None):
    """Reads a `MetaLearner` of class `cls`; see `MetaLearner.load`."""
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
    if config.pop("format") != _FORMAT:
        raise ValueError(
            f"{path} was written by another version of reptile_tf, in a format "
            f"that this one does not know; it knows {_FORMAT}"
        )
    iteration = config.pop("iteration")
    inner = config.pop("inner_optimizer")
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "model.keras")
        file.write_bytes(model)
        model = keras.saving.load_model(file, custom_objects, compile=False)
    for name in _OBJECTS:
        config[name] = keras.saving.deserialize_keras_object(
            config[name], custom_objects
        )
    config["meta_gradient"] = meta_gradients.parse(
        config.get("meta_gradient", "reptile")  # older files do not say
    )
    inner = optimizers.INNER_OPTIMIZERS[inner.pop("name")](**inner)
    learner = cls(model, inner_optimizer=inner, **config)
    learner.iteration = iteration
    learner.inner_state = tf.nest.pack_sequence_as(
        learner.inner_state,
        [
            tf.constant(state[f"inner/{i}"])
            for i in range(len(tf.nest.flatten(learner.inner_state)))
        ],
    )
    for i, variable in enumerate(learner.meta_optimizer.variables):
        variable.assign(state[f"meta/{i}"])
    return learner
