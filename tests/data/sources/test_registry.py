"""Data sources by name, and those that users register."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from reptile_tf import ClassImages, Episodes, SineWaves, load_classes
from reptile_tf.data import sources
from reptile_tf.data.sources import registry
from reptile_tf.experiments import build
from reptile_tf.experiments.presets import PRESETS


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    monkeypatch.setattr(registry, "_SOURCES", dict(registry._SOURCES))


def test_the_names_that_come_with_the_package():
    for name in ("omniglot", "glyphs", "tfds:mnist"):
        assert isinstance(sources.get(name), sources.ClassSource)
    assert isinstance(sources.get("sine"), sources.TaskSource)
    for name in ("tfds", "sine:", "omniglot:x", ""):
        with pytest.raises(ValueError, match="dataset must be one of"):
            sources.get(name)
    with pytest.raises(ValueError, match="sine makes tasks on the fly"):
        load_classes("sine")


def test_a_source_of_labelled_images_of_ones_own(classes):
    given = []

    def load(name, data_dir, split, seed):
        given.append((name, data_dir, seed))
        return classes.split(8, seed)

    sources.register(sources.ClassSource("mine:", load=load))
    preset = dataclasses.replace(
        PRESETS["glyphs"], dataset="mine:a", training_shots=4, shots=2, ways=3
    )
    train, test = build.make_tasks(preset, 5, "folder")
    assert given == [("mine:a", "folder", 5)]
    assert isinstance(train, Episodes) and train.shots == 4
    assert test.shots == 2 and test.query_shots == 1
    learner = build.make_learner(preset, 0, build.input_shape(train))
    assert learner.model.input_shape == (None, 8, 8, 1)
    assert learner.model.output_shape == (None, 3)
    assert build.example_gradients(preset) == 5 * 5 * 10
    assert isinstance(load_classes("mine:a")[0], ClassImages)


def test_a_source_of_tasks_of_ones_own():
    class Lines(SineWaves):
        def sample(self, index):
            task = super().sample(index)
            return task._replace(
                support_y=tf.repeat(task.support_x, 2, -1),
                query_y=tf.repeat(task.query_x, 2, -1),
            )

    source = sources.TaskSource(
        "lines",
        make=Lines,
        queries=50,
        targets=2,
        loss="MeanSquaredError",
        metric="MeanAbsoluteError",
    )
    sources.register(source)
    preset = dataclasses.replace(
        PRESETS["sine"], dataset="lines", outer_iterations=2
    )
    train, _ = build.make_tasks(preset, 0)
    learner = build.make_learner(preset, 0, build.input_shape(train))
    assert learner.model.output_shape == (None, 2)
    [score] = learner.evaluate(train, 2, steps=1)
    assert score.metric == "mean_absolute_error"
    assert np.isfinite(score.value)


def test_a_name_is_taken_once():
    with pytest.raises(ValueError, match="named 'glyphs'"):
        sources.register(sources.ClassSource("glyphs", load=None))
