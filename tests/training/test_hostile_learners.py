"""Saved learners of strangers: bounded, and named with what is wrong."""

import io
import json
import re
import struct
import zipfile
import zlib

import h5py
import numpy as np
import pytest
from toys import one_weight, regression

from reptile_tf import MetaLearner
from reptile_tf.training import keras_archive
from reptile_tf.training.picture_classifier import PictureClassifier
from reptile_tf.training.saving import DamagedFileError
from reptile_tf.utils import json_file


def entries(content):
    """Name -> content, of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files, compressed=()):
    """The zip archive of files by name, some of them compressed."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, each in files.items():
            method = zipfile.ZIP_DEFLATED if name in compressed else None
            archive.writestr(name, each, method)
    return content.getvalue()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The entries of the smallest saved learner there is."""
    path = tmp_path_factory.mktemp("saved") / "one.zip"
    regression(one_weight(0.5)).save(path)
    return entries(path.read_bytes())


def refused(files, tmp_path, *words):
    """Expects a line that names the file and holds the words."""
    path = tmp_path / "one.zip"
    path.write_bytes(files if isinstance(files, bytes) else packed(files))
    with pytest.raises(ValueError) as error:
        MetaLearner.load(path)
    told = str(error.value)
    assert told.startswith(str(path)) and "\n" not in told
    assert len(told) < 600
    for word in words:
        assert re.search(word, told), told
    return error.value


def changed(whole, name, **files):
    """The entries of a learner with other files in one that is an archive."""
    inner = entries(whole[name]) | {
        each.replace("__", "."): content for each, content in files.items()
    }
    return whole | {name: packed(inner)}


# Sizes


@pytest.mark.parametrize("name", ["learner.json", "model.keras", "state.npz"])
def test_a_compressed_entry_is_refused_with_its_name(whole, tmp_path, name):
    files = packed(whole, [name])
    error = refused(files, tmp_path, f"entry '{name}' is compressed")
    assert isinstance(error, DamagedFileError)


def test_an_entry_that_nobody_reads_is_not_unpacked(whole, tmp_path):
    files = packed(whole | {"more": b"\0" * 10_000}, ["more"])
    refused(files, tmp_path, "entry 'more' is compressed, so that .* zip -0")


def test_an_entry_that_lies_about_its_size_is_refused(whole, tmp_path):
    """It says that it is stored, and has ten bytes."""
    files = bytearray(packed(whole | {"z": b"\0" * 10_000}, ["z"]))
    place = files.rindex(b"PK\1\2")
    files[place + 24 : place + 28] = struct.pack("<I", 10)
    files[place + 16 : place + 20] = struct.pack("<I", zlib.crc32(b"\0" * 10))
    refused(bytes(files), tmp_path, "entry 'z' is compressed")
    files[place + 10 : place + 12] = b"\0\0"
    files[place + 24 : place + 28] = struct.pack("<I", 1 << 31)
    refused(bytes(files), tmp_path, "entry 'z' is compressed")


@pytest.mark.parametrize(
    "outer, inner",
    [
        ("state.npz", "meta/0.npy"),
        ("model.keras", "config.json"),
        ("model.keras", "model.weights.h5"),
    ],
)
def test_archives_inside_are_bounded_too(whole, tmp_path, outer, inner):
    files = whole | {outer: packed(entries(whole[outer]), [inner])}
    refused(files, tmp_path, outer, f"entry '{inner}' is compressed")


def npy(shape, dtype="<f4", content=b""):
    file = io.BytesIO()
    about = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, about)
    return file.getvalue() + content


@pytest.mark.parametrize(
    "array",
    [
        npy((10**13,)),
        npy((1 << 28,), content=b"1234"),
        npy((1,), "|V2000000000"),
        npy((), "<i8", b"123456789"),
        npy((1,), "|O", b"12345678"),
        b"\x93NUMPY\x02\x00",
        b"",
    ],
)
def test_an_array_is_as_large_as_it_says(whole, tmp_path, array):
    files = changed(whole, "state.npz", **{"meta/0__npy": array})
    error = refused(files, tmp_path, "state.npz: ")
    assert isinstance(error, DamagedFileError)


def test_weights_are_as_large_as_they_say(whole, tmp_path):
    """A dataset of zeros that nobody wrote takes no room in a file."""
    file = io.BytesIO(entries(whole["model.keras"])["model.weights.h5"])
    with h5py.File(file, "r+") as weights:
        found = []
        weights.visit(lambda n: found.append(n) if n[-1] == "0" else None)
        del weights[found[0]]
        shape = (1 << 29,)
        weights.create_dataset(found[0], shape, chunks=True, compression="gzip")
    inner = {"model__weights__h5": file.getvalue()}
    files = changed(whole, "model.keras", **inner)
    refused(files, tmp_path, "model.keras", f"{found[0]} .* the file holds 0")


def test_a_model_has_no_more_weights_than_the_file(whole, tmp_path):
    """Layers ask for room before anything is read into it."""
    config = entries(whole["model.keras"])["config.json"].decode()
    assert '"units": 1,' in config
    config = config.replace('"units": 1,', '"units": 1000000000000,')
    inner = {"config__json": config.encode()}
    files = changed(whole, "model.keras", **inner)
    refused(files, tmp_path, "more weights than its entry model.weights.h5")


def test_texts_are_bounded(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(json_file, "MOST_BYTES", 100)
    refused(whole, tmp_path, "model.keras.*config.json has .* at most 100 are")
    monkeypatch.setattr(json_file.loads, "__defaults__", (100,))
    refused(whole, tmp_path, "learner.json: .* more than 100 bytes")


def test_texts_that_nest_too_deep_are_refused(whole, tmp_path):
    deep = b"[" * 200_000
    refused(whole | {"learner.json": deep}, tmp_path, "learner.json.*too deep")
    files = changed(whole, "model.keras", config__json=deep)
    refused(files, tmp_path, "model.keras")


# Keys

KEYS = {
    "format": "1",
    "iteration": -0.5,
    "inner_steps": "5",
    "inner_batch_size": None,
    "meta_batch_size": True,
    "meta_batch_mode": 3,
    "loss_reduction": ["sum"],
    "eval_inner_steps": 2.5,
    "eval_inner_batch_size": {},
    "inner_optimizer": [],
    "meta_optimizer": {"class_name": "SGD", "config": 5},
    "loss": {"module": "keras.losses", "class_name": "None", "config": {}},
    "metric": {"class_name": "Mean"},
}


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_key_is_named(whole, tmp_path, key):
    config = json.loads(whole["learner.json"])
    del config[key]
    files = whole | {"learner.json": json.dumps(config)}
    refused(files, tmp_path, key)


@pytest.mark.parametrize(
    "key, value",
    [
        *KEYS.items(),
        *(("jit_compile", 1), ("on_divergence", None), ("unheard_of", 1)),
        ("unheard_of" * 100, 1),
        *(("keras", []), ("keras", {"epsilon": 3, "x": 1})),
        *(("algorithm", 5), ("algorithm", {}), ("algorithm", None)),
        *(("algorithm", "1e999999999"), ("algorithm", {"class": []})),
        ("algorithm", {"class": "reptile_tf>BatchNormalization", "config": {}}),
        ("inner_optimizer", {"name": "adam", "learning_rate": "much"}),
        ("inner_optimizer", {"name": "adam", "learning_rate": 0.1, "more": 1}),
        ("inner_optimizer", {"name": "unheard_of"}),
        *(("iteration", -1), ("inner_steps", 0), ("meta_batch_mode", "x")),
        *(("eval_inner_steps", 1 << 31), ("inner_steps", 10**4000)),
    ],
)
def test_a_key_of_a_wrong_type_is_named(whole, tmp_path, key, value):
    config = json.loads(whole["learner.json"]) | {key: value}
    files = whole | {"learner.json": json.dumps(config)}
    refused(files, tmp_path, key[:9])


@pytest.mark.parametrize("content", [b"[]", b"5", b"{", b"\xff", b'{"a": NaN'])
def test_what_is_no_config_is_named(whole, tmp_path, content):
    refused(whole | {"learner.json": content}, tmp_path, "learner.json")


@pytest.mark.parametrize("array", [None, [1.0, 2.0], "text"])
def test_a_state_that_does_not_fit_is_named(whole, tmp_path, array):
    files = entries(whole["state.npz"])
    del files["meta/0.npy"]
    if array is not None:
        content = io.BytesIO()
        np.save(content, np.array(array))
        files["meta/0.npy"] = content.getvalue()
    files = whole | {"state.npz": packed(files)}
    refused(files, tmp_path, "meta/0" + (" of state.npz must" if array else ""))


def test_a_missing_entry_is_named(whole, tmp_path):
    for name in whole:
        rest = {n: each for n, each in whole.items() if n != name}
        refused(rest, tmp_path, f"lacks the entry {name}")


# Adapted models


def test_an_adapted_model_is_bounded_and_named(whole, tmp_path):
    path = tmp_path / "x.keras"
    about = {
        "class_names": ["a"],
        "preparation": {
            **{"height": 1, "width": 1, "channels": 1},
            "resize": "squash",
        },
    }
    model = entries(whole["model.keras"])
    for told, compressed, words in (
        (about, ["pictures.json"], "'pictures.json' is compressed"),
        (about, ["config.json"], "'config.json' is compressed"),
        (about, [], r"its model takes \(None, 1\)"),
        ({**about, "class_names": 5}, [], "class_names .* a list of texts"),
        ({**about, "class_names": [5]}, [], "class_names .* a list of texts"),
        ({"class_names": ["a"]}, [], "preparation"),
        ([], [], "no model that reptile-tf adapt wrote"),
    ):
        files = model | {"pictures.json": json.dumps(told)}
        path.write_bytes(packed(files, compressed))
        with pytest.raises(ValueError, match=f"^{path} .*{words}") as error:
            PictureClassifier.load(path)
        assert "\n" not in str(error.value)


def test_what_keras_stores_is_loaded(tmp_path):
    """The bounds are those of what it writes."""
    path = tmp_path / "one.keras"
    one_weight(0.5).save(path)
    assert keras_archive.load_model(path).get_weights() == [[[0.5]]]
