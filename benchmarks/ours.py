"""Contestant: `reptile_tf`, through `fit` and `evaluate`."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf
from worker import load_settings, serve

from reptile_tf.algorithms import mini_batches
from reptile_tf.data.episodes import Episodes
from reptile_tf.data.labelled_examples import LabelledExamples
from reptile_tf.experiments import build
from reptile_tf.experiments.preset import Preset
from reptile_tf.utils import machine


def load_tasks(data, preset: Preset) -> tuple[Episodes, Episodes]:
    """Returns training and test tasks of the arrays in the file `data`."""
    arrays = np.load(data)
    train, test = (
        LabelledExamples(arrays[f"{part}_images"], arrays[f"{part}_offsets"])
        for part in ("train", "test")
    )
    return (
        Episodes(train, preset.ways, preset.training_shots, preset.query_shots),
        Episodes(test, preset.ways, preset.shots, seed=1),
    )


class _RunTimer(keras.callbacks.Callback):
    """Times the iterations, without what `fit` does before the first."""

    def __init__(self, timer):
        super().__init__()
        self._timer = timer

    def on_train_begin(self, logs=None):
        self._timer.start()

    def on_train_end(self, logs=None):
        self._timer.stop()


def train(learner, tasks, count: int, timer) -> None:
    """Makes `count` outer iterations."""
    learner.fit(
        tasks,
        learner.iteration + count,
        iterations_per_epoch=learner.iteration + count,
        callbacks=[_RunTimer(timer)],
        verbose=0,
    )


def sampler(learner, tasks):
    """Returns the compiled function that does nothing but make the input.

    A meta-batch's tasks and the mini-batches of every inner step, as `fit`
    makes them.
    """

    def one(index):
        task = tasks.sample(index)
        rows = mini_batches(
            task.key,
            task.support_x.shape[0],
            learner.settings.inner_steps,
            learner.settings.inner_batch_size,
        )
        return (
            tf.gather(task.support_x, rows),
            tf.gather(task.support_y, rows),
            task.query_x,
            task.query_y,
        )

    @tf.function(autograph=False)
    def sample(first):
        indices = first + tf.range(
            learner.settings.meta_batch_size, dtype=tf.int64
        )
        return tf.map_fn(
            one,
            indices,
            fn_output_signature=(
                tf.float32,
                tf.int32,
                tf.float32,
                tf.int32,
            ),
            parallel_iterations=1,
        )

    return sample


def main():
    """Serves the benchmark."""
    settings = load_settings()
    machine.configure_tensorflow(
        settings["intra_op_threads"], settings["inter_op_threads"]
    )
    preset = dataclasses.replace(
        Preset(**settings["preset"]),
        meta_batch_mode=settings["meta_batch_mode"],
    )
    tasks, test_tasks = load_tasks(settings["data"], preset)
    learner = build.make_learner(preset, 0, tasks.input_shape)
    make_input = sampler(learner, tasks)

    def evaluate(count, timer):
        timer.start()
        learner.evaluate(test_tasks, count, modes=("transductive",))
        timer.stop()

    def sample(count, timer):
        timer.start()
        for i in range(count):
            make_input(tf.constant(i, tf.int64))
        timer.stop()

    serve(
        {
            "train": lambda count, timer: train(learner, tasks, count, timer),
            "evaluate": evaluate,
            "sample": sample,
        },
        versions={"tensorflow": tf.__version__, "keras": keras.__version__},
    )


if __name__ == "__main__":
    main()
