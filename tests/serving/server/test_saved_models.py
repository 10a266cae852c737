"""Which version of a model answers, and when."""

import shutil

import pytest
from rest_requests import predict

from reptile_tf.serving import warmup
from reptile_tf.serving.server.saved_models import (
    ModelFolder,
    NotFound,
    SavedModel,
)


def test_a_version_that_cannot_be_loaded_leaves_the_one_before(ask, base):
    (base / "line" / "2").mkdir()
    (base / "line" / "2" / "saved_model.pb").write_bytes(b"not whole")
    assert predict(ask)[0] == 200
    assert predict(ask, model="line/versions/2")[0] == 404
    _, answer = ask("GET", "/v1/models/line/versions/2")
    [state] = answer["model_version_status"]
    assert state["state"] == "END" and state["status"]["error_message"]
    shutil.rmtree(base / "line" / "2")


def test_a_broken_version_is_not_loaded_for_every_request(
    base, tmp_path, monkeypatch
):
    shutil.copytree(base / "line" / "1", tmp_path / "line" / "1")
    (tmp_path / "line" / "2").mkdir()
    (tmp_path / "line" / "2" / "saved_model.pb").write_bytes(b"not whole")
    models, tried, load = ModelFolder(tmp_path), [], ModelFolder._load

    def note(self, name, version):
        tried.append(version)
        return load(self, name, version)

    monkeypatch.setattr(ModelFolder, "_load", note)
    assert [models.get("line").version for _ in range(3)] == [1, 1, 1]
    assert tried == [2, 1, 1, 1]
    monkeypatch.setattr("reptile_tf.serving.server.saved_models._PAUSE", 0.0)
    models.get("line")  # now it is tried again
    assert tried[4:] == [2, 1]


def test_the_warm_up_is_made_before_a_model_answers(
    base, tmp_path, monkeypatch
):
    shutil.copytree(base / "line" / "1", tmp_path / "line" / "1")
    asked, predict = [], SavedModel.predict

    def note(model, signature, inputs):
        asked.append(signature)
        return predict(model, signature, inputs)

    monkeypatch.setattr(SavedModel, "predict", note)
    model = ModelFolder(tmp_path).get("line")
    assert sorted(asked) == sorted(model.signatures)
    # As in TF Serving, a version whose warm-up fails is not served.
    place = tmp_path / "line" / "1" / warmup.PLACE
    place.write_bytes(place.read_bytes()[:-1])
    with pytest.raises(NotFound, match="can be loaded"):
        ModelFolder(tmp_path).get("line")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="model_base_path=.*missing"):
        ModelFolder(tmp_path / "missing")
