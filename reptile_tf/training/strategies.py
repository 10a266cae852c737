"""Strategies of tf.distribute, made of what a machine has."""

import tensorflow as tf


def mirrored(logical_devices: int | None = None) -> tf.distribute.Strategy:
    """Returns a strategy over this process's devices.

    Args:
        logical_devices: into how many devices the processor is divided, at
            least 1, which is only possible before TensorFlow does anything;
            all GPUs if None.

    Raises:
        ValueError: there is no GPU, or TensorFlow has begun.
    """
    if logical_devices is None:
        if not tf.config.list_physical_devices("GPU"):
            raise ValueError(
                "strategy=mirrored uses all GPUs, and TensorFlow finds none; "
                "--logical_devices=2 divides the processor into two devices"
            )
        return tf.distribute.MirroredStrategy()
    [processor] = tf.config.list_physical_devices("CPU")
    try:
        tf.config.set_logical_device_configuration(
            processor,
            [tf.config.LogicalDeviceConfiguration()] * logical_devices,
        )
    except RuntimeError as error:
        raise ValueError(
            f"logical_devices={logical_devices} must be said before TensorFlow "
            "does anything"
        ) from error
    names = [f"/CPU:{i}" for i in range(logical_devices)]
    return tf.distribute.MirroredStrategy(names)
