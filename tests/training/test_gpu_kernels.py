"""Nothing that is computed lacks a kernel for GPUs.

TensorFlow's wheel knows its kernels also where there is no GPU.
"""

import keras
import pytest
import tensorflow as tf
from graphs import operations
from tensorflow.python.framework import kernels, op_def_registry

import reptile_tf as rt
from reptile_tf.data.task import recipe_of
from reptile_tf.models import faster_layers
from reptile_tf.training.settings import EVALUATION_MODES

# The words of assertions, which are written where the processor is.
WORDS = {"StringFormat"}


def without_gpu_kernels(ops):
    """Returns those of the operations that no GPU has a kernel of."""
    missing = set()
    for op in ops - WORDS:
        if op_def_registry.get(op) is None:
            continue  # no operation, but a function's name
        found = kernels.get_registered_kernels_for_op(op).kernel
        devices = {kernel.device_type for kernel in found}
        if not devices & {"GPU", "DEFAULT"}:
            missing.add(op)
    return missing


def network():
    """The layers of both networks of the paper, each once."""
    inputs = x = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(2, 3, strides=2, padding="same")(x)
    x = rt.models.BatchNormalization()(x)
    x = keras.layers.MaxPooling2D(2, padding="same")(x)
    x = keras.layers.Flatten()(keras.layers.ReLU()(x))
    return keras.Model(inputs, keras.layers.Dense(3)(x))


@pytest.fixture(params=["with a GPU", "without"])
def place(request, monkeypatch):
    """A machine where graphs are made for a GPU, or one that has none."""
    if request.param == "with a GPU":
        monkeypatch.setattr(faster_layers, "speed_up", lambda *_: None)
        return "Conv2DBackpropFilter"
    return "GatherV2"


def learner(algorithm, mode="serial"):
    plain = isinstance(algorithm, rt.MAML)
    return rt.MetaLearner(
        network(),
        inner_optimizer=rt.SGD(0.1) if plain else rt.Adam(0.1),
        algorithm=algorithm,
        inner_steps=2,
        inner_batch_size=3,
        meta_batch_mode=mode,
    )


def test_an_operation_without_one_is_noticed():
    assert without_gpu_kernels({"Unique", "PyFunc", "Conv2D"}) == {"PyFunc"}


@pytest.mark.parametrize("mode", ["serial", "parallel"])
@pytest.mark.parametrize("algorithm", [*rt.algorithms.NAMED, "1/2,1/2"])
@pytest.mark.parametrize("place", ["with a GPU"], indirect=True)
def test_iterations(algorithm, mode, classes, place):
    one = learner(rt.algorithms.from_name(algorithm), mode)
    tasks = rt.Episodes(classes, ways=3, shots=4)
    compiled = one._outer_loop.compiled(tasks)
    traced = compiled.traced(
        tf.constant(0, tf.int64), one.inner_state, recipe_of(tasks)[1]
    )
    found = operations(traced)
    assert place in found
    assert without_gpu_kernels(found) == set()
    moved = one._outer_loop._step.traced(one.functional.phi(), one.inner_state)
    assert without_gpu_kernels(operations(moved)) == set()


def test_evaluations(classes, place):
    one = learner(rt.Reptile())
    tasks = rt.Episodes(classes, ways=3, shots=1)
    modes = EVALUATION_MODES
    compiled = one.evaluator.compiled(tasks, modes)
    traced = compiled.traced(
        *(one.functional.phi(), one.inner_state, tf.constant(5)),
        *(tf.range(2, dtype=tf.int64), recipe_of(tasks)[1]),
    )
    found = operations(traced)
    assert place in found
    assert without_gpu_kernels(found) == set()


def test_exports(tmp_path, place):
    one = learner(rt.Reptile())
    one.export(tmp_path)
    loaded = tf.saved_model.load(tmp_path / "1")
    for signature in loaded.signatures.values():
        assert without_gpu_kernels(operations(signature)) == set()
    assert place in operations(loaded.signatures["serving_default"])
