"""Reads what was written for TensorBoard."""

import collections

import tensorflow as tf
from tensorboard.backend.event_processing.event_file_loader import (
    RawEventFileLoader,
)


def steps(folder) -> dict[str, list[int]]:
    """Returns the steps of each name, in the order of the files."""
    found = collections.defaultdict(list)
    for path in sorted(folder.rglob("events.out.tfevents.*")):
        for record in RawEventFileLoader(str(path)).Load():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                found[value.tag].append(event.step)
    return dict(found)
