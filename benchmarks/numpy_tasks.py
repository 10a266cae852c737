"""Few-shot tasks in NumPy, for the contestants that have no sampler."""

import numpy as np


class NumpyTasks:
    """N-way tasks from images in memory.

    Args:
        images: uint8 `[examples, height, width, channels]`, sorted by class.
        offsets: int `[classes + 1]`; class c owns offsets[c]:offsets[c+1].
        ways: N.
        shots: images of each class in the support set.
        seed: of the sequence of tasks.
    """

    def __init__(self, images, offsets, ways: int, shots: int, seed: int = 0):
        self._images, self._offsets = images, offsets
        self._ways, self._shots = ways, shots
        self._random = np.random.default_rng(seed)

    def sample(self):
        """Returns support images and labels, query images and labels."""
        classes = self._random.choice(
            len(self._offsets) - 1, self._ways, replace=False
        )
        rows = np.stack(
            [
                self._random.choice(
                    np.arange(*self._offsets[c : c + 2]),
                    self._shots + 1,
                    replace=False,
                )
                for c in classes
            ]
        )
        labels = np.arange(self._ways, dtype=np.int64)
        return (
            self._floats(rows[:, 1:].reshape(-1)),
            labels.repeat(self._shots),
            self._floats(rows[:, 0]),
            labels,
        )

    def mini_batches(self, x, y, steps: int, batch_size: int):
        """Yields batches in shuffled order, shuffled again at each end."""
        passes = -(-steps * batch_size // len(x))
        order = np.concatenate(
            [self._random.permutation(len(x)) for _ in range(passes)]
        )
        for i in range(steps):
            rows = order[i * batch_size : (i + 1) * batch_size]
            yield x[rows], y[rows]

    def _floats(self, rows):
        return self._images[rows].astype(np.float32) / 255


def load_tasks(settings) -> tuple[NumpyTasks, NumpyTasks]:
    """Returns training and test tasks as a worker's settings say."""
    preset, data = settings["preset"], np.load(settings["data"])
    train, test = (
        NumpyTasks(
            data[f"{part}_images"],
            data[f"{part}_offsets"],
            preset["ways"],
            preset[shots],
        )
        for part, shots in (("train", "training_shots"), ("test", "shots"))
    )
    return train, test
