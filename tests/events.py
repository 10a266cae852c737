"""Reads what was written for TensorBoard."""

import collections
import re

import tensorflow as tf
from tensorboard.backend.event_processing.event_file_loader import (
    RawEventFileLoader,
)


def numbers(path) -> list[int]:
    """Returns the numbers in a file's name: when it was begun, and which."""
    return list(map(int, re.findall(r"\d+", path.name)))


def steps(folder) -> dict[str, list[int]]:
    """Returns the steps of each name, in the order of the files."""
    found = collections.defaultdict(list)
    for path in sorted(folder.rglob("events.out.tfevents.*"), key=numbers):
        for record in RawEventFileLoader(str(path)).Load():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                found[value.tag].append(event.step)
    return dict(found)
