"""Where the windows of convolutions and of pooling lie."""

import numpy as np


def along_a_side(
    size: int, window: int, stride: int, padding: str
) -> tuple[np.ndarray, tuple[int, int]]:
    """Returns the pixels that windows see along one side of an image.

    Args:
        size: pixels of the image.
        window: pixels of a window.
        stride: between windows.
        padding: "SAME" or "VALID".

    Returns:
        (pixels, pads): `[windows, window]`, numbers of pixels of the padded
        image; and how many pixels are put before and after the image.
    """
    if padding == "SAME":
        count = -(-size // stride)
        missing = max((count - 1) * stride + window - size, 0)
    else:
        count, missing = (size - window) // stride + 1, 0
    first = stride * np.arange(count)[:, np.newaxis]
    return first + np.arange(window), (missing // 2, missing - missing // 2)
