"""What an evaluation found, as a file: read, or refused by its name."""

import os
from typing import Any

from reptile_tf.training import score


def read_entries(path: str | os.PathLike) -> list[dict[str, Any]]:
    """Returns the scores, with what they are of, that a JSON file holds.

    Args:
        path: of an evaluation.json or the like, of whatever version.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        entries = score.read_entries(path)
        if not entries or not all("num_tasks" in entry for entry in entries):
            raise TypeError("it must hold a list of evaluations")
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is damaged: {error}; remove it, and evaluate again"
        ) from error
    return entries
