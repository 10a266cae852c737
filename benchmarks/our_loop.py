"""What the benchmarks do with a learner: train it, and time its input."""

import keras
import numpy as np
import tensorflow as tf

from reptile_tf.algorithms import mini_batches
from reptile_tf.data.episodes import Episodes
from reptile_tf.data.labelled_examples import LabelledExamples
from reptile_tf.experiments.preset import Preset


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


def random_tasks(preset: Preset) -> Episodes:
    """Returns training tasks of noise, of the size that the network takes."""
    shape = {"omniglot_cnn": (28, 28, 1), "mini_imagenet_cnn": (84, 84, 3)}
    noise = np.random.default_rng(0)
    images = noise.integers(0, 256, (500, *shape[preset.network]), np.uint8)
    classes = LabelledExamples(images, np.arange(0, 501, 20))
    return Episodes(
        classes, preset.ways, preset.training_shots, preset.query_shots
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
