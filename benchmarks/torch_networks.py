"""The networks of `reptile_tf.models`, of PyTorch's layers.

PyTorch pads on all sides alike, where Keras's "same" pads the odd pixel at the
end. The images of a stride of two are of an even height or of as much padding
on both sides, so the networks here are the mirror images of Keras's.
"""

from torch import nn


def omniglot_cnn(ways: int) -> nn.Sequential:
    """The same network as `reptile_tf.models.omniglot_cnn`."""
    layers, channels = [], 1
    for _ in range(4):
        layers += [
            nn.Conv2d(channels, 64, 3, stride=2, padding=1),
            _normalization(64),
            nn.ReLU(),
        ]
        channels = 64
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2 * 2 * 64, ways))


def mini_imagenet_cnn(ways: int) -> nn.Sequential:
    """The same network as `reptile_tf.models.mini_imagenet_cnn`."""
    layers, channels = [], 3
    for _ in range(4):
        layers += [
            nn.Conv2d(channels, 32, 3, padding=1),
            _normalization(32),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.ReLU(),
        ]
        channels = 32
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(6 * 6 * 32, ways))


def _normalization(channels):
    # By the statistics of the batch alone, as in the paper: moving averages
    # would cost time and serve nothing.
    return nn.BatchNorm2d(channels, eps=1e-3, track_running_stats=False)


NETWORKS = {
    network.__name__: network for network in (omniglot_cnn, mini_imagenet_cnn)
}
