"""What a run writes for TensorBoard, and how that is gone on with."""

import pathlib

import keras
import tensorflow as tf
from tensorboard.backend.event_processing.event_file_loader import (
    RawEventFileLoader,
)

from reptile_tf.data.splits import TaskSplits
from reptile_tf.experiments.task_image import TaskImage
from reptile_tf.training.learner import MetaLearner
from reptile_tf.training.tensorboard import TensorBoard
from reptile_tf.utils.files import whole_file


def writers(
    folder: pathlib.Path, learner: MetaLearner, tasks: TaskSplits
) -> list[keras.callbacks.Callback]:
    """Returns the callbacks that write a run's logs.

    What is there of iterations that the learner has not made is dropped: they
    are made again, and there would be two values at a step.

    Args:
        folder: of the logs; need not be there.
        learner: that is trained.
        tasks: of the run.
    """
    _cut(folder, learner.iteration)
    picture = TaskImage(folder / "task", tasks.validation, learner.evaluator)
    return [TensorBoard(folder), picture]


def _cut(folder: pathlib.Path, iteration: int) -> None:
    for path in sorted(folder.rglob("events.out.tfevents.*")):
        # A last record that a kill cut short is left out.
        records = list(RawEventFileLoader(str(path)).Load())
        kept = [
            record
            for record in records
            if tf.compat.v1.Event.FromString(record).step <= iteration
        ]
        if len(kept) < len(records):
            with (
                whole_file(path) as part,
                tf.io.TFRecordWriter(str(part)) as file,
            ):
                for record in kept:
                    file.write(record)
