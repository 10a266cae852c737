"""Arrays of NumPy's files, whatever size these say they have."""

import io
import math

import numpy as np
from numpy.lib import format as npy


def of_bytes(content: bytes) -> np.ndarray:
    """Returns the array of a .npy file.

    Args:
        content: of the file.

    Raises:
        ValueError: it is no such file, or holds objects, or another number of
            bytes than its header says.
    """
    file = io.BytesIO(content)
    if npy.read_magic(file) != (1, 0):
        raise ValueError("a .npy file must be of version 1.0")
    shape, _, dtype = npy.read_array_header_1_0(file)
    said, held = math.prod(shape) * dtype.itemsize, len(content) - file.tell()
    if said != held:  # or NumPy would make room first
        raise ValueError(
            f"an array of {dtype} {list(shape)} has {said:,} bytes, and the "
            f"file holds {held:,}"
        )
    return np.load(io.BytesIO(content), allow_pickle=False)
