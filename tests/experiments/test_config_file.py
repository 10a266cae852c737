"""A run's config.json, and what an export says of itself, key by key."""

import json
import os
import pathlib

import pytest

from reptile_tf.experiments import (
    config_file,
    pages,
    run_pictures,
    run_settings,
)
from reptile_tf.experiments.run import Run
from reptile_tf.experiments.trained import Trained
from reptile_tf.utils import json_file

ROOT = pathlib.Path(__file__).parents[2]
WHOLE = json.loads((ROOT / "results/glyphs/config.json").read_text())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "config.json"


def refused(path, *words, read=config_file.read):
    """Expects a line with the file, what is wrong, and what would do."""
    with pytest.raises(ValueError) as error:
        read(path)
    told = str(error.value)
    assert told.startswith(str(path)) and "\n" not in told
    assert len(told) < 400
    for word in (*words, "; put back a copy of it, or remove it"):
        assert word in told, told


def test_what_is_whole_is_read(path):
    for more in (
        {},
        {"extensions": [{"at": 1, "from": 2, "to": 3}], "data_dir": "x"},
        {"dtype_policy": "float64", "data_dir": None, "expected": "99%"},
    ):
        path.write_text(json.dumps(WHOLE | more))
        assert config_file.read(path) == WHOLE | more


@pytest.mark.parametrize("key", ["dataset", "training_shots", "seed"])
def test_a_missing_key_is_named(path, key):
    content = {k: v for k, v in WHOLE.items() if k != key}
    path.write_text(json.dumps(content))
    refused(path, key)


@pytest.mark.parametrize(
    "key, value",
    [
        *(("ways", "5"), ("ways", True), ("inner_steps", 2.5), ("seed", "0")),
        *(("ways", 10**12), ("eval_inner_steps", 10**4000)),
        *(("learning_rate", "much"), ("algorithm", 5), ("source", [])),
        # The names of versions 0.1 and 0.2.
        *(("meta_gradient", 5), ("meta_gradient", ["1/2"]), ("split", 3)),
        *(("eval_every", "x"), ("eval_every", 0), ("eval_every", 1.5)),
        *(("num_validation_tasks", None), ("data_dir", 5), ("data_dir", [])),
        *(("along_the_way", 5), ("dtype_policy", {}), ("extensions", 5)),
        *(("extensions", [5]), ("extensions", [{"at": 1, "from": 2}])),
        ("extensions", [{"at": "1", "from": 2, "to": 3}]),
        ("ways", ["x" * 100_000]),  # of which little is quoted
    ],
)
def test_a_key_of_a_wrong_type_is_named(path, key, value):
    path.write_text(json.dumps(WHOLE | {key: value}))
    refused(path, key)


@pytest.mark.parametrize(
    "content, word",
    [
        *((b"[" * 200_000, "too deep"), (b"\xff", "utf-8"), (b"", "line 1")),
        *((b"5", "settings by name"), (b" " * (1 << 24) + b"{}", "16,777,216")),
    ],
    ids=["deep", "bytes", "empty", "number", "long"],
)
def test_what_is_no_json_is_named(path, content, word):
    path.write_bytes(content)
    refused(path, word)


def test_what_is_no_file_is_not_waited_for(path):
    os.mkfifo(path)
    refused(path, "it is no file")
    refused(path, "it is no file", read=lambda p: run_settings.held(p.parent))
    classes = path.with_name("classes.json")
    os.mkfifo(classes)
    with pytest.raises(ValueError, match="classes.json .* it is no file"):
        run_settings.class_sizes(path.parent)
    with pytest.raises(ValueError, match="run_dir=.* holds no run"):
        Run.open(path.parent)
    with pytest.raises(ValueError, match="it is no file"):
        json_file.read(path.parent)


def test_results_without_keys_that_came_later_are_drawn(tmp_path):
    """Those of version 0.1 may not say how long their epochs were."""
    runs = []
    for name in ("a", "b"):
        runs.append(tmp_path / name)
        runs[-1].mkdir()
        config = {k: v for k, v in WHOLE.items() if k != "eval_every"}
        (runs[-1] / "config.json").write_text(json.dumps(config))
        history = (ROOT / "results/glyphs/history.csv").read_text()
        (runs[-1] / "history.csv").write_text(history)
    run_pictures.curves_together(runs, tmp_path / "x.png")
    assert (tmp_path / "x.png").exists()


def test_searched_settings_of_any_kind_are_shown(tmp_path):
    for name, more in (("x", {"meta_batch_mode": "parallel"}), ("y", {})):
        folder = tmp_path / "search" / "finals" / name / "seed-0"
        folder.mkdir(parents=True)
        config = {k: v for k, v in WHOLE.items() if k != "meta_batch_mode"}
        (folder / "config.json").write_text(json.dumps(config | more))
    assert pages.searched_settings(tmp_path)[2:] == [
        *("| x | parallel |", "| y | serial |")
    ]


@pytest.mark.parametrize(
    "about, words",
    [
        ({"pictures": None}, "steps must be .* received None"),
        ({"steps": 0}, "steps must be .* received 0"),
        ({"steps": True}, "steps must be .* received True"),
        ({"steps": 5, "pictures": True}, "pictures: a preparation must have"),
        (
            {
                "steps": 5,
                "pictures": {
                    **{"height": 10**9, "width": 1, "channels": 1},
                    "resize": "crop",
                },
            },
            "pictures: height must be .* 1 to 4096; received 1000000000",
        ),
        ({"steps": 5, "no_learner": 5}, "no_learner must be a text"),
        ([], "by name"),
    ],
)
def test_what_an_export_says_of_itself_is_named(tmp_path, about, words):
    (tmp_path / "assets.extra").mkdir()
    path = tmp_path / "assets.extra" / "learner.json"
    path.write_text(json.dumps(about))
    with pytest.raises(ValueError, match=f"{path} is damaged: .*{words}"):
        Trained.open(tmp_path)
