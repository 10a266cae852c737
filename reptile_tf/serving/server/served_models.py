"""The models that are served: loaded in the background, and unloaded."""

import contextlib
import ctypes
import gc
import logging
import threading
from collections.abc import Callable, Iterator, Sequence

from reptile_tf.serving.server.model_config import ModelConfig, Source
from reptile_tf.serving.server.model_versions import (
    ModelVersions,
    NotFound,
    Version,
    no_version,
)
from reptile_tf.serving.server.saved_models import SavedModel

_log = logging.getLogger(__name__)


class ServedModels:
    """All models that are served.

    Args:
        source: says which models there are.
        tell: is called with the folder of what cannot be served, and why,
            once for each.
    """

    def __init__(
        self,
        source: Source,
        tell: Callable[[str, str], None] = lambda folder, why: _log.warning(
            "%s is left out: %s", folder, why
        ),
    ):
        self._source, self._tell = source, tell
        _leave_out_of_garbage()
        self._told: dict[str, str] = {}
        self._models: dict[str, ModelVersions] = {}
        self._one_at_a_time = threading.Lock()
        self._stopped = threading.Event()

    def refresh(self, at_once: bool = False) -> None:
        """Loads and unloads versions, as the folders have them now.

        Args:
            at_once: as of `Version.load`.
        """
        # Where a folder is gone, what is loaded goes on answering.
        configs: Sequence[ModelConfig] = []
        left_out: dict[str, str] = {}
        with contextlib.suppress(OSError):
            configs, left_out = self._source(), self._source.left_out()
        with self._one_at_a_time:
            changed = False
            for config in configs:
                model = self._models.get(config.name) or ModelVersions(config)
                self._models[config.name] = model
                with contextlib.suppress(OSError):
                    changed |= model.refresh(at_once)
            known = {config.name for config in configs}
            for name in set(self._models) - known if configs else ():
                if not self._models[name].loaded():
                    del self._models[name]
            if changed:
                _settle()
            left_out |= self._broken()
            for folder, why in left_out.items():
                if self._told.get(folder) != why:
                    self._tell(folder, why)
            self._told = left_out

    @contextlib.contextmanager
    def watched(self, seconds: float) -> Iterator[None]:
        """Refreshes the models every so many seconds while a block runs."""

        def watch() -> None:
            while not self._stopped.wait(seconds):
                try:
                    self.refresh()
                except Exception:  # the next time it may succeed
                    _log.exception("the models could not be looked at")

        thread = threading.Thread(target=watch, name="loading", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()

    def names(self) -> list[str]:
        """Returns the names of the models that answer."""
        return [
            name
            for name, model in sorted(self._models.items())
            if model.loaded()
        ]

    def get(
        self, name: str, number: int | None = None, label: str | None = None
    ) -> SavedModel:
        """Returns a version of a model that answers.

        Args:
            name: of the model.
            number: of the version.
            label: of the version; the highest answers without either.

        Raises:
            NotFound: there is none.
        """
        if name not in self._models:
            raise NotFound(f"Servable not found for request: Latest({name})")
        return self._models[name].get(number, label)

    def versions(
        self, name: str, number: int | None = None, label: str | None = None
    ) -> list[Version]:
        """Returns the versions of a model, highest first.

        Args:
            name: of the model.
            number: of one of them.
            label: of one of them.

        Raises:
            NotFound: there is none.
        """
        if name not in self._models:
            raise no_version(name, number)
        return self._models[name].asked(number, label)

    def most_numbers(self) -> int | None:
        """Returns how many numbers a request to any of them can have.

        None where one of them has no limit.
        """
        most = [
            version.model.most_numbers
            for versions in self.all_states().values()
            for version in versions
            if version.model is not None
        ]
        known = [numbers for numbers in most if numbers is not None]
        return None if len(known) < len(most) else max(known, default=0)

    def _broken(self) -> dict[str, str]:
        """Returns folder -> what is wrong, of versions that did not load."""
        return {
            str(model.config.folder / str(version.number)): (
                f"it cannot be loaded: {version.error_message}; export it "
                "again, or remove it"
            )
            for model in self._models.values()
            for version in model.states()
            if version.error_message
        }

    def all_states(self) -> dict[str, list[Version]]:
        """Returns name -> versions, highest first."""
        return {n: m.states() for n, m in sorted(self._models.items())}


def _leave_out_of_garbage() -> None:
    """Has the search for garbage pass over what is there before any model.

    To look through all imported modules takes a fifth of a second, in which
    nobody is answered; to look through a model takes a hundredth.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _settle() -> None:
    """Frees what was unloaded."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # other systems' C
        ctypes.CDLL(None).malloc_trim(0)  # which keeps what was freed
