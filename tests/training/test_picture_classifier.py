"""Adapted models of pictures as Keras's files, and how good they are."""

import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
from PIL import Image

import reptile_tf as rt
from reptile_tf.data.preparation import Preparation
from reptile_tf.training import cross_validation, picture_classifier
from reptile_tf.training.picture_classifier import PictureClassifier
from reptile_tf.training.score import Share

PREPARATION = Preparation(8, 8, 1, "crop")


@pytest.fixture(scope="module")
def learner():
    keras.utils.set_random_seed(0)
    return rt.MetaLearner(
        rt.models.omniglot_cnn(3, (8, 8, 1)),
        inner_optimizer=rt.Adam(0.01),
        inner_steps=10,
        loss_reduction="mean",
    )


def support(classes, count=3, each=6):
    x = np.concatenate([classes[c][:each] for c in range(count)])
    return x / np.float32(255), np.repeat(np.arange(count), each)


@pytest.fixture(scope="module")
def file(learner, classes, tmp_path_factory):
    x, y = support(classes)
    adapted = learner.adapt(x, y)
    path = tmp_path_factory.mktemp("model") / "a b.keras"
    picture_classifier.of_adapted(
        adapted, ["ant", "bee", "ötter"], PREPARATION, logits=True
    ).save(path)
    return path, adapted


def test_it_answers_as_the_adapted_model_does(file, classes, tmp_path):
    """For pixels from 0 to 255, in probabilities; also of picture files."""
    path, adapted = file
    found = PictureClassifier.load(path)
    assert found.class_names == ["ant", "bee", "ötter"]
    assert found.preparation == PREPARATION
    x = classes.examples[:5]
    expected = keras.ops.softmax(adapted.predict(x / 255, verbose=0)).numpy()
    for pixels in (x, x.astype(np.float32)):
        np.testing.assert_allclose(
            found.model.predict(pixels, verbose=0), expected, atol=1e-5
        )
    for i, image in enumerate(x):
        Image.fromarray(image[..., 0]).save(tmp_path / f"{i}.png")
    np.testing.assert_allclose(
        found.classify(sorted(tmp_path.glob("*.png"))), expected, atol=1e-5
    )


def test_what_lies_beside_the_weights_goes_along():
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1))
    layer = keras.layers.Normalization(axis=None)
    layer.adapt(pixels / 255)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layer,
            rt.models.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
    )
    whole = picture_classifier.of_adapted(
        model, ["a", "b"], PREPARATION, logits=False
    ).model
    np.testing.assert_allclose(
        whole(pixels.astype(np.float32)),
        model(pixels.astype(np.float32) / 255),
        rtol=1e-4,
    )


def test_keras_alone_can_load_it(file, classes):
    path, adapted = file
    x = classes.examples[:3]
    program = f"""
import sys, numpy, keras
model = keras.saving.load_model({str(path)!r})
print(model.predict(numpy.array({x.tolist()}), verbose=0).argmax(1).tolist())
assert not any(name.startswith("reptile_tf") for name in sys.modules)
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    expected = adapted.predict(x / 255, verbose=0).argmax(1).tolist()
    assert run.stdout.splitlines()[-1] == str(expected)


def test_what_is_no_such_file_is_refused(tmp_path, learner):
    plain = tmp_path / "plain.keras"
    learner.model.save(plain)
    (tmp_path / "text.keras").write_text("no archive")
    with pytest.raises(ValueError, match="there is no file .*missing.keras"):
        PictureClassifier.load(tmp_path / "missing.keras")
    for name in ("plain.keras", "text.keras"):
        with pytest.raises(ValueError, match=f"{name} is no model that"):
            PictureClassifier.load(tmp_path / name)


def test_a_file_is_written_whole_or_not_at_all(file, tmp_path, monkeypatch):
    classifier = PictureClassifier.load(file[0])

    def full(*_, **__):
        raise OSError("no space")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(OSError, match="no space"):
        classifier.save(tmp_path / "x.keras")
    assert not list(tmp_path.iterdir())


def test_each_example_is_left_out_once(learner, classes, monkeypatch):
    """And is asked about by a model that never saw it."""
    x, y = support(classes)
    seen = []

    def adapt(x, y, steps):
        seen.append({image.tobytes() for image in x})
        assert len(set(y.tolist())) == 3

        def answer(asked, training):
            assert not training
            pixels = np.rint(np.asarray(asked) * 255).astype(np.uint8)
            assert not {image.tobytes() for image in pixels} & seen[-1]
            return keras.ops.one_hot(np.zeros(len(asked), int), 3)

        return answer

    monkeypatch.setattr(
        rt.MetaLearner, "adapt", lambda _, *a, **k: adapt(*a, **k)
    )
    share, folds = cross_validation.leave_out(learner, x, y)
    assert folds == 5 and len(seen) == 5
    assert share == Share(6, 18)  # always class 0


def test_classes_that_can_be_told_are_told(learner, classes):
    x, y = support(classes)
    share, folds = cross_validation.leave_out(learner, x, y, steps=60)
    assert share.total == 18 and share.right >= 15
    assert share.interval()[0] > 1 / 3


def test_a_single_example_cannot_be_left_out(learner, classes):
    x, y = support(classes)
    rows = [0, 1, 6, 7, 12]  # one of class 2
    assert cross_validation.leave_out(learner, x[rows], y[rows]) is None


@pytest.mark.parametrize(
    "right, total, low, high",
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)],
)
def test_wilsons_interval(right, total, low, high):
    """As tables of it have it."""
    found = Share(right, total).interval()
    assert found == (
        pytest.approx(low, abs=1e-4),
        pytest.approx(high, abs=1e-4),
    )
