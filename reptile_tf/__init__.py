"""Reptile meta-learning for TensorFlow and Keras.

Reference: Nichol, Achiam, Schulman, On First-Order Meta-Learning Algorithms
(2018).
"""

from reptile_tf import models
from reptile_tf.algorithms.meta_gradients import (
    ANIL,
    FOMAML,
    MAML,
    GradientCombination,
    Reptile,
)
from reptile_tf.algorithms.optimizers import SGD, Adam, linear_decay
from reptile_tf.data.classes import ClassImages
from reptile_tf.data.episodes import Episodes
from reptile_tf.data.sine import SineWaves
from reptile_tf.data.sources.registry import load_classes
from reptile_tf.data.task import Task
from reptile_tf.training.checkpoints import Checkpoint
from reptile_tf.training.evaluation_modes import Score
from reptile_tf.training.learner import MetaLearner

__all__ = [
    "ANIL",
    "FOMAML",
    "MAML",
    "SGD",
    "Adam",
    "Checkpoint",
    "ClassImages",
    "Episodes",
    "GradientCombination",
    "MetaLearner",
    "Reptile",
    "Score",
    "SineWaves",
    "Task",
    "linear_decay",
    "load_classes",
    "models",
]
