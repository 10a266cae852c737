"""Asking a model in a folder, and one on a server."""

import json
import pathlib

import numpy as np
import pytest
from exported import WAYS
from rest_requests import GIVEN

from reptile_tf import Episodes
from reptile_tf.data import image_files
from reptile_tf.data.picture import Preparation
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
        with pytest.raises(ValueError, match="must have the inputs.*received"):
            model.predict("adapt_and_predict", GIVEN | {"more": 1})


def test_models_that_cannot_be_asked(base, port):
    with pytest.raises(ValueError, match="other/metadata: .*Latest"):
        client.connect(f"http://127.0.0.1:{port}/v1/models/other")
    with pytest.raises(ValueError, match="cannot be asked"):
        client.connect("http://127.0.0.1:1/v1/models/line")
    with pytest.raises(ValueError, match="holds no exported model"):
        client.connect(base)


def test_the_committed_model_is_right_about_all_example_pictures():
    model = client.connect(ROOT / "saved_models" / "omniglot_5shot_5way")
    examples = ROOT / "examples" / "characters"
    classes = image_files.find_classes(examples / "support")
    queries = image_files.find(examples / "query")
    found = client.classify(model, classes, queries, steps=50)
    assert found.shape == (15, 5)
    names = [list(classes)[label] for label in found.argmax(1)]
    assert names == [path.name.split("-")[0] for path in queries]


def test_pictures_are_prepared_as_in_training(learner, base, port, monkeypatch):
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
    learner.export(base / "tiny", uint8_images=True)
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
    learner, folder, classes, capsys
):
    tasks = Episodes(classes, WAYS, shots=2, query_shots=3, seed=3)
    right = []
    for index in range(4):
        task = tasks.sample(index)
        clone = learner.adapt(task.support_x, task.support_y, steps=4)
        labels = np.argmax(clone(task.query_x, training=False), 1)
        right.append(np.mean(labels == task.query_y))
    _, score = client.evaluate(client.connect(folder), tasks, 4, steps=4)
    assert score.value == pytest.approx(np.mean(right))
    assert "4/4" in capsys.readouterr().out  # the progress bar
