"""Algorithms that users write."""

import dataclasses

import keras
import numpy as np
import pytest
from toys import Constants, regression, snapshot, weight

from reptile_tf import Algorithm, Lesson, MetaLearner
from reptile_tf.algorithms import adapt_to_support


@dataclasses.dataclass(frozen=True)
class Part(Algorithm):
    """A part of Reptile's way."""

    part: float = 0.5

    def __call__(self, loop, phi, state, task):
        weights, state, loss = adapt_to_support(loop, phi, state, task)
        return Lesson(self.part * (phi - weights), weights, state, loss)


@keras.saving.register_keras_serializable("tests")
class RegisteredPart(Part):
    pass


def test_by_hand():
    """Two steps leave a quarter of the distance to 8; half of the way to 6."""
    learner = regression(algorithm=Part(0.5), inner_steps=2, meta_batch_size=1)
    learner.fit(Constants(8), 1, verbose=0)
    assert weight(learner.model) == 3.0


def test_saved_and_loaded_it_goes_on_alike(tmp_path):
    for algorithm, known in (
        (Part(0.25), {"Part": Part}),
        (RegisteredPart(0.75), None),
    ):
        one = regression(algorithm=algorithm, inner_steps=1, meta_batch_size=1)
        one.fit(Constants(8, 4, 2), 1, verbose=0)
        one.save(tmp_path / "one.zip")
        other = MetaLearner.load(tmp_path / "one.zip", known)
        assert other.algorithm == algorithm
        for learner in (one, other):
            learner.fit(Constants(8, 4, 2), 3, verbose=0)
        for a, b in zip(snapshot(one), snapshot(other), strict=True):
            np.testing.assert_array_equal(a, b)


def test_an_unknown_one_says_what_to_do(tmp_path):
    regression(algorithm=Part()).save(tmp_path / "one.zip")
    with pytest.raises(ValueError, match="algorithm.*'Part'.*custom_objects"):
        MetaLearner.load(tmp_path / "one.zip")


def test_one_that_cannot_be_saved_says_so(tmp_path):
    class Other(Part):
        __call__ = Part.__call__

    class NoDataclass(Algorithm):
        def __init__(self, part):
            self.part = part

        __call__ = Part.__call__

    regression(algorithm=Other(0.25)).save(tmp_path / "one.zip")
    with pytest.raises(ValueError, match="algorithm=.* a dataclass"):
        regression(algorithm=NoDataclass(0.5)).save(tmp_path / "two.zip")
    assert not (tmp_path / "two.zip").exists()
