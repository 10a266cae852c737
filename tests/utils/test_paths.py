"""Paths that users give, to each function of the library that takes one."""

import os
import pathlib

import pytest
from toys import regression

import reptile_tf as rt
from reptile_tf.data import image_files
from reptile_tf.data.picture import decode
from reptile_tf.data.preparation import Preparation
from reptile_tf.data.sources import mini_imagenet
from reptile_tf.experiments import plots
from reptile_tf.experiments.presets import PRESETS
from reptile_tf.experiments.run import Run
from reptile_tf.experiments.trained import Trained
from reptile_tf.search.search import Search
from reptile_tf.search.search_settings import SearchSettings
from reptile_tf.search.space import Space
from reptile_tf.serving import client
from reptile_tf.serving.server.model_config import ModelFolder
from reptile_tf.training import checkpoints
from reptile_tf.training.picture_classifier import PictureClassifier
from reptile_tf.utils import home, paths
from reptile_tf.utils.files import NotWrittenError, write_json
from reptile_tf.utils.validation import require_writable

SINE = PRESETS["sine"]
SMALL = Preparation(2, 2, 1, "squash")

FUNCTIONS = {
    "save": lambda path: regression().save(path),
    "load": rt.MetaLearner.load,
    "export": lambda path: regression().export(path),
    "Checkpoint": lambda path: rt.Checkpoint(regression(), path),
    "newest": checkpoints.newest,
    "Run": lambda path: Run(path, SINE, 0),
    "Run.open": Run.open,
    "data_dir": lambda path: Run("run", SINE, 0, path.replace("gs", "ftp")),
    "Search": lambda path: Search(path, SearchSettings(preset=SINE)),
    "Search.open": Search.open,
    "Search.told": Search.told,
    "space": lambda path: Space.parse([path]),
    "Trained": Trained.open,
    "connect": client.connect,
    "ModelFolder": ModelFolder,
    "PictureClassifier": PictureClassifier.load,
    "pictures": lambda path: image_files.load([path], SMALL),
    "decode": lambda path: decode(path, SMALL),
    "find": image_files.find,
    "find_all": lambda path: image_files.find_all([path]),
    "folder": lambda path: rt.load_tasks(f"folder:{path}"),
    "csv": lambda path: rt.load_tasks("folder:x", csv=path),
    "manual_dir": lambda path: mini_imagenet.prepare("made", path),
    "from_file": lambda path: rt.LabelledExamples.from_file(
        path, "uint8", [1], [0, 1]
    ),
    "plots": lambda path: plots.learning_curve(path, "x.png"),
    "write_json": lambda path: write_json(path, 1),
    "require_writable": lambda path: require_writable(run_dir=path),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_what_is_no_path_here_is_refused_and_makes_no_folder(
    function, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for path, reason in (
        ("", "is empty; name a path"),
        ("gs://bucket/run", "is a URL, .* a path on this machine"),
    ):
        with pytest.raises(paths.PathError, match=f"^[a-z_]+=.*{reason}"):
            function(path)
    assert not os.listdir(tmp_path)


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    one = regression()
    one.save("~/one.zip")
    assert rt.MetaLearner.load("~/one.zip").iteration == 0
    checkpoint = rt.Checkpoint(one, pathlib.Path("~", "kept"))
    checkpoint.on_train_end()
    assert checkpoints.newest("~/kept") is not None
    run = Run("~/run", SINE, 0, "~/tfds")
    assert run.folder == tmp_path / "home" / "run"
    assert run.data_dir == str(tmp_path / "home" / "tfds")
    assert os.listdir(tmp_path) == ["home"]


@pytest.mark.parametrize(
    "path", ["s3://b/x", "https://x.org/y", "file:///x", pathlib.Path("gs://b")]
)
def test_a_url_of_any_kind_is_refused(path):
    with pytest.raises(paths.PathError, match="^output=.*is a URL"):
        paths.local("output", path)


def test_what_looks_a_little_like_a_url_is_a_path():
    for path in ("C:/x", "a/b:/c", "x:y", "./gs:/b", "1e-4:/x"):
        assert paths.local("output", path) == pathlib.Path(path)


def test_a_bucket_is_for_tfds_to_read():
    assert Run("run", SINE, 0, "gs://b/tfds").data_dir == "gs://b/tfds"
    assert paths.of_tfds("data_dir", None) is None
    with pytest.raises(paths.PathError, match="data_dir=ftp://b is a URL"):
        paths.of_tfds("data_dir", "ftp://b")


def test_a_home_folder_that_is_not_there_is_said(monkeypatch):
    def unknown(*_):
        raise KeyError

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", unknown)
    for path in ("~/run", "~nobody-of-this-name/run"):
        with pytest.raises(paths.PathError, match="run_dir=~.*write the path"):
            paths.local("run_dir", path)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("REPTILE_TF_CACHE", "there")
    assert home.cache_folder() == pathlib.Path("there")
    monkeypatch.delenv("REPTILE_TF_CACHE")
    with pytest.raises(NotWrittenError, match="there is no home folder"):
        home.cache_folder()
