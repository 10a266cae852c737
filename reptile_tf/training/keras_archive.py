"""A model in Keras's own format, which may be a stranger's.

Keras runs no code of such a file (its safe_mode), and follows no link out of
it. What it leaves to others is that a small file may ask for gigabytes.
"""

import contextlib
import io
import os
import zipfile
from collections.abc import Iterator
from typing import Any

import h5py
import keras
import tensorflow as tf

from reptile_tf.models import keras_internals
from reptile_tf.utils import archives, json_file

_WEIGHTS = "model.weights.h5"
# Numbers of a model that no file holds, such as those of a metric.
_MORE = 1 << 20


def load_model(
    path: str | os.PathLike, custom_objects: dict[str, Any] | None = None
) -> keras.Model:
    """Returns the model of a .keras file, not compiled.

    Args:
        path: of the file.
        custom_objects: as of `keras.saving.load_model`.

    Raises:
        ValueError: an entry unpacks to more than the file holds of it, or the
            model has more weights than the file.
        Exception: whatever Keras says of a file that is none of its own.
    """
    with zipfile.ZipFile(path) as archive:
        archives.require_stored(archive)
        for entry in archive.infolist():
            text = entry.filename.endswith(".json")
            if text and entry.file_size > json_file.MOST_BYTES:
                raise ValueError(
                    f"its entry {entry.filename} has {entry.file_size:,} "
                    f"bytes; at most {json_file.MOST_BYTES:,} are read"
                )
        weights = archives.read(archive, _WEIGHTS)
    # Some layers make weights anew when they are built from what is saved.
    with _at_most(2 * _held(weights) + _MORE):
        return keras.saving.load_model(path, custom_objects, compile=False)


def _held(weights: bytes) -> int:
    """Returns how many numbers a file of weights holds."""
    held = 0

    def count(name: str, item: Any) -> None:
        nonlocal held
        if not isinstance(item, h5py.Dataset):
            return
        stored = item.id.get_storage_size()
        if item.nbytes > stored:
            raise ValueError(
                f"{name} of its entry {_WEIGHTS} has {item.nbytes:,} bytes, of "
                f"which the file holds {stored:,}; weights must be stored as "
                "they are, as Keras stores them"
            )
        held += item.size

    with h5py.File(io.BytesIO(weights)) as file:
        file.visititems(count)
    return held


@contextlib.contextmanager
def _at_most(count: int) -> Iterator[None]:
    """Refuses variables of more numbers, before there is room for them."""
    left = count

    def create(create_next: Any, **given: Any) -> tf.Variable:
        nonlocal left
        left -= keras_internals.size_of_new(given.get("initial_value"))
        if left < 0:
            raise ValueError(
                "its model has more weights than its entry "
                f"{_WEIGHTS} has numbers"
            )
        return create_next(**given)

    with tf.variable_creator_scope(create):
        yield
