"""The environment of all tests, and a data set small enough to reason about."""

import gc
import os
import signal

# Before TensorFlow is imported, which reads it once.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from reptile_tf.utils import machine

machine.configure_tensorflow()

import numpy as np
import pytest
import tensorflow as tf

from reptile_tf.data.labelled_examples import LabelledExamples

# On a GPU, too, numbers are compared that were computed in float32.
tf.config.experimental.enable_tensor_float_32_execution(False)

# Where the tests run in the background, or under nohup, signals are ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
for _number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(_number, signal.SIG_DFL)


def pytest_collection_finish():
    """Lets no search for garbage go through what was imported, which stays."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """Converted data sets of the tests do not mix with the user's."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPTILE_TF_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def classes() -> LabelledExamples:
    """12 classes of 6 images, 8x8x1: a coarse pattern a class, and noise."""
    rng = np.random.default_rng(0)
    patterns = np.kron(rng.integers(60, 196, (12, 1, 4, 4)), np.ones((2, 2)))
    images = patterns + rng.normal(0, 20, (12, 6, 8, 8))
    images = images.clip(0, 255).astype(np.uint8).reshape(72, 8, 8, 1)
    return LabelledExamples(images, np.arange(0, 73, 6))


@pytest.fixture
def eagerly():
    """Runs what is compiled operation by operation.

    Tracing a learner takes seconds, which tests of numbers that do not depend
    on it are spared.
    """
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
