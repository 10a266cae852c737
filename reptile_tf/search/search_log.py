"""A search's log: lines of JSON, each sealed with those before it.

What was asked and how it did is all that a search is; nothing else is kept.
Several processes, on several machines, write to one log: whoever reads or
writes holds its lock, which the system opens when its holder dies.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any

from reptile_tf.experiments.run_settings import SEARCH
from reptile_tf.utils import locks
from reptile_tf.utils.files import named_if_not_written
from reptile_tf.utils.paths import local

NAME = SEARCH
_SEAL = "seal"
# For the log, in seconds: others read and write a few lines, or draw a
# generation.
_PATIENCE = 300.0
_REMEDY = "if one of the search's processes is stopped, let it go on or end it"


class SearchLog:
    """The log of a search.

    Args:
        folder: of the search.
    """

    def __init__(self, folder: str | os.PathLike):
        self._folder = local("run_dir", folder)
        self.path = self._folder / NAME

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keeps all others from the log.

        Raises:
            TimeoutError: another has kept it for minutes.
        """
        path = self._folder / "locks" / "log.lock"
        with locks.held(path, _REMEDY, _PATIENCE):
            yield

    def read(self) -> list[dict[str, Any]]:
        """Returns its entries; a last line torn by a kill is left out.

        Raises:
            ValueError: it is damaged, or was edited.
        """
        return self._read()[0]

    def append(self, entry: dict[str, Any]) -> None:
        """Writes an entry to the disk. The log must be held.

        Args:
            entry: what JSON can hold; NaN and infinity it cannot.

        Raises:
            NotWrittenError: it cannot be written; the log is as it was.
        """
        _, seal, size = self._read()
        line = json.dumps(entry | {_SEAL: _sealed(seal, entry)}) + "\n"
        with named_if_not_written(self.path):
            with self.path.open("ab") as file:
                file.truncate(size)
                try:
                    file.write(line.encode())
                    file.flush()
                    os.fsync(file.fileno())
                except OSError:
                    with contextlib.suppress(OSError):
                        file.truncate(size)
                    raise

    def _read(self) -> tuple[list[dict[str, Any]], str, int]:
        """Returns the entries, the last seal, and the size of both in bytes."""
        content = self.path.read_bytes() if self.path.exists() else b""
        size = content.rfind(b"\n") + 1
        seal, entries = "", []
        for number, line in enumerate(content[:size].splitlines(), 1):
            try:
                entry = json.loads(line)
                given = entry.pop(_SEAL)
                seal = _sealed(seal, entry)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise self._damaged(number, f"is damaged: {error}") from error
            if given != seal:
                raise self._damaged(number, "was edited, or one before it was")
            entries.append(entry)
        return entries, seal, size

    def _damaged(self, number: int, reason: str) -> ValueError:
        return ValueError(
            f"{self.path}: line {number} {reason}; a search goes on from what "
            "was found, not from what was changed: put back a copy of the log, "
            "or search into another run_dir"
        )


def _sealed(seal: str, entry: dict[str, Any]) -> str:
    """Returns the seal of an entry that follows one with another seal."""
    text = seal + json.dumps(entry, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
