"""The paper's Omniglot, on the real drawings where they are at hand."""

import pathlib
import time
from unittest import mock

import numpy as np
import pytest
import tensorflow_datasets as tfds

from reptile_tf.data.labelled_examples import LabelledExamples
from reptile_tf.data.sources import load_classes, tfds_images

DATA_DIR = pathlib.Path(__file__).parents[4] / "shared" / "tfds"


@pytest.fixture(autouse=True)
def users_cache(monkeypatch):
    """Converting takes a minute or two; done once on a machine."""
    monkeypatch.delenv("REPTILE_TF_CACHE")


@pytest.fixture(scope="module")
def data_dir():
    if not DATA_DIR.is_dir():
        pytest.skip("needs Omniglot as prepared by TFDS in ../shared/tfds")
    return DATA_DIR


def test_the_papers_split(data_dir):
    train, validation, test = load_classes("omniglot", data_dir, seed=0)
    assert validation is None
    start = time.perf_counter()
    other, _, _ = load_classes("omniglot", data_dir, seed=1)
    assert time.perf_counter() - start < 60  # seconds: it is not decoded again
    assert (train.num_classes, test.num_classes) == (4 * 1200, 423)
    for part in (train, test):
        assert (part.sizes == 20).all()
        assert part.examples.shape[1:] == (28, 28, 1)
        assert set(np.unique(part.examples)) == {0, 255}
        # Paper is 255, ink is 0: most of a drawing is paper.
        assert 0.85 < (part.examples == 255).mean() < 0.97
    assert not np.array_equal(train.examples, other.examples)
    # No test character is a training character, turned or not: every drawing
    # of a set is another, so equal drawings would be the same one.
    seen = {image.tobytes() for image in train.examples}
    shared = sum(image.tobytes() in seen for image in test.examples)
    assert shared < 0.01 * len(test.examples)


def test_omniglots_own_alphabets(data_dir):
    train, validation, test = load_classes(
        "omniglot", data_dir, omniglot_split="alphabets"
    )
    assert validation is None
    assert (train.num_classes, test.num_classes) == (4 * 964, 659)


@pytest.mark.parametrize(
    "split, left", [("characters", 1100), ("alphabets", 864)]
)
def test_classes_held_out_for_validation(data_dir, split, left):
    """Of the training characters, and not turned; test classes stay."""
    wanted = {"omniglot_split": split, "seed": 3}
    whole, _, same = load_classes("omniglot", data_dir, **wanted)
    train, validation, test = load_classes(
        "omniglot", data_dir, validation_classes=100, **wanted
    )
    assert (train.num_classes, validation.num_classes) == (4 * left, 100)
    assert test.names == same.names
    upright = whole.names[: left + 100]
    assert sorted(train.names[:left] + validation.names) == sorted(upright)
    assert train.names[left] == f"{train.names[0]} turned by 90"
    turned = np.rot90(train[0], axes=(1, 2))
    np.testing.assert_array_equal(train[left], turned)


def test_nearest_neighbour_and_rotation_of_a_real_drawing(data_dir):
    train, _, _ = load_classes("omniglot", data_dir, omniglot_split="alphabets")
    builder = tfds.builder("omniglot", data_dir=data_dir)
    for example in tfds.as_numpy(builder.as_dataset(split="train[:1]")):
        source = example["image"]
    # PAPER: source pixel floor((i + 0.5) * 3.75).
    at = [int((i + 0.5) * 3.75) for i in range(28)]
    expected = source[at][:, at][..., :1]
    # Which class that is in label order does not matter here: the drawing is
    # in one of the first 964, and turned by 90 degrees in the same one of the
    # next 964.
    found = np.flatnonzero((train.examples == expected).all(axis=(1, 2, 3)))
    assert len(found)
    character = np.searchsorted(train.offsets, found[0], side="right") - 1
    assert character < 964
    turned = slice(*train.offsets[character + 964 :][:2])
    same = train.examples[turned] == np.rot90(expected)
    assert same.all(axis=(1, 2, 3)).any()


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="of characters, alphabets; .*'x'"):
        load_classes("omniglot", DATA_DIR, omniglot_split="x")


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="data_dir=.*nowhere is not a folder"):
        load_classes("omniglot", tmp_path / "nowhere")


@pytest.mark.parametrize("characters, drawings", [(1622, 20), (1623, 19)])
def test_less_than_all_of_it_is_refused(
    tmp_path, monkeypatch, characters, drawings
):
    images = np.zeros([characters * drawings, 2, 2, 1], np.uint8)
    offsets = np.arange(0, len(images) + 1, drawings)
    monkeypatch.setattr(tfds, "builder", mock.MagicMock())
    monkeypatch.setattr(
        tfds_images, "load", lambda *_: LabelledExamples(images, offsets)
    )
    with pytest.raises(ValueError, match=f"{tmp_path}.*1623 of 20"):
        load_classes("omniglot", tmp_path)
