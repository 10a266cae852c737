"""Data sources by name, and those that users register."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import reptile_tf as rt
from reptile_tf import Episodes, LabelledExamples, SineWaves, load_classes
from reptile_tf.data import sources
from reptile_tf.data.sources import registry
from reptile_tf.data.task_settings import TaskSettings
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

    def load(settings, seed, data_dir):
        given.append((settings.dataset, data_dir, seed))
        train, test = classes.split(8, seed)
        return train.subset(range(5)), train.subset(range(5, 8)), test

    sources.register(sources.ClassSource("mine:", load=load))
    preset = dataclasses.replace(
        PRESETS["glyphs"], dataset="mine:a", training_shots=4, shots=2, ways=3
    )
    tasks = build.make_tasks(preset, 5, "folder")
    train, validation, test = tasks
    assert given == [("mine:a", "folder", 5)]
    assert isinstance(train, Episodes) and train.shots == 4
    assert train.classes.num_classes == 5
    for each, count in ((validation, 3), (test, 4), (tasks.seen, 5)):
        assert each.shots == 2 and each.query_shots == 1
        assert each.classes.num_classes == count
    assert tasks.held_out and tasks.along_the_way() == "validation classes"
    assert len({each.seed for each in (*tasks, tasks.seen)}) == 4
    names = [*train.classes.names, *validation.classes.names]
    assert not set(names) & set(test.classes.names)
    assert tasks.class_sizes["test"] == dict.fromkeys(test.classes.names, 6)
    learner = build.make_learner(preset, 0, build.input_shape(train))
    assert learner.model.input_shape == (None, 8, 8, 1)
    assert learner.model.output_shape == (None, 3)
    assert build.example_gradients(preset) == 5 * 5 * 10
    assert isinstance(load_classes("mine:a")[0], LabelledExamples)
    assert rt.load_tasks("mine:a", ways=3, shots=1).train.shots == 1


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
    train, validation, test = build.make_tasks(preset, 0)
    assert len({train.seed, validation.seed, test.seed}) == 3
    learner = build.make_learner(preset, 0, build.input_shape(train))
    assert learner.model.output_shape == (None, 2)
    [score] = learner.evaluate(train, 2, steps=1)
    assert score.metric == "mean_absolute_error"
    assert np.isfinite(score.value)


def test_a_source_without_validation_classes(classes):
    """Accuracies along the way then come from training classes, by name."""

    def load(settings, seed, data_dir):
        train, test = classes.split(8, seed)
        return train, None, test

    sources.register(sources.ClassSource("two", load=load))
    tasks = rt.load_tasks("two", ways=3, shots=2)
    assert not tasks.held_out and tasks.along_the_way() == "training classes"
    assert tasks.validation is tasks.seen is tasks.evaluated("train")
    assert tasks.seen.classes.names == tasks.train.classes.names
    assert tasks.evaluated("test") is tasks.test
    assert set(tasks.class_sizes) == {"train", "test"}
    with pytest.raises(ValueError, match="no classes were held out"):
        tasks.evaluated("validation")
    with pytest.raises(ValueError, match="train, validation, test.*'all'"):
        tasks.evaluated("all")


def test_a_path_is_taken_for_a_folder_of_pictures(tmp_path):
    with pytest.raises(ValueError, match=f"write folder:{tmp_path}"):
        sources.get(str(tmp_path))
    with pytest.raises(ValueError, match="received 'nowhere'$"):
        sources.get("nowhere")


def test_a_name_is_taken_once():
    with pytest.raises(ValueError, match="named 'glyphs'"):
        sources.register(sources.ClassSource("glyphs", load=None))


@pytest.mark.parametrize(
    "name, setting",
    [
        *(("glyphs", {"image_size": 32}), ("glyphs", {"csv": "x.csv"})),
        *(("sine", {"augmentation": "flip"}), ("sine", {"ways": 3})),
        *(("sine", {"query_shots": 5}), ("omniglot", {"channels": 1})),
        *(
            ("mini_imagenet", {"image_size": 32}),
            ("glyphs", {"label_key": "a"}),
        ),
        *(("folder:x", {"omniglot_split": "alphabets"}),),
        *(("tfds:mnist", {"manual_dir": "x"}),),
    ],
)
def test_a_setting_without_effect_is_refused(name, setting):
    [(key, value)] = setting.items()
    with pytest.raises(ValueError, match=f"{key}={value} has no use .*{name}"):
        rt.load_tasks(name, **setting)


def test_settings_that_presets_have_are_of_use():
    for preset in PRESETS.values():
        sources.get(preset.dataset).require_used(preset)


def test_every_setting_of_some_source_alone_is_known():
    """A new setting has an effect on all sources, or is listed."""
    everywhere = {
        *("dataset", "validation_classes", "ways", "max_ways", "shots"),
        *("training_shots", "query_shots", "augmentation"),
    }
    names = {field.name for field in dataclasses.fields(TaskSettings)}
    assert sources.get("glyphs").without_effect == names - everywhere


def test_advice_can_be_followed(classes):
    """Classes hold 6 examples."""

    def load(settings, seed, data_dir):
        return classes.split(8, seed)[0], None, classes.split(8, seed)[1]

    sources.register(sources.ClassSource("six", load=load))
    with pytest.raises(ValueError, match="; use training_shots=2 at most"):
        rt.load_tasks("six", shots=1, training_shots=5, query_shots=4)
    with pytest.raises(ValueError, match="; leave out classes of fewer than 9"):
        rt.load_tasks("six", shots=1, training_shots=1, query_shots=8)
