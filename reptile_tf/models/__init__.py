"""The networks of the paper, and the layer that they normalize with."""

from reptile_tf.models.batch_normalization import BatchNormalization
from reptile_tf.models.networks import (
    NETWORKS,
    mini_imagenet_cnn,
    omniglot_cnn,
    sine_mlp,
)
from reptile_tf.utils import backend

backend.require_tensorflow()

__all__ = [
    "NETWORKS",
    "BatchNormalization",
    "mini_imagenet_cnn",
    "omniglot_cnn",
    "sine_mlp",
]
