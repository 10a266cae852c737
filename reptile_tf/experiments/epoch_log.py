"""The history of a run as a file, one line for each epoch."""

import csv
import os
import pathlib
from typing import Any

import keras

from reptile_tf.training.epochs import is_whole
from reptile_tf.utils.files import named_if_not_written, whole_file
from reptile_tf.utils.paths import local

NAME = "history.csv"


class EpochLog(keras.callbacks.CSVLogger):
    """Keras's, of whole epochs, and without an empty second column.

    Keras writes one where no name begins with val_. An epoch that was stopped
    is gone on with, and written when it is whole.
    """

    keys: list[str] | None

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Writes a line, to the disk."""
        if not is_whole(self.params, self.params["made"]):
            return
        if not self.keys:
            # Those of the lines before, whatever an older version wrote.
            path = pathlib.Path(self.filename)
            columns = read_history(path)[0] if path.exists() else []
            self.keys = columns[1:] or sorted(logs or {})
        with named_if_not_written(self.filename):
            super().on_epoch_end(epoch, logs)
            self.csv_file.flush()
            os.fsync(self.csv_file.fileno())


def read_history(path: str | os.PathLike) -> tuple[list[str], list[list[str]]]:
    """Returns a history's columns, and the cells of each line.

    A last line that was cut short, by a kill or a full disk, is left out.

    Args:
        path: of the file; an empty one has neither columns nor lines.

    Raises:
        ValueError: it is damaged.
    """
    path = local("path", path)
    try:
        text = path.read_text()
        whole = text[: text.rfind("\n") + 1]
        columns, *lines = list(csv.reader(whole.splitlines())) or [[]]
    except (ValueError, csv.Error) as error:
        raise _damaged(path, str(error)) from error
    if columns and columns[0] != "epoch":
        raise _damaged(path, "its first line has no column epoch")
    for number, cells in enumerate(lines, 2):
        if len(cells) != len(columns) or not cells[0].isdecimal():
            raise _damaged(path, f"line {number} is not of its columns")
    return columns, lines


def has_epochs(run: pathlib.Path) -> bool:
    """Returns whether a run folder has a history with a whole line.

    Raises:
        ValueError: it is damaged.
    """
    path = run / NAME
    return path.exists() and bool(read_history(path)[1])


def cut_history(path: str | os.PathLike, epochs: int) -> None:
    """Drops the lines of epochs that will be gone through again.

    Args:
        path: of the file.
        epochs: so many, the first ones, are kept.

    Raises:
        ValueError: the file is damaged.
    """
    columns, lines = read_history(path)
    kept = [cells for cells in lines if int(cells[0]) < epochs]
    with whole_file(path) as part, part.open("w", newline="") as file:
        if kept:
            csv.writer(file).writerows([columns, *kept])  # as Keras does


def continue_history(
    path: pathlib.Path, held: dict[str, Any], epochs: int
) -> None:
    """Makes the history of a run ready for more lines.

    Args:
        path: of the file, which need not be there.
        held: what the run's config.json says.
        epochs: so many are kept; the others will be gone through again.

    Raises:
        ValueError: the file is damaged.
    """
    if not path.exists():
        return
    if held and "along_the_way" not in held:
        # Until version 0.2 the accuracies along the way were of test classes;
        # lines of another kind are not written below them.
        path.rename(path.with_name("history_of_test_classes.csv"))
    else:
        cut_history(path, epochs)


def _damaged(path: str | os.PathLike, reason: str) -> ValueError:
    return ValueError(
        f"{path} is damaged: {reason}; mend that, or remove the file, which "
        "only tells how the training went"
    )
