"""The SavedModel that an export writes: whole, pure, and as it is told."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from exported import (
    WAYS,
    close,
    expected,
    request,
    saved,
    without_python,
)
from toys import regression

from reptile_tf.serving import warmup


def test_without_python_through_the_c_api(
    served, learner, task, folder, tmp_path
):
    answer = without_python(
        folder, served, "serving_default", request(task), tmp_path
    )
    close(answer["probabilities"], expected(learner, task))


def test_the_initialization_is_phi_with_its_names(
    served, learner, task, folder
):
    weights = served("initialization")["weights"]
    text = (folder / "assets.extra" / "learner.json").read_text()
    described = json.loads(text)["weights"]
    assert described["size"] == len(weights)
    variables = {v.path: v.numpy() for v in learner.model.variables}
    for part in described["parts"]:
        stop = part["start"] + int(np.prod(part["shape"]))
        values = weights[part["start"] : stop].reshape(part["shape"])
        truth = variables.pop(part["name"], np.ones(WAYS))
        np.testing.assert_array_equal(values, truth)
    assert not variables and part["name"] == "present_classes"
    answer = served(
        "predict", weights=weights, query_images=task.query_x.numpy()
    )
    close(
        answer["probabilities"],
        tf.nn.softmax(learner.model(task.query_x, training=False)),
    )


def test_the_shapes_are_told(served):
    inputs = served.signatures["adapt_and_predict"].inputs
    shapes = {
        name: [d.size for d in info.tensor_shape.dim]
        for name, info in inputs.items()
    }
    assert shapes == {
        "support_images": [-1, 8, 8, 1],
        "support_labels": [-1],
        "query_images": [-1, 8, 8, 1],
        "steps": [],
    }
    outputs = served.signatures["adapt_and_predict"].outputs
    shape = outputs["probabilities"].tensor_shape
    assert [d.size for d in shape.dim] == [-1, WAYS]


def operations(folder, signatures):
    """Returns the operations of the graph that signatures may run."""
    [graph] = saved(folder).meta_graphs
    library = {f.signature.name: f for f in graph.graph_def.library.function}
    nodes = {n.name: n for n in graph.graph_def.node}
    found, left, seen = [], [], set()
    for signature in signatures:
        for tensor in graph.signature_def[signature].outputs.values():
            left.append(nodes[tensor.name.split(":")[0]])
    while left:
        node = left.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        found.append(node)
        # A function's nodes are all here already; its names are its own.
        if nodes.get(node.name) is node:
            inputs = [i.removeprefix("^").split(":")[0] for i in node.input]
            left += [nodes[i] for i in inputs]
        for attribute in node.attr.values():
            for name in (attribute.func, *attribute.list.func):
                if name.name:
                    left += library[name.name].node_def
    return found


def test_the_graph_is_pure(served, folder):
    found = operations(
        folder, served.signatures.keys() - {"__saved_model_init_op"}
    )
    used = {node.op for node in found}
    assert {"StatelessWhile", "Conv2D", "ReadVariableOp"} < used
    for op in used:
        assert not any(word in op for word in ("Assign", "Apply", "PyFunc"))
    assert not {node.device for node in found if node.device}


def test_versions_rise_and_are_whole(tmp_path, monkeypatch):
    learner = regression()
    assert learner.export(tmp_path / "m").name == "1"
    (tmp_path / "m" / "7").mkdir()
    (tmp_path / "m" / "notes").mkdir()
    assert learner.export(str(tmp_path / "m")).name == "8"

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(warmup, "write", fail)
    with pytest.raises(OSError):
        learner.export(tmp_path / "m")
    names = {p.name for p in (tmp_path / "m").iterdir()}
    assert names == {"1", "7", "8", "notes"}


@pytest.mark.parametrize("name", ["max_steps", "max_examples"])
def test_impossible_limits(learner, tmp_path, name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1"):
        learner.export(tmp_path / "m", **{name: 0})
    assert not (tmp_path / "m").exists()


def test_an_adapted_clone_exports_as_any_keras_model(learner, task, tmp_path):
    model = learner.adapt(task.support_x, task.support_y, steps=7)
    model.export(tmp_path / "clone", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "clone"))
    for i, query in enumerate(task.query_x):
        close(
            tf.nn.softmax(loaded.serve(query[None]))[0],
            expected(learner, task)[i],
        )


def test_an_export_is_a_layer_of_keras(folder, served, task):
    """`TFSMLayer` hands on one dict, and gives the same numbers."""
    layer = keras.layers.TFSMLayer(folder, call_endpoint="adapt_and_predict")
    given = request(task)
    answer = layer(tf.nest.map_structure(tf.constant, given))
    for name, values in served("adapt_and_predict", **given).items():
        np.testing.assert_array_equal(answer[name], values)
