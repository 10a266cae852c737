"""Trained models of pictures, as they lie in folders."""

import json

import pytest

from reptile_tf.experiments import trained


def test_an_export_says_how_many_steps_it_takes(tmp_path):
    for version, steps in (("2", 7), ("10", 9), ("x", 1), ("\u00b2", 1)):
        extra = tmp_path / version / "assets.extra"
        extra.mkdir(parents=True)
        (extra / "learner.json").write_text(json.dumps({"steps": steps}))
    assert trained.own_steps(str(tmp_path)) == 9
    assert trained.own_steps(str(tmp_path / "2")) == 7


def test_a_server_does_not_say_it(tmp_path):
    for model in ("http://localhost:8501/v1/models/x", str(tmp_path)):
        assert trained.own_steps(model) is None


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"steps": "5"}'])
def test_a_damaged_description_is_named(tmp_path, text):
    (tmp_path / "assets.extra").mkdir()
    path = tmp_path / "assets.extra" / "learner.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"{path} is damaged.*export the run"):
        trained.own_steps(str(tmp_path))
    with pytest.raises(ValueError, match="learner.json is damaged"):
        trained.Trained.open(tmp_path)
