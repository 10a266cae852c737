"""The versions of a model: loaded, answering, and unloaded."""

import contextlib
import dataclasses
import logging
import os
import pathlib
import time

import tensorflow as tf
from tensorflow.core.protobuf import error_codes_pb2

from reptile_tf.serving.server.model_config import ModelConfig
from reptile_tf.serving.server.saved_models import SavedModel
from reptile_tf.utils import machine

_PAUSE = 60.0  # seconds until a version that failed is tried again
_MOST_TRIES = 5  # as long as its files stay what they are
_MOST_FILES = 10_000  # of a version, that are looked at

_log = logging.getLogger(__name__)


class NotFound(LookupError):
    """There is no such model or version."""


@dataclasses.dataclass
class Version:
    """One version of a model, in the states that TF Serving has for it.

    Attributes:
        number: of the version.
        state: START, LOADING, AVAILABLE or END.
        error_message: why it could not be loaded; "" if it could.
        error_code: TensorFlow's code of that.
        model: that answers, while the state is AVAILABLE.
    """

    number: int
    state: str = "START"
    error_code: int = error_codes_pb2.OK
    error_message: str = ""
    model: SavedModel | None = None
    # Its files as they were last seen, and when it was tried to load them.
    _seen: object = None
    _tried: object = None
    _tries: int = 0
    _time: float = -_PAUSE

    def load(self, folder: pathlib.Path, at_once: bool) -> bool:
        """Loads it, if it is not loaded and may be tried; says if it is.

        Args:
            folder: of the version.
            at_once: whether it is tried, although its files may still be
                changing, as they do while they are copied; as when the server
                starts, and has nobody to answer yet.
        """
        if self.model is not None:
            return True
        files = _files(folder)
        settled, self._seen = files == self._seen, files
        if files != self._tried:
            self._tries = 0
        elif time.monotonic() - self._time < _PAUSE:
            return False
        if not (settled or at_once) or self._tries >= _MOST_TRIES:
            return False
        self._tried, self._tries = files, self._tries + 1
        self.state, self.error_code, self.error_message = "LOADING", 0, ""
        try:
            model = SavedModel(folder)
            model.warm_up(machine.cores() if at_once else 1)
        except Exception as error:  # whatever a stranger's file brings about
            self._fail(error)
        else:
            self.model, self.state = model, "AVAILABLE"
            _log.info("%s is loaded", folder)
        self._time = time.monotonic()
        return self.model is not None

    def unload(self, folder: pathlib.Path) -> None:
        """Answers no more; whatever is being computed ends as it would."""
        self.model, self.state = None, "END"
        self._tried = None  # it may come back
        _log.info("%s is unloaded", folder)

    def _fail(self, error: Exception) -> None:
        self.error_code = error_codes_pb2.UNKNOWN
        if isinstance(error, tf.errors.OpError):
            self.error_code = error.error_code
        said = " ".join(str(error).split())[:500]
        self.error_message = f"{type(error).__name__}: {said}"
        self.state = "END"


def _files(folder: pathlib.Path) -> list[tuple[str, int, int]]:
    """Returns what tells whether files have changed."""
    found: list[tuple[str, int, int]] = []
    for where, _, names in os.walk(folder):
        for name in names[: _MOST_FILES - len(found)]:
            path = os.path.join(where, name)
            with contextlib.suppress(OSError):
                about = os.stat(path)
                found.append((path, about.st_size, about.st_mtime_ns))
    return sorted(found)


class ModelVersions:
    """The versions of a model.

    Args:
        config: which versions are served.
    """

    def __init__(self, config: ModelConfig):
        self.config = config
        self._versions: dict[int, Version] = {}

    def refresh(self, at_once: bool = False) -> bool:
        """Loads and unloads versions, as the folder has them now.

        A version is unloaded when another is loaded in its place. So it goes on
        answering where that one cannot be loaded, and where the folder is gone.

        Args:
            at_once: as of `Version.load`.

        Returns:
            Whether a version was loaded or unloaded.
        """
        candidates = self.config.candidates()
        before = self.loaded()
        chosen: list[int] = []
        for number in candidates:
            if len(chosen) == self.config.newest:
                break
            version = self._versions.setdefault(number, Version(number))
            if version.load(self._folder(number), at_once):
                chosen.append(number)
        for number in before if chosen else []:
            if number not in chosen:
                self._versions[number].unload(self._folder(number))
        for number, version in list(self._versions.items()):
            if number not in candidates and version.model is None:
                del self._versions[number]
        return before != self.loaded()

    def get(self, number: int | None, label: str | None) -> SavedModel:
        """Returns a version that answers.

        Args:
            number: of the version.
            label: of the version; the highest answers without either.

        Raises:
            NotFound: there is none.
        """
        number = self._number(number, label)
        loaded = {
            version.number: model
            for version in self.states()
            if (model := version.model) is not None
        }
        wanted = max(loaded, default=None) if number is None else number
        if wanted not in loaded:
            which = "Latest" if number is None else f"Specific({number})"
            raise NotFound(
                f"Servable not found for request: {which}({self.config.name})"
            )
        return loaded[wanted]

    def asked(self, number: int | None, label: str | None) -> list[Version]:
        """Returns the versions that a number or a label means; all by default.

        Raises:
            NotFound: there is none.
        """
        number = self._number(number, label)
        found = [v for v in self.states() if number in (None, v.number)]
        if not found:
            raise no_version(self.config.name, number)
        return found

    def loaded(self) -> set[int]:
        """Returns the versions that answer."""
        return {v.number for v in self.states() if v.model is not None}

    def _number(self, number: int | None, label: str | None) -> int | None:
        if label is None:
            return number
        if label not in self.config.labels:
            raise NotFound(
                f"Unrecognized servable version label: {label}; model "
                f"{self.config.name} has "
                f"{', '.join(self.config.labels) or 'none'}"
            )
        return self.config.labels[label]

    def states(self) -> list[Version]:
        """Returns the versions, highest first."""
        known = list(self._versions.values())
        return sorted(known, key=lambda v: v.number, reverse=True)

    def _folder(self, number: int) -> pathlib.Path:
        return self.config.folder / str(number)


def no_version(name: str, number: int | None) -> NotFound:
    """Returns the error of a model, or of a version, that there is not."""
    which = "any versions" if number is None else f"version {number}"
    return NotFound(f"Could not find {which} of model {name}")
