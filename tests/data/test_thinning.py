"""Tests of thinning: what stays of strokes, dots, diagonals and holes."""

import numpy as np

from reptile_tf.data.thinning import thin


def test_thin_leaves_the_middle_of_a_stroke():
    ink = np.zeros((9, 20), bool)
    ink[2:7, 2:18] = True
    line = thin(ink)
    rows, columns = np.nonzero(line)
    assert set(rows) == {4}
    assert set(np.diff(columns)) == {1}
    assert len(columns) > 10


def test_thin_keeps_dots_and_diagonals():
    ink = np.zeros((20, 20), bool)
    ink[2:4, 15:17] = True
    steps = np.arange(3, 15)
    ink[steps, steps] = ink[steps + 1, steps] = True
    line = thin(ink)
    assert line[2:4, 15:17].any()
    assert line[:, :15].any(axis=1).sum() > 10


def test_thin_keeps_holes():
    ink = np.zeros((16, 16), bool)
    ink[2:14, 2:14] = True
    ink[6:10, 6:10] = False
    line = thin(ink)
    assert not line[6:10, 6:10].any()
    for around in (line[:8, 8], line[8:, 8], line[8, :8], line[8, 8:]):
        assert around.sum() == 1
