"""From a preset to tasks and a learner."""

import keras

from reptile_tf import models
from reptile_tf.algorithms import meta_gradients, optimizers
from reptile_tf.data.episodes import Episodes
from reptile_tf.data.sine import SineWaves
from reptile_tf.data.sources.registry import load_classes
from reptile_tf.experiments.presets import Preset
from reptile_tf.training.learner import MetaLearner

# Added to a run's seed, so that test tasks are another sequence than training
# tasks even where both are drawn from one distribution.
_TEST_STREAM = 1 << 32


def make_tasks(preset: Preset, seed: int, data_dir=None):
    """Returns the training and the test tasks of a preset.

    Args:
        preset: the experiment.
        seed: of the split by class and of both sequences of tasks.
        data_dir: TFDS's data_dir; TFDS's default if None.

    Raises:
        ValueError: the data set is unknown, its data are not there, or the
            tasks ask more of it than it has.
    """
    test_seed = seed + _TEST_STREAM
    if preset.dataset == "sine":
        return (
            SineWaves(preset.training_shots, seed),
            SineWaves(preset.shots, test_seed),
        )
    train, test = load_classes(
        preset.dataset, data_dir, split=preset.split, seed=seed
    )
    return (
        _episodes(train, preset, "training_shots", preset.query_shots, seed),
        _episodes(test, preset, "shots", 1, test_seed),
    )


def _episodes(classes, preset, shots: str, query_shots: int, seed):
    """Returns episodes of `preset.<shots>` shots; errors name that setting."""
    size = int(classes.sizes.min())
    if getattr(preset, shots) + query_shots > size:
        raise ValueError(
            f"{shots}={getattr(preset, shots)}, with query_shots={query_shots} "
            f"images more for the query set, is more than the {size} images "
            f"that a class of {preset.dataset} has; use at most "
            f"{size - query_shots}"
        )
    return Episodes(
        classes, preset.ways, getattr(preset, shots), query_shots, seed
    )


def make_learner(preset: Preset, seed: int, input_shape) -> MetaLearner:
    """Returns an untrained learner of a preset.

    Args:
        preset: the experiment.
        seed: of the initial weights.
        input_shape: of one example, without the batch.
    """
    keras.utils.set_random_seed(seed)
    loss, metric = None, None  # classification's
    if preset.network == "sine_mlp":
        model = models.sine_mlp()
        loss = keras.losses.MeanSquaredError()
        metric = keras.metrics.MeanSquaredError()
    else:
        model = models.NETWORKS[preset.network](preset.ways, input_shape)
    return MetaLearner(
        model,
        inner_optimizer=preset.make_inner_optimizer(),
        inner_steps=preset.inner_steps,
        inner_batch_size=preset.inner_batch_size,
        meta_batch_size=preset.meta_batch_size,
        meta_batch_mode=preset.meta_batch_mode,
        meta_gradient=meta_gradients.parse(preset.meta_gradient),
        meta_optimizer=optimizers.linear_decay(
            preset.outer_step_size,
            preset.outer_iterations,
            optimizers.META_OPTIMIZERS[preset.meta_optimizer],
            global_clipnorm=preset.clip_norm or None,
        ),
        loss=loss,
        metric=metric,
        loss_reduction=preset.loss_reduction,
        eval_inner_steps=preset.eval_inner_steps,
        eval_inner_batch_size=preset.eval_inner_batch_size,
    )
