"""Reptile meta-learning for TensorFlow and Keras.

Reference: Nichol, Achiam, Schulman, On First-Order Meta-Learning Algorithms
(2018).
"""

from reptile_tf import models
from reptile_tf.checkpoints import Checkpoint
from reptile_tf.data.classes import ClassImages
from reptile_tf.data.episodes import Episodes
from reptile_tf.data.sine import SineWaves
from reptile_tf.data.sources import load_classes
from reptile_tf.data.tasks import Task
from reptile_tf.evaluation import Score
from reptile_tf.meta_gradients import (
    ANIL,
    FOMAML,
    MAML,
    GradientCombination,
    Reptile,
)
from reptile_tf.meta_learner import MetaLearner
from reptile_tf.optimizers import SGD, Adam, linear_decay

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
