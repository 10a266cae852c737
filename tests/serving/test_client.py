"""Asking a model in a folder, and one on a server."""

import concurrent.futures
import json
import pathlib
import shutil
import socket
import sys

import numpy as np
import pytest
import tensorflow as tf
from exported import WAYS
from rest_requests import GIVEN
from terminal import Terminal

from reptile_tf import Episodes
from reptile_tf.data import image_files
from reptile_tf.data.preparation import Preparation
from reptile_tf.data.sources import image_folder
from reptile_tf.serving import client

ROOT = pathlib.Path(__file__).parents[2]


def test_the_client_asks_a_server_and_a_folder_alike(base, port):
    url = f"http://127.0.0.1:{port}/v1/models/line"
    models = [client.connect(m) for m in (url, base / "line", base / "line/1")]
    for model in models:
        assert model.metadata() == models[0].metadata()
        answer = model.predict("adapt_and_predict", GIVEN)
        np.testing.assert_allclose(
            answer["predictions"],
            models[1].predict("adapt_and_predict", GIVEN)["predictions"],
            atol=1e-6,
        )
        for steps, words in ((-1, "0 to 1000"), (1.5, "int32")):
            with pytest.raises(ValueError, match=f"steps must be .*{words}"):
                model.predict("adapt_and_predict", GIVEN | {"steps": steps})
        with pytest.raises(ValueError, match="nonsense.*adapt"):
            model.predict("nonsense", GIVEN)
        with pytest.raises(ValueError, match="the unknown more; the inputs"):
            model.predict("adapt_and_predict", GIVEN | {"more": 1})


def test_models_that_cannot_be_asked(base, port):
    with pytest.raises(ValueError, match="other/metadata: .*Latest"):
        client.connect(f"http://127.0.0.1:{port}/v1/models/other")
    with pytest.raises(ValueError, match="cannot be asked: no server answers"):
        client.connect("http://127.0.0.1:1/v1/models/line")
    with pytest.raises(ValueError, match="holds no exported model"):
        client.connect(base)


@pytest.mark.parametrize(
    "url, reason",
    [
        ("http://x/v1/models/my model", "give http://x/v1/models/my%20model$"),
        ("http://x/v1/models/Wörter", "give http://x/v1/models/W%C3%B6rter$"),
        ("http://x:y/v1/models/line", "cannot be asked: .*port: 'y'"),
        ("http://", "is no URL of a model, such as http://HOST:8501/v1"),
    ],
)
def test_urls_that_are_none_are_refused_in_one_sentence(url, reason):
    with pytest.raises(ValueError, match=reason):
        client.connect(url)


@pytest.mark.parametrize(
    "answer, reason",
    [
        (b"garbage\r\n\r\n", "cannot be asked"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "cannot be asked"),
        (b"HTTP/1.1 200 OK\r\n\r\n<html>", "is no model of .* '<html>'"),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", "is no model of TF Serving's REST"),
        (b"HTTP/1.1 200 OK\r\n\r\n[1]", "is no model of TF Serving's REST"),
        (b"HTTP/1.1 500 Oh\r\n\r\nbroken", "metadata: broken$"),
        (b'HTTP/1.1 500 Oh\r\n\r\n["it"]', "metadata: ..it..$"),
        (
            # As TF Serving, which hands on what TensorFlow says.
            b'HTTP/1.1 400 Oh\r\n\r\n{"error": "assertion failed: '
            b"[it\\\\'s] \\n\\t [[{{node a}}]]\"}",
            "metadata: it's$",
        ),
        (b'HTTP/1.1 500 Oh\r\n\r\n{"error": "it\'s \\"x\\""}', 'it\'s "x"$'),
    ],
)
def test_servers_that_are_no_model_servers(answer, reason):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1/models/line"
        with concurrent.futures.ThreadPoolExecutor() as pool:
            asked = pool.submit(client.connect, url)
            connection, _ = listening.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(answer)
            with pytest.raises(ValueError, match=reason):
                asked.result()


def test_the_committed_model_is_right_about_all_example_pictures():
    model = client.connect(ROOT / "saved_models" / "omniglot_5shot_5way")
    examples = ROOT / "examples" / "characters"
    classes = image_folder.support_classes(examples / "support")
    queries = image_files.find(examples / "query")
    found = client.classify(model, classes, queries, steps=50)
    assert found.shape == (15, 5)
    names = [list(classes)[label] for label in found.argmax(1)]
    assert names == [path.name.split("-")[0] for path in queries]


def test_pictures_are_prepared_as_in_training(
    learner, folder, base, port, served_models, monkeypatch
):
    """As the model tells, in a folder and on a server; "nearest" if old."""
    prepared = Preparation(8, 8, 1, "squash")
    told = learner.export(
        base / "told",
        uint8_images=True,
        pictures=prepared,
        class_names=["ötter", "cat"],
    )
    about = json.loads((told / "assets.extra" / "learner.json").read_text())
    assert Preparation.of_dict(about["pictures"]) == prepared
    assert about["trained_on"] == ["ötter", "cat"]
    shutil.copytree(folder, base / "tiny" / "1")  # which tells nothing
    served_models.refresh(at_once=True)
    seen = []

    def load(paths, preparation):
        seen.append(preparation)
        return np.zeros((len(paths), *preparation.shape), np.uint8)

    monkeypatch.setattr(image_files, "load", load)
    classes = {"a": ["1.png"], "b": ["2.png"]}
    url = f"http://127.0.0.1:{port}/v1/models"
    for place, resize in (("told", "squash"), ("tiny", "nearest")):
        for model in (base / place, f"{url}/{place}"):
            client.classify(client.connect(model), classes, ["3.png"], 1)
            assert {p.resize for p in seen} == {resize}
            assert {p.shape for p in seen} == {(8, 8, 1)}
            seen.clear()


def test_pictures_that_a_model_cannot_classify(folder, base):
    paths = [ROOT / "examples" / "characters" / "query" / "kite-1.png"]
    with pytest.raises(ValueError, match="does not classify pictures"):
        client.classify(client.connect(base / "line"), {}, paths, 1)
    classes = {str(i): paths for i in range(WAYS + 1)}
    with pytest.raises(ValueError, match="4 classes; the model tells 3 apart"):
        client.classify(client.connect(folder), classes, paths, 1)


def test_accuracies_without_steps_are_those_of_the_learner(
    learner, folder, classes
):
    tasks = Episodes(classes, WAYS, shots=2, query_shots=3, seed=3)
    model = client.connect(folder)
    scores = client.evaluate(model, tasks, 6, steps=0, verbose=0)
    assert [score.mode for score in scores] == ["transductive", "support"]
    assert {score.num_tasks for score in scores} == {6}
    modes = [score.mode for score in scores]
    own = learner.evaluate(tasks, 6, modes=modes, steps=0)
    for score, other in zip(scores, own, strict=True):
        assert score.metric == other.metric == "accuracy"
        assert score.value == pytest.approx(other.value, abs=1e-6)
        assert score.ci95 == pytest.approx(other.ci95, abs=1e-6)


def test_accuracies_are_those_of_the_adapted_clones(
    learner, folder, classes, monkeypatch
):
    tasks = Episodes(classes, WAYS, shots=2, query_shots=3, seed=3)
    right = []
    for index in range(4):
        task = tasks.sample(index)
        clone = learner.adapt(task.support_x, task.support_y, steps=4)
        labels = np.argmax(clone(task.query_x, training=False), 1)
        right.append(np.mean(labels == task.query_y))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", Terminal())
    _, score = client.evaluate(client.connect(folder), tasks, 4, steps=4)
    assert score.value == pytest.approx(np.mean(right))
    bar = f"\r4/4 tasks, support accuracy {score.value:.4g} "
    assert bar in sys.stdout.getvalue()


def test_tasks_of_several_inputs_are_asked_by_their_names(classes):
    task = Episodes(classes, WAYS, shots=2).sample(tf.constant(0, tf.int64))

    class Several:
        def __init__(self, structured):
            self.structured = structured

        def sample(self, index):
            x = {"support_x": self.structured(task.support_x)}
            return task._replace(**x, query_x=self.structured(task.query_x))

    class Model:
        def predict(self, signature, inputs):
            seen.append(set(inputs))
            return {"labels": task.query_y.numpy()}

    for structured, names in (
        (lambda x: x, ["images"]),
        (lambda x: {"left eye": x, "right": x}, ["left_eye", "right"]),
        (lambda x: (x, x), ["0", "1"]),
    ):
        seen = []
        scores = client.evaluate(Model(), Several(structured), 2, 1, verbose=0)
        assert [score.value for score in scores] == [1.0, 1.0]
        expected = {
            f"{part}_{n}" for part in ("support", "query") for n in names
        }
        assert seen == [expected | {"support_labels", "steps"}] * 4
