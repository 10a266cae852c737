"""Learners as files of Keras, TFLite and ONNX."""

import keras
import numpy as np
import pytest
from exported import close, request
from interpreters import by_onnx, by_tflite
from toys import regression

from reptile_tf import SGD, MetaLearner
from reptile_tf.models import tflite
from reptile_tf.serving.client import LocalModel

STEPS = 4


@pytest.fixture(scope="module")
def adapting(learner, tmp_path_factory):
    """The toy classifier as a file that adapts."""
    path = tmp_path_factory.mktemp("formats") / "toy.tflite"
    return learner.export(
        path, format="tflite", adapting=True, steps=STEPS, max_examples=9
    )


def test_a_file_that_adapts_answers_as_the_saved_model(adapting, served, task):
    """For any number of examples and queries, up to what it was made for."""
    run = by_tflite(adapting, "adapt_and_predict")
    given = request(task, STEPS)
    assert len(given["support_images"]) == 9
    for examples, queries in ((9, 6), (5, 1), (1, 2), (9, 3)):
        asked = {
            name: value[: queries if name == "query_images" else examples]
            for name, value in given.items()
            if name != "steps"
        }
        found = run(**asked)
        expected = served(**asked, steps=np.int32(STEPS))
        close(found["probabilities"], expected["probabilities"])
        np.testing.assert_array_equal(found["labels"], expected["labels"])
    other = served(**{**given, "steps": np.int32(STEPS - 1)})
    last = served(**given)["probabilities"]
    assert np.abs(other["probabilities"] - last).max() > 1e-3
    more = np.concatenate([given["support_images"]] * 2)
    labels = np.tile(given["support_labels"], 2)
    with pytest.raises(RuntimeError, match="out of bounds"):
        run(
            support_images=more,
            support_labels=labels,
            query_images=given["query_images"],
        )


def test_a_file_that_adapts_needs_no_other_operations(adapting):
    builtin, others = tflite.operations(adapting.read_bytes())
    assert tflite.schema.BuiltinOperator.WHILE in builtin
    assert not others


def test_a_network_with_max_pooling_adapts(tmp_path):
    model = keras.Sequential([keras.Input((9, 9, 1))])
    model.add(keras.layers.Conv2D(4, 3, padding="same"))
    model.add(keras.layers.BatchNormalization())
    model.add(keras.layers.ReLU())
    model.add(keras.layers.MaxPooling2D(2))
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(3))
    learner = MetaLearner(model, eval_inner_batch_size=3)
    asked = {
        "support_images": np.random.default_rng(0)
        .normal(size=(6, 9, 9, 1))
        .astype(np.float32),
        "support_labels": np.arange(6, dtype=np.int32) % 3,
    }
    asked["query_images"] = asked["support_images"][:2]
    learner.export(tmp_path / "saved")
    saved = LocalModel(tmp_path / "saved")
    path = learner.export(
        tmp_path / "x.tflite",
        format="tflite",
        adapting=True,
        steps=STEPS,
        max_examples=6,
    )
    assert not tflite.operations(path.read_bytes())[1]
    found = by_tflite(path, "adapt_and_predict")(**asked)
    expected = saved.predict(
        "adapt_and_predict", {**asked, "steps": np.int32(STEPS)}
    )
    close(found["probabilities"], expected["probabilities"])


def test_several_inputs_and_targets_that_are_no_classes(tmp_path):
    """By the names that a SavedModel has; the head alone adapts (ANIL)."""
    a, b = (keras.Input((2,), name=name) for name in "ab")
    features = keras.layers.Dense(3, "tanh")(keras.layers.Add()([a, b]))
    learner = MetaLearner(
        keras.Model({"a": a, "b": b}, keras.layers.Dense(1)(features)),
        inner_optimizer=SGD(0.1),
        algorithm="anil",
        loss="mean_squared_error",
        metric="mean_squared_error",
    )
    path = learner.export(
        tmp_path / "x.tflite",
        format="tflite",
        adapting=True,
        steps=2,
        max_examples=4,
    )
    rng = np.random.default_rng(0)
    x, query_x = (
        {name: rng.normal(size=(n, 2)).astype(np.float32) for name in "ab"}
        for n in (4, 3)
    )
    y = np.ones([4, 1], np.float32)
    found = by_tflite(path, "adapt_and_predict")(
        **{f"support_{name}": value for name, value in x.items()},
        **{f"query_{name}": value for name, value in query_x.items()},
        support_targets=y,
    )
    expected = learner.adapt(x, y, steps=2).predict(query_x, verbose=0)
    close(found["predictions"], expected, atol=1e-5)


def test_the_initialization_in_each_format(learner, task, tmp_path):
    """Any number of examples at once; Keras's file has its own layers alone."""
    x = task.query_x.numpy()
    expected = learner.model.predict(x, verbose=0)
    paths = [tmp_path / f"x.{form}" for form in ("keras", "tflite", "onnx")]
    for path in paths:
        assert learner.export(path, format=path.suffix[1:]) == path
    first, second, third = paths
    run, metadata = by_onnx(third)
    for count in (len(x), 1):
        for compute in (by_tflite(second), run):
            found = compute(inputs=x[:count])["outputs"]
            close(found, expected[:count], atol=1e-5)
    assert metadata == {}
    opened = keras.saving.load_model(first)
    close(opened.predict(x, verbose=0), expected, atol=1e-5)
    kinds = {type(layer).__module__ for layer in opened.layers}
    assert all(kind.startswith("keras.") for kind in kinds)


@pytest.mark.filterwarnings("ignore:.*np.object:FutureWarning")  # Keras's own
def test_keras_itself_exports_adapted_models(learner, task, tmp_path):
    """Though nobody has called them; also those with names of classes."""
    labels = np.array(["ant", "bee", "cow"])[task.support_y]
    for y in (task.support_y, labels):
        model = learner.adapt(task.support_x, y, steps=1)
        path = tmp_path / "x.onnx"
        model.export(path, format="onnx", verbose=False)
        run, _ = by_onnx(path)
        x = task.query_x.numpy()
        [found] = run(**{model.inputs[0].name: x}).values()
        close(found, model.predict(x, verbose=0), atol=1e-5)


def test_what_does_not_go_together_is_refused_before_work(tmp_path):
    learner = regression()
    for name, given, message in (
        ("x", {"format": "pdf"}, "one of saved_model, keras, tflite, onnx"),
        ("x.onnx", {}, "ends as a file of format=onnx does"),
        ("x.keras", {"format": "onnx"}, "ends in .onnx; received"),
        ("x.onnx", {"format": "onnx", "adapting": True}, "and no gradients"),
        ("x.keras", {"format": "keras", "adapting": True}, "and no gradients"),
        (
            "x.onnx",
            {"format": "onnx", "class_names": ["ant"]},
            "class_names is for format=saved_model",
        ),
        (
            "x.tflite",
            {"format": "tflite", "max_examples": 3},
            "is for format=saved_model and for adapting=True; received",
        ),
        ("x", {"steps": 3}, "told the steps in each request"),
        ("x.tflite", {"format": "tflite", "steps": 3}, "with adapting=True"),
        (
            "x.tflite",
            {"format": "tflite", "adapting": True, "steps": 0},
            "steps must be at least 1",
        ),
        (
            "x.tflite",
            {"format": "tflite", "adapting": True, "max_examples": 0},
            "max_examples must be at least 1",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            learner.export(tmp_path / name, **given)
    assert not [*tmp_path.iterdir()]


def test_a_subclassed_model_has_no_inputs_to_name(tmp_path):
    class Own(keras.Model):
        def __init__(self, **more):
            super().__init__(**more)
            self.head = keras.layers.Dense(1)

        def call(self, x):
            return self.head(x)

    model = Own()
    model(np.ones([1, 1], np.float32))
    learner = regression(model)
    for form in ("tflite", "onnx"):
        with pytest.raises(ValueError, match="only functional and sequential"):
            learner.export(tmp_path / f"x.{form}", format=form)
    assert not [*tmp_path.iterdir()]
