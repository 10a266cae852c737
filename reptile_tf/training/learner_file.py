"""What a saved learner's file holds: read within bounds, and named if wrong.

Whoever wrote it, nothing is unpacked to more than the file holds of it.
"""

import contextlib
import io
import os
import textwrap
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from reptile_tf.utils import archives, arrays, json_file
from reptile_tf.utils.precision import from_file

CONFIG, MODEL, STATE = "learner.json", "model.keras", "state.npz"
FORMAT = 2
_KNOWN_FORMATS = (1, FORMAT)

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


class LearnerFile(NamedTuple):
    """A saved learner's file.

    Attributes:
        path: of the file, for messages.
        config: what learner.json says.
        model: the model's file.
        state: name -> array.
    """

    path: str | os.PathLike
    config: dict[str, Any]
    model: bytes
    state: dict[str, np.ndarray]

    @classmethod
    def of(cls, content: bytes, path: str | os.PathLike) -> "LearnerFile":
        """Returns what the bytes of a file hold.

        Args:
            content: the bytes.
            path: of the file, for messages.

        Raises:
            DamagedFileError: it is not whole.
            ValueError: it is of a format that is not known.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                archives.require_stored(archive)
                config = _config(archives.read(archive, CONFIG))
                model = archives.read(archive, MODEL)
                state = _state(archives.read(archive, STATE))
        except _DAMAGE as error:
            raise _damaged(path, str(error) or repr(error)) from error
        if (found := config.pop("format", None)) not in _KNOWN_FORMATS:
            raise ValueError(
                f"{path} was written by another version of reptile_tf, in "
                f"format {found!r}; this one knows "
                f"{', '.join(map(str, _KNOWN_FORMATS))}"
            )
        return cls(path, config, model, state)

    def take(self, key: str, kind: type = object) -> Any:
        """Takes a value out of the config.

        Args:
            key: its name.
            kind: the type that it must be of.

        Raises:
            DamagedFileError: it is missing, or of another type.
        """
        if key not in self.config:
            raise _damaged(self.path, f"{CONFIG} lacks {key}")
        value = self.config.pop(key)
        if kind is not object and type(value) is not kind:
            raise _damaged(
                self.path,
                f"{key} of {CONFIG} must be {kind.__name__}; received "
                f"{_shortened(repr(value))}",
            )
        return value

    @contextlib.contextmanager
    def explained(self, what: str) -> Iterator[None]:
        """Names the file, and what of it is wrong, in one line.

        Args:
            what: of the file is used inside.

        Raises:
            ValueError: it is not what it must be.
        """
        try:
            yield
        except DamagedFileError:
            raise
        # Keras and users' own classes fail in every way there is.
        except Exception as error:
            reason = _shortened(str(error)) or type(error).__name__
            raise ValueError(
                f"{self.path}: {what} cannot be made: {reason}"
            ) from error

    def tensor(self, name: str, like: tf.Tensor) -> tf.Tensor:
        """Returns one of the arrays.

        Args:
            name: of the array.
            like: a tensor of the dtype and shape that it must have.

        Raises:
            DamagedFileError: it is missing, or of another shape.
        """
        found = self.state.get(name)
        if found is None:
            raise _damaged(self.path, f"{STATE} lacks {name}")
        if found.shape != tuple(like.shape) or found.dtype.kind not in "biufV":
            raise _damaged(
                self.path,
                f"{name} of {STATE} must have numbers of shape "
                f"{list(like.shape)}; it has {found.dtype} {list(found.shape)}",
            )
        with self.explained(f"{name} of {STATE}"):
            return from_file(found, like.dtype)


def _config(content: bytes) -> dict[str, Any]:
    try:
        config = json_file.loads(content)
    except ValueError as error:
        raise ValueError(f"{CONFIG}: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{CONFIG} must hold settings by name")
    return config


def _state(content: bytes) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archives.require_stored(archive)
            return {
                name.removesuffix(".npy"): arrays.of_bytes(archive.read(name))
                for name in archive.namelist()
            }
    except _DAMAGE as error:
        raise ValueError(f"{STATE}: {error}") from error


def _damaged(path: str | os.PathLike, reason: str) -> DamagedFileError:
    return DamagedFileError(f"{path} is not a whole saved learner: {reason}")


def _shortened(text: str) -> str:
    return textwrap.shorten(text, 300, placeholder=" ...")
