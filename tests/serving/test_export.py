"""The exported SavedModel, through the loaders that servers use."""

import concurrent.futures
import json
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2
from toys import Constants, dense, regression

from reptile_tf import Adam, Episodes, MetaLearner, models
from reptile_tf.data import image_files as pictures
from reptile_tf.serving import client, warmup

ROOT = pathlib.Path(__file__).parents[2]
C_API = pathlib.Path(__file__).with_name("c_api.py")
WAYS, MOST_STEPS, MOST = 3, 20, 30


@pytest.fixture(scope="module")
def learner(classes):
    model = dense(
        keras.layers.Conv2D(4, 3), models.BatchNormalization(), ways=WAYS
    )
    learner = MetaLearner(
        model, inner_optimizer=Adam(0.01), inner_steps=3, inner_batch_size=4
    )
    learner.fit(Episodes(classes, WAYS, shots=2), 3, verbose=0)
    return learner


@pytest.fixture(scope="module")
def folder(learner, tmp_path_factory):
    return learner.export(
        tmp_path_factory.mktemp("models") / "toy",
        uint8_images=True,
        max_steps=MOST_STEPS,
        max_examples=MOST,
    )


class Served:
    """A SavedModel in a bare session, as servers of other languages see it."""

    def __init__(self, folder):
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        self.signatures = tf.compat.v1.saved_model.loader.load(
            self.session, ["serve"], str(folder)
        ).signature_def

    def request(self, signature, inputs):
        """Returns (tensor name -> value, output name -> tensor name)."""
        signature = self.signatures[signature]
        feed = {
            signature.inputs[name].name: np.asarray(value)
            for name, value in inputs.items()
        }
        return feed, {k: v.name for k, v in signature.outputs.items()}

    def __call__(self, signature="serving_default", **inputs):
        feed, fetches = self.request(signature, inputs)
        output = self._output
        # Below `run`, which would check shapes; TF Serving leaves that to the
        # graph.
        values = self.session._call_tf_sessionrun(
            None,
            {output(name): value for name, value in feed.items()},
            [output(name) for name in fetches.values()],
            [],
            None,
        )
        return dict(zip(fetches, values, strict=True))

    def _output(self, name):
        return self.session.graph.get_tensor_by_name(name)._as_tf_output()


@pytest.fixture(scope="module")
def served(folder):
    return Served(folder)


@pytest.fixture(scope="module")
def task(classes):
    return Episodes(classes, WAYS, shots=3, query_shots=2, seed=5).sample(
        tf.constant(0, tf.int64)
    )


def support(task):
    return {
        "support_images": task.support_x.numpy(),
        "support_labels": task.support_y.numpy(),
    }


def request(task, steps=7):
    steps = np.int32(steps)
    return {
        **support(task),
        "query_images": task.query_x.numpy(),
        "steps": steps,
    }


def expected(learner, task, steps=7):
    model = learner.adapt(task.support_x, task.support_y, steps=steps)
    return tf.nn.softmax(model(task.query_x, training=False))


def close(a, b):
    np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("steps", [0, 1, 7])
@pytest.mark.parametrize("signature", ["serving_default", "adapt_and_predict"])
def test_it_answers_as_the_adapted_clone(
    served, learner, task, signature, steps
):
    answer = served(signature, **request(task, steps))
    close(answer["probabilities"], expected(learner, task, steps))
    np.testing.assert_array_equal(
        answer["labels"], answer["probabilities"].argmax(1)
    )


def test_queries_do_not_influence_one_another(served, task):
    together = served(**request(task))["probabilities"]
    for i, query in enumerate(task.query_x.numpy()):
        alone = served(**request(task) | {"query_images": query[None]})
        close(alone["probabilities"][0], together[i])


def test_transductive_is_the_mode_of_that_name(served, learner, task):
    functional = learner.functional
    weights = functional.flatten(
        learner.adapt(
            task.support_x, task.support_y, steps=7
        ).trainable_variables
    )
    answer = served("adapt_and_predict_transductive", **request(task))
    close(
        answer["probabilities"],
        tf.nn.softmax(functional.by_batch(weights, task.query_x)),
    )


def test_adapt_once_and_predict_often(served, task):
    whole = served(**request(task))
    weights = served("adapt", **support(task), steps=np.int32(7))["weights"]
    for rows in (slice(None), slice(0, 1), slice(2, 5)):
        answer = served(
            "predict", weights=weights, query_images=task.query_x.numpy()[rows]
        )
        for name in ("probabilities", "labels"):
            close(answer[name], whole[name][rows])


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


def test_raw_images_are_the_same_images(served, task):
    whole = request(task)
    raw = dict(whole)
    for name in ("support_images", "query_images"):
        raw[name] = np.round(whole[name] * 255).astype(np.uint8)
    answer = served("adapt_and_predict_uint8", **raw)
    close(answer["probabilities"], served(**whole)["probabilities"])


def test_absent_classes_are_out_of_the_question(served, task):
    keep = task.support_y.numpy() != 1
    few = {name: value[keep] for name, value in support(task).items()}
    answer = served(**request(task) | few)
    assert np.all(answer["probabilities"][:, 1] == 0)
    np.testing.assert_allclose(answer["probabilities"].sum(1), 1, rtol=1e-5)
    weights = served("adapt", **few, steps=np.int32(7))["weights"]
    again = served(
        "predict", weights=weights, query_images=task.query_x.numpy()
    )
    close(again["probabilities"], answer["probabilities"])


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


def test_the_limits_are_told(served):
    limits = served("limits")
    assert {name: int(value) for name, value in limits.items()} == {
        "max_steps": MOST_STEPS,
        "max_examples": MOST,
        "ways": WAYS,
    }


def bad(**changes):
    return lambda inputs: (
        inputs
        | {name: change(inputs[name]) for name, change in changes.items()}
    )


def with_one(value):
    def change(images):
        images = images.copy()
        images[1, 2, 3, 0] = value
        return images

    return change


IMPOSSIBLE = {
    "no support": (
        bad(support_images=lambda x: x[:0], support_labels=lambda y: y[:0]),
        ["support_images", "1 to 30", "received 0"],
    ),
    "no query": (
        bad(query_images=lambda x: x[:0]),
        ["query_images", "1 to 30", "received 0"],
    ),
    "different counts": (
        bad(support_labels=lambda y: y[:-1]),
        ["support_labels", "support_images", "received 8 and 9"],
    ),
    "label too large": (
        bad(support_labels=lambda y: y + 1),
        ["support_labels", "0 to 2", "received 1 to 3"],
    ),
    "negative label": (
        bad(support_labels=lambda y: y - 1),
        ["support_labels", "0 to 2", "received -1 to 1"],
    ),
    "labels in a column": (
        bad(support_labels=lambda y: y[:, None]),
        ["support_labels", "shape [n]", "received [9 1]"],
    ),
    "wrong size": (
        bad(support_images=lambda x: x[:, :7]),
        ["support_images", "[n 8 8 1]", "received [9 7 8 1]"],
    ),
    "no channel": (
        bad(query_images=lambda x: x[..., 0]),
        ["query_images", "[n 8 8 1]", "received [6 8 8]"],
    ),
    "one number for an image": (
        bad(query_images=lambda x: x[0, 0, 0, 0]),
        ["query_images", "[n 8 8 1]", "received []"],
    ),
    "nan": (bad(support_images=with_one(np.nan)), ["support_images", "NaN"]),
    "infinity": (bad(query_images=with_one(np.inf)), ["query_images", "NaN"]),
    "negative steps": (
        bad(steps=lambda k: -k),
        ["steps", "0 to 20", "received -7"],
    ),
    "too many steps": (
        bad(steps=lambda k: np.int32(21)),
        ["steps", "0 to 20", "received 21"],
    ),
    "two numbers of steps": (
        bad(steps=lambda k: np.stack([k, k])),
        ["steps", "one number", "[2]"],
    ),
    "too many examples": (
        bad(query_images=lambda x: np.repeat(x, 6, 0)),
        ["query_images", "1 to 30", "received 36"],
    ),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
@pytest.mark.parametrize(
    "signature", ["adapt_and_predict", "adapt_and_predict_transductive"]
)
def test_impossible_requests_are_invalid_arguments(
    served, task, case, signature
):
    change, words = IMPOSSIBLE[case]
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        served(signature, **change(request(task)))
    for word in words:
        assert word in str(raised.value)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda w: w[:-1], ["weights", "as adapt returns it"]),
        (lambda w: w[None], ["weights", "as adapt returns it", "[1 "]),
        (lambda w: w * np.nan, ["weights", "NaN"]),
    ],
)
def test_impossible_weights_are_invalid_arguments(served, task, change, words):
    weights = change(served("initialization")["weights"])
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        served("predict", weights=weights, query_images=task.query_x.numpy())
    for word in words:
        assert word in str(raised.value)


def test_answers_that_are_no_numbers_are_refused(served, task):
    weights = served("initialization")["weights"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="not be finite"):
        served(
            "predict",
            weights=weights * 3e38 / np.abs(weights).max(),
            query_images=1e30 * task.query_x.numpy(),
        )


def test_the_largest_possible_request_is_not_refused(served, task):
    rows = np.arange(MOST) % 9
    many = {name: value[rows] for name, value in support(task).items()}
    served(**request(task, MOST_STEPS) | many)


def test_requests_side_by_side_do_not_meet(served, classes):
    episodes = Episodes(classes, WAYS, shots=2, query_shots=2)
    requests = [
        request(episodes.sample(tf.constant(i, tf.int64))) for i in range(64)
    ]
    alone = [served(**r)["probabilities"] for r in requests]
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        together = pool.map(lambda r: served(**r)["probabilities"], requests)
        for a, b in zip(alone, together, strict=True):
            np.testing.assert_array_equal(a, b)
    assert np.ptp([a[0, 0] for a in alone]) > 0


def without_python(folder, served, signature, inputs, tmp_path):
    """The answer of the C API, in a process of its own."""
    feed, fetches = served.request(signature, inputs)
    files = tmp_path / "request.npz", tmp_path / "answer.npz"
    np.savez(files[0], outputs=[*fetches.values()], **feed)
    subprocess.run([sys.executable, C_API, folder, *files], check=True)
    with np.load(files[1]) as answer:
        return {name: answer[tensor] for name, tensor in fetches.items()}


def test_without_python_through_the_c_api(
    served, learner, task, folder, tmp_path
):
    answer = without_python(
        folder, served, "serving_default", request(task), tmp_path
    )
    close(answer["probabilities"], expected(learner, task))


def test_the_model_in_the_repository(tmp_path):
    """Through every loader as its run's learner, and right about examples."""
    name = "omniglot_5shot_5way"
    folder = ROOT / "saved_models" / name / "1"
    learner = MetaLearner.load(ROOT / "results" / name / "learner.zip")
    examples = ROOT / "examples" / "characters"
    classes = pictures.find_classes(examples / "support")
    queries = pictures.find(examples / "query")
    x = pictures.load([p for ps in classes.values() for p in ps], 28, 28, 1)
    y = np.repeat(np.arange(5, dtype=np.int32), [*map(len, classes.values())])
    query_x = pictures.load(queries, 28, 28, 1)
    adapted = learner.adapt(x, y, steps=50)
    found = keras.ops.softmax(adapted(query_x / np.float32(255))).numpy()
    answers = [list(classes)[label] for label in found.argmax(1)]
    assert answers == [path.name.split("-")[0] for path in queries]

    given = {
        "support_images": x,
        "support_labels": y,
        "query_images": query_x,
        "steps": np.int32(50),
    }
    asked = "adapt_and_predict_uint8", given
    close(client.LocalModel(folder).predict(*asked)["probabilities"], found)
    bare = Served(folder)
    close(bare(asked[0], **given)["probabilities"], found)
    answer = without_python(folder, bare, *asked, tmp_path)
    close(answer["probabilities"], found)


def test_the_warm_up_asks_every_signature(served, folder):
    path = folder / "assets.extra" / "tf_serving_warmup_requests"
    asked = set()
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        wanted = log.predict_log.request
        assert wanted.model_spec.name == "toy"
        asked.add(wanted.model_spec.signature_name)
        served(
            wanted.model_spec.signature_name,
            **{k: tf.make_ndarray(v) for k, v in wanted.inputs.items()},
        )
    assert asked == set(served.signatures) - {"__saved_model_init_op"}


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


def saved(folder):
    from tensorflow.core.protobuf import saved_model_pb2

    content = (folder / "saved_model.pb").read_bytes()
    return saved_model_pb2.SavedModel.FromString(content)


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


def test_probabilities_of_0_stay_above_absent_classes(tmp_path):
    """Class 2 is all that the model thinks of, and not in the support set."""
    model = dense(ways=3)
    model.layers[-1].bias.assign([0.0, 0.0, 1000.0])
    model.add(keras.layers.Softmax())
    model.add(keras.layers.ReLU())  # or TensorFlow makes a log-softmax of it
    learner = MetaLearner(
        model, loss="sparse_categorical_crossentropy", inner_batch_size=1
    )
    x = np.zeros([2, 8, 8, 1], np.float32)
    answer = Served(learner.export(tmp_path / "m"))(
        support_images=x,
        support_labels=np.int32([0, 1]),
        query_images=x,
        steps=np.int32(0),
    )
    close(answer["probabilities"], [[0.5, 0.5, 0]] * 2)


def test_regression_is_served_too(tmp_path):
    learner = regression(inner_steps=2)
    learner.fit(Constants(*range(5)), 1, verbose=0)
    served = Served(learner.export(tmp_path / "line"))
    given = {
        "support_inputs": np.float32([[1]]),
        "support_targets": np.float32([[6]]),
        "steps": np.int32(3),
    }
    queries = np.float32([[1], [2]])
    adapted = learner.adapt([[1.0]], [[6.0]], steps=3)
    answer = served(**given, query_inputs=queries)
    close(answer["predictions"], adapted(queries))
    weights = served("adapt", **given)["weights"]
    answer = served("predict", weights=weights, query_inputs=queries)
    close(answer["predictions"], adapted(queries))
    with pytest.raises(tf.errors.InvalidArgumentError, match="support_targets"):
        wrong = {"support_targets": np.float32([[6], [6]])}
        served(**given | wrong, query_inputs=queries)


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
