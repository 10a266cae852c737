"""Which version of a model answers, and when."""

import gc
import shutil
import threading
import weakref

import numpy as np
import pytest
from rest_requests import predict

from reptile_tf.serving import warmup
from reptile_tf.serving.server import model_versions as module
from reptile_tf.serving.server.model_config import ModelConfig, ModelFolder
from reptile_tf.serving.server.model_versions import NotFound
from reptile_tf.serving.server.saved_models import SavedModel
from reptile_tf.serving.server.served_models import ServedModels
from reptile_tf.utils import machine

ERRORS = {
    error.__name__: error
    for error in (KeyError, RuntimeError, RecursionError, MemoryError)
}


class Fake:
    """A model whose file names the error that loading it raises, if any."""

    made = []

    def __init__(self, folder):
        content = (folder / "saved_model.pb").read_text()
        Fake.made.append(int(folder.name))
        if content in ERRORS:
            raise ERRORS[content]("no\nsuch operation")
        self.version = int(folder.name)

    def warm_up(self, at_a_time=1):
        """Nothing is to be warmed up."""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a version of the model `it`, which a fake loads."""
    monkeypatch.setattr(module, "SavedModel", Fake)
    monkeypatch.setattr(Fake, "made", [])

    def write(number, content="good"):
        folder = tmp_path / "it" / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "saved_model.pb").write_text(content)
        return folder

    return write


class Source:
    """The one model `it` below a folder."""

    def __init__(self, folder, **which):
        self._config = ModelConfig("it", folder / "it", **which)

    def __call__(self):
        return [self._config]

    def left_out(self):
        return {}


def served(folder, **which):
    models = ServedModels(Source(folder, **which))
    models.refresh(at_once=True)
    return models


def states(models):
    return {v.number: v.state for v in models.versions("it")}


def test_a_broken_version_is_told_and_leaves_the_one_before(
    ask, base, served_models
):
    (base / "line" / "2").mkdir()
    (base / "line" / "2" / "saved_model.pb").write_bytes(b"not whole")
    served_models.refresh(at_once=True)
    assert predict(ask)[0] == 200
    assert predict(ask, model="line/versions/2")[0] == 404
    _, answer = ask("GET", "/v1/models/line/versions/2")
    [state] = answer["model_version_status"]
    assert state["state"] == "END" and state["status"]["error_message"]
    shutil.rmtree(base / "line" / "2")
    served_models.refresh()
    assert ask("GET", "/v1/models/line/versions/2")[0] == 404


def test_an_operation_that_is_not_registered_is_an_error_of_loading(
    ask, base, served_models
):
    shutil.copytree(base / "line" / "1", base / "line" / "2")
    path = base / "line" / "2" / "saved_model.pb"
    # As long, so that the file stays whole.
    path.write_bytes(path.read_bytes().replace(b"MatMul", b"MutMal"))
    served_models.refresh(at_once=True)
    _, answer = ask("GET", "/v1/models/line")
    told = {s["version"]: s for s in answer["model_version_status"]}
    assert told["1"]["state"] == "AVAILABLE"
    assert told["2"]["state"] == "END"
    assert "MutMal" in told["2"]["status"]["error_message"]
    assert predict(ask)[0] == 200
    shutil.rmtree(base / "line" / "2")
    served_models.refresh()


@pytest.mark.parametrize("name", ERRORS)
def test_whatever_loading_raises_is_kept(write, tmp_path, name):
    write(1)
    write(2, name)
    models = served(tmp_path)
    assert models.get("it").version == 1
    assert states(models) == {2: "END", 1: "AVAILABLE"}
    told = models.versions("it", 2)[0]
    assert told.error_message.startswith(f"{name}: ")
    assert "\n" not in told.error_message
    with pytest.raises(NotFound, match=r"Specific\(2\)"):
        models.get("it", 2)


def test_a_broken_version_is_tried_again_when_it_may_have_changed(
    write, tmp_path, monkeypatch
):
    write(1, "KeyError")
    models = served(tmp_path)
    models.refresh()
    models.refresh()
    assert (Fake.made, models.names()) == ([1], [])
    monkeypatch.setattr(module, "_PAUSE", 0.0)
    for _ in range(10):
        models.refresh()
    assert Fake.made == [1] * module._MOST_TRIES
    write(1, "good, and longer")
    models.refresh()
    assert models.names() == []  # it may still be changing
    models.refresh()
    assert models.names() == ["it"]


def test_a_version_is_loaded_when_its_files_are_at_rest(write, tmp_path):
    write(1)
    models = served(tmp_path)
    folder = write(2, "half")
    for size in range(3):
        models.refresh()
        (folder / "variables").write_text("x" * size)
    assert (Fake.made, models.get("it").version) == ([1], 1)
    models.refresh()
    models.refresh()
    assert models.get("it").version == 2


def test_a_new_version_holds_up_nobody(write, tmp_path, monkeypatch):
    """It takes all cores, and all objects are looked through, at the start."""
    at_a_time = []
    monkeypatch.setattr(
        Fake, "warm_up", lambda _, count=1: at_a_time.append(count)
    )
    monkeypatch.setattr(machine, "cores", lambda: 7)
    write(1)
    models = served(tmp_path)
    assert gc.get_freeze_count() > 100_000  # are passed over, and stay so
    changed = []
    for name in ("unfreeze", "freeze"):
        monkeypatch.setattr(gc, name, lambda: changed.append(1))
    write(2)
    models.refresh()
    models.refresh()
    assert states(models)[2] == "AVAILABLE"
    assert at_a_time == [7, 1]
    assert not changed


def test_versions_superseded_or_gone_are_unloaded(write, tmp_path):
    write(1)
    models = served(tmp_path)
    first = weakref.ref(models.get("it"))
    folder = write(2)
    models.refresh(at_once=True)
    assert states(models) == {2: "AVAILABLE", 1: "END"}
    gc.collect()
    assert first() is None
    # The newest goes: the one before answers again.
    shutil.rmtree(folder)
    models.refresh(at_once=True)
    assert states(models) == {1: "AVAILABLE"}


def test_what_is_loaded_is_served_when_its_folder_goes(write, tmp_path):
    write(1)
    models = ServedModels(ModelFolder(tmp_path))
    models.refresh(at_once=True)
    for gone in (tmp_path / "it", tmp_path):
        shutil.rmtree(gone)
        models.refresh()
        assert models.get("it").version == 1
        assert states(models) == {1: "AVAILABLE"}


def test_what_is_being_loaded_is_not_available(write, tmp_path, monkeypatch):
    write(1)
    models = served(tmp_path)
    write(2)
    begun, go_on = threading.Event(), threading.Event()

    def warm_up(model, at_a_time=1):
        begun.set()
        go_on.wait()

    monkeypatch.setattr(Fake, "warm_up", warm_up)
    thread = threading.Thread(target=models.refresh, args=(True,))
    thread.start()
    begun.wait()
    assert states(models) == {2: "LOADING", 1: "AVAILABLE"}
    assert models.get("it").version == 1  # which answers meanwhile
    go_on.set()
    thread.join()
    assert models.get("it").version == 2


def test_the_background_looks_again_whatever_went_wrong(write, tmp_path):
    write(1)
    failures = iter([OSError, RuntimeError])
    seen = threading.Event()

    class Failing(Source):
        def left_out(self):
            for error in failures:
                raise error
            seen.set()
            return {}

    models = ServedModels(Failing(tmp_path))
    with models.watched(0.01):
        assert seen.wait(10)
        models.refresh()
        models.refresh()
        assert models.names() == ["it"]


@pytest.mark.parametrize(
    "which, answering",
    [
        ({}, [3]),
        ({"newest": 2}, [3, 2]),
        ({"newest": None}, [3, 2, 1]),
        ({"newest": None, "only": (1, 3, 7)}, [3, 1]),
    ],
)
def test_the_versions_that_are_asked_for_are_served(
    write, tmp_path, which, answering
):
    for number in (1, 2, 3):
        write(number)
    models = served(tmp_path, labels={"stable": 1, "old": 9}, **which)
    assert list(states(models)) == answering
    if 1 in answering:
        assert models.get("it", label="stable").version == 1
    for label in ("old", "new"):
        with pytest.raises(NotFound):
            models.get("it", label=label)


def test_the_warm_up_is_made_before_a_model_answers(
    base, tmp_path, monkeypatch
):
    shutil.copytree(base / "line" / "1", tmp_path / "line" / "1")
    asked, call = [], SavedModel.predict

    def note(model, signature, inputs, cancellation=None):
        asked.append(signature)
        return call(model, signature, inputs, cancellation)

    monkeypatch.setattr(SavedModel, "predict", note)
    models = ServedModels(ModelFolder(tmp_path))
    models.refresh(at_once=True)
    model = models.get("line")
    # Once to be warm, and once to see how long it takes.
    assert sorted(asked) == sorted([*model.signatures, *model.signatures])
    given = {"steps": np.int32(1000)}
    assert model.pace.expect("adapt_and_predict", given) > 0
    # As in TF Serving, a version whose warm-up fails is not served.
    place = tmp_path / "line" / "1" / warmup.PLACE
    place.write_bytes(place.read_bytes()[:-1])
    models = ServedModels(ModelFolder(tmp_path))
    models.refresh(at_once=True)
    assert models.names() == []
    [version] = models.versions("line")
    assert version.error_message.startswith("DataLossError")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="model_base_path=.*missing"):
        ModelFolder(tmp_path / "missing")


def test_what_cannot_be_served_is_told_once(write, tmp_path):
    told = []
    models = ServedModels(
        ModelFolder(tmp_path), lambda *about: told.append(about)
    )
    write(1)
    write(2, "KeyError")
    for _ in range(3):
        models.refresh(at_once=True)
    [(folder, why)] = told
    assert folder == str(tmp_path / "it" / "2")
    assert why.startswith("it cannot be loaded: KeyError: ")
    # While it is served, too: names that are no versions, and no models.
    for name in ("it/newest", "it/01", "a:b/1"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "saved_model.pb").touch()
    for _ in range(3):
        models.refresh()
    names = {folder.removeprefix(f"{tmp_path}/") for folder, _ in told[1:]}
    assert (names, len(told)) == ({"it/newest", "it/01", "a:b"}, 4)
    assert models.get("it").version == 1


def test_a_model_that_never_answered_and_is_gone_is_forgotten(tmp_path, write):
    write(1)
    (tmp_path / "bad" / "1").mkdir(parents=True)
    (tmp_path / "bad" / "1" / "saved_model.pb").write_text("KeyError")
    models = ServedModels(ModelFolder(tmp_path), lambda *_: None)
    models.refresh(at_once=True)
    assert list(models.all_states()) == ["bad", "it"]
    shutil.rmtree(tmp_path / "bad")
    models.refresh()
    assert list(models.all_states()) == ["it"]
