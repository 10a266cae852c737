"""From a preset to its tasks and its learner."""

import contextlib
import os
from collections.abc import Iterator

import keras
import tensorflow as tf

from reptile_tf import algorithms
from reptile_tf.algorithms.optimizers import INNER_OPTIMIZERS
from reptile_tf.data import sources
from reptile_tf.data.splits import TaskSplits
from reptile_tf.data.task import Tasks
from reptile_tf.experiments.preset import Preset
from reptile_tf.models import NETWORKS
from reptile_tf.training import task_checks
from reptile_tf.training.learner import MetaLearner
from reptile_tf.training.meta_optimizer import META_OPTIMIZERS, linear_decay
from reptile_tf.utils.validation import require_at_least


def require_possible(preset: Preset) -> None:
    """Refuses settings that contradict each other, whatever the data are.

    Raises:
        ValueError: names the setting, the value, and what would do.
    """
    source = sources.get(preset.dataset)
    algorithm = algorithms.from_name(preset.algorithm)
    inner = INNER_OPTIMIZERS[preset.inner_optimizer](preset.learning_rate)
    algorithm.require(preset.inner_steps, inner)
    size = source.support_size(preset)
    if size is None:
        task_checks.require_any_size(algorithm, preset)
    else:
        algorithm.require_examples(
            size, preset.inner_steps, preset.inner_batch_size
        )
    if algorithm.needs_query:
        require_at_least(1, query_shots=preset.query_shots)


def make_tasks(
    preset: Preset, seed: int, data_dir: str | os.PathLike | None = None
) -> TaskSplits:
    """Returns the training, validation and test tasks of a preset.

    Args:
        preset: the experiment.
        seed: of the split by class and of all sequences of tasks.
        data_dir: TFDS's data_dir; TFDS's default if None.

    Raises:
        ValueError: the settings contradict each other, the data set is
            unknown, its data are not there, or the tasks ask more of it than
            it has.
    """
    require_possible(preset)
    return sources.get(preset.dataset).tasks(preset, seed, data_dir)


def input_shape(tasks: Tasks) -> tuple[int, ...]:
    """Returns the shape of one example, without the batch."""
    first = tasks.sample(tf.constant(0, tf.int64))
    return tuple(first.support_x.shape[1:])


def make_learner(
    preset: Preset, seed: int, input_shape: tuple[int, ...]
) -> MetaLearner:
    """Returns an untrained learner of a preset.

    Args:
        preset: the experiment.
        seed: of the initial weights.
        input_shape: of one example, without the batch.

    Raises:
        ValueError: the settings contradict each other.
    """
    require_possible(preset)
    source = sources.get(preset.dataset)
    if preset.network != "sine_mlp" and len(input_shape) != 3:
        known = "network=sine_mlp"
        if len(input_shape) != 1:
            known = "rt.MetaLearner with a model of your own"
        raise ValueError(
            f"network={preset.network} takes pictures; the examples of "
            f"dataset={preset.dataset} have shape {list(input_shape)}: use "
            f"{known}"
        )
    keras.utils.set_random_seed(seed)
    with _precision(preset.mixed_precision):
        model = NETWORKS[preset.network](source.outputs(preset), input_shape)
    inner = INNER_OPTIMIZERS[preset.inner_optimizer](preset.learning_rate)
    return MetaLearner(
        model,
        inner_optimizer=inner,
        algorithm=preset.algorithm,
        meta_optimizer=linear_decay(
            preset.outer_step_size,
            preset.outer_iterations,
            META_OPTIMIZERS[preset.meta_optimizer],
            global_clipnorm=preset.clip_norm or None,
        ),
        loss=source.loss and keras.losses.get(source.loss),
        metric=source.metric and keras.metrics.get(source.metric),
        **preset.learner_settings(),
    )


@contextlib.contextmanager
def _precision(mixed: str | None) -> Iterator[None]:
    """Has layers compute with floats of 16 bits, where they are named."""
    before = keras.config.dtype_policy()
    try:
        if mixed is not None:
            keras.config.set_dtype_policy(f"mixed_{mixed}")
        yield
    finally:
        keras.config.set_dtype_policy(before)


def example_gradients(preset: Preset) -> int:
    """Returns the gradients of an example's loss in an outer iteration.

    They are those of the inner steps, n k B, and those of the query sets where
    the algorithm takes their gradient.
    """
    each = preset.inner_steps * preset.inner_batch_size
    if algorithms.from_name(preset.algorithm).needs_query:
        each += sources.get(preset.dataset).query_size(preset)
    return preset.meta_batch_size * each
