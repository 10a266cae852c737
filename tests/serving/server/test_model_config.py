"""The file that names the models, as TF Serving reads it."""

import http.client
import json
import pathlib

import pytest
import running

from reptile_tf.serving.server.model_config import ConfigFile
from reptile_tf.serving.server.served_models import ServedModels

ROOT = pathlib.Path(__file__).parents[3]

CONFIG = """
model_config_list {{
  config {{
    name: "straight" base_path: "{base}/line" model_platform: "tensorflow"
    model_version_policy {{ {policy} }}
    version_labels {{ key: "stable" value: 1 }}
  }}
  config {{ name: "absent" base_path: "{base}/nothing" }}
}}
"""


@pytest.mark.parametrize(
    "policy, newest, only",
    [
        ("", 1, None),
        ("latest { num_versions: 2 }", 2, None),
        ("latest { }", 1, None),
        ("all { }", None, None),
        ("specific { }", None, ()),
        ("specific { versions: 3 versions: 1 }", None, (3, 1)),
    ],
)
def test_the_policies_of_tf_serving(tmp_path, policy, newest, only):
    path = tmp_path / "models.config"
    path.write_text(CONFIG.format(base=tmp_path, policy=policy))
    straight, absent = ConfigFile(path)()
    assert (straight.newest, straight.only) == (newest, only)
    assert straight.folder == tmp_path / "line"
    assert straight.labels == {"stable": 1}
    assert (absent.name, absent.newest) == ("absent", 1)


def test_the_committed_file_is_read():
    names = [
        model.name
        for model in ConfigFile(ROOT / "saved_models/models.config")()
    ]
    assert names == [
        "mini_imagenet_1shot_5way",
        "omniglot_1shot_5way",
        "omniglot_5shot_5way",
        "sine",
    ]


def test_models_are_served_under_their_names_and_labels(base, tmp_path):
    path = tmp_path / "models.config"
    path.write_text(CONFIG.format(base=base, policy="all { }"))
    source = ConfigFile(path)
    models = ServedModels(source)
    models.refresh(at_once=True)
    assert models.names() == ["straight"]
    [(folder, reason)] = source.left_out().items()
    assert folder == f"{base}/nothing" and reason == "there is no such folder"
    (base / "nothing").mkdir()
    [reason] = source.left_out().values()
    assert "holds no VERSION" in reason
    with running.serving(models) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for path, status in (
            ("straight/labels/stable", 200),
            ("straight/labels/stable/metadata", 200),
            ("straight/labels/canary", 404),
            ("line", 404),
        ):
            connection.request("GET", f"/v1/models/{path}")
            response = connection.getresponse()
            json.loads(response.read())
            assert response.status == status
        connection.close()


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "model_config_list of models of different names; received none"),
        ("nonsense", "cannot be read: 1:1"),
        ('model_config_list { config { name: "a" } }', "a base_path"),
        (
            'model_config_list { config { name: "a:b" base_path: "/x" } }',
            "a name that a URL can hold; received 'a:b'",
        ),
        (
            'model_config_list { config { name: "a" base_path: "/x" '
            'model_platform: "other" } }',
            "it must be tensorflow",
        ),
        (
            'model_config_list { config { name: "a" base_path: "/x" } '
            'config { name: "a" base_path: "/y" } }',
            "different names; received a, a",
        ),
    ],
)
def test_what_cannot_be_served_is_refused(tmp_path, text, words):
    path = tmp_path / "models.config"
    path.write_text(text)
    with pytest.raises(ValueError) as caught:
        ConfigFile(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"model_config_file={path} ")
    with pytest.raises(ValueError, match="cannot be read"):
        ConfigFile(tmp_path / "missing")
