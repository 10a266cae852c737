"""Thinning: strokes become the lines in their middle."""

import functools

import numpy as np


def thin(ink: np.ndarray) -> np.ndarray:
    """Thins strokes to lines one pixel wide.

    Args:
        ink: bool array of shape (height, width).

    Returns:
        bool array of the same shape: a part of `ink`, in as many pieces.

    Reference:
        Guo and Hall, "Parallel thinning with two-subiteration algorithms",
        Communications of the ACM 32(3), 1989, algorithm A1.
    """
    padded = np.pad(ink, 1)
    row = padded.shape[1]
    # P2 to P9 of the paper: clockwise, from the pixel above.
    steps = np.array([-row, 1 - row, 1, row + 1, row, row - 1, -1, -row - 1])
    flat = padded.reshape(-1)
    inked = None
    while inked != (inked := np.count_nonzero(flat)):
        for removable in _removable():
            pixels = np.flatnonzero(flat)
            around = flat[pixels[:, None] + steps] @ (1 << np.arange(8))
            flat[pixels[removable[around]]] = False
    return padded[1:-1, 1:-1]


@functools.cache
def _removable():
    """Tells which of 256 neighbourhoods lose their pixel, step by step."""
    p = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(bool)
    sides, corners = p[:, ::2], p[:, 1::2]  # P2, P4, P6, P8; P3, P5, P7, P9
    after = corners | np.roll(sides, -1, axis=1)
    crossings = (~sides & after).sum(axis=1)
    neighbours = np.minimum(after.sum(axis=1), (sides | corners).sum(axis=1))
    edge = (crossings == 1) & (neighbours >= 2) & (neighbours <= 3)
    p2, p3, p4, p5, p6, p7, p8, p9 = p.T
    return edge & ~((p6 | p7 | ~p9) & p8), edge & ~((p2 | p3 | ~p5) & p4)
