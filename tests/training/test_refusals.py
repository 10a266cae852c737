"""What is refused, with the name, the value, and what would do."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from toys import Constants, dense, one_weight, regression, snapshot

from reptile_tf import (
    FOMAML,
    SGD,
    Adam,
    Checkpoint,
    Episodes,
    LabelledExamples,
    MetaLearner,
    Score,
    SineWaves,
    linear_decay,
    load_classes,
)


def refused(*words):
    """Expects a ValueError whose message holds all of the words."""
    pattern = "".join(f"(?=.*{word})" for word in words)
    return pytest.raises(ValueError, match=f"(?s){pattern}")


@pytest.mark.parametrize(
    "setting",
    [
        "inner_steps",
        "inner_batch_size",
        "meta_batch_size",
        "eval_inner_steps",
        "eval_inner_batch_size",
    ],
)
@pytest.mark.parametrize("value", [0, -3])
def test_counts_below_one(setting, value):
    with refused(setting, str(value), "at least 1"):
        MetaLearner(one_weight(), **{setting: value})


@pytest.mark.parametrize(
    "setting, known",
    [
        ("meta_batch_mode", ["serial", "parallel"]),
        ("loss_reduction", ["sum", "mean"]),
    ],
)
def test_unknown_names(setting, known):
    with refused(setting, "'other'", *known):
        MetaLearner(one_weight(), **{setting: "other"})


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"inner_optimizer": "adam"}, ["inner_optimizer", "'adam'", "SGD"]),
        ({"inner_optimizer": SGD}, ["inner_optimizer", "SGD"]),
        ({"algorithm": None}, ["algorithm", "instance", "None"]),
        ({"algorithm": FOMAML}, ["algorithm", "instance", "FOMAML"]),
        ({"algorithm": "maml2"}, ["algorithm", "'maml2'", "fomaml"]),
        ({"loss": "mse"}, ["metric=None", "mse", "MeanSquaredError"]),
        ({"loss": "mse", "metric": "accuracy"}, ["metric='accuracy'"]),
    ],
)
def test_arguments_that_are_no_choice(settings, words):
    with refused(*words):
        MetaLearner(one_weight(), **settings)


def test_a_batch_normalization_in_two_places():
    shared = keras.layers.BatchNormalization(name="shared")
    inputs = keras.Input((2,))
    x = keras.layers.Dense(2)(shared(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(shared(x)))
    with refused("shared", "called 2 times", "one .* for each"):
        MetaLearner(model).adapt(np.ones([2, 2]), [0, 1], steps=1)


def test_adapting_to_what_explodes():
    learner = regression(inner_steps=1)
    with pytest.raises(FloatingPointError, match="adapt: .* not finite"):
        learner.adapt([[1e30]], [[1e30]], steps=5)


@pytest.mark.parametrize("make", [SGD, Adam])
@pytest.mark.parametrize("rate", [0, -0.1, float("nan")])
def test_learning_rates_that_learn_nothing(make, rate):
    with refused("learning_rate", str(rate), "above 0"):
        make(rate)


@pytest.mark.parametrize(
    "setting, value",
    [
        ("beta_1", 1.0),
        ("beta_1", -0.1),
        ("beta_2", 1.0),
        ("beta_2", -0.1),
        ("epsilon", 0.0),
    ],
)
def test_impossible_settings_of_adam(setting, value):
    with refused(setting, str(value)):
        Adam(0.1, **{setting: value})


@pytest.mark.parametrize(
    "step_size, iterations, name",
    [(0.0, 9, "step_size"), (-1.0, 9, "step_size"), (1.0, 0, "iterations")],
)
def test_impossible_decays(step_size, iterations, name):
    with refused(name, "above 0|at least 1"):
        linear_decay(step_size, iterations)


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"ways": 13}, ["ways=13", "12"]),
        (
            {"shots": 2, "query_shots": 8},
            ["query_shots=8", "query_shots of at most 5, and fewer shots"],
        ),
        ({"ways": 1}, ["ways", "at least 2", "1"]),
        ({"ways": 0}, ["ways", "at least 2", "0"]),
        ({"shots": 6}, ["shots=6", "at most 5"]),
        ({"shots": 0}, ["shots", "at least 1", "0"]),
        ({"shots": -1}, ["shots", "at least 1", "-1"]),
        ({"query_shots": -1}, ["query_shots", "at least 0", "-1"]),
        ({"shots": 3, "query_shots": 4}, ["query_shots=4", "at most 2"]),
        ({"seed": -1}, ["seed", "at least 0", "-1"]),
    ],
)
def test_impossible_episodes(classes, settings, words):
    with refused(*words):
        Episodes(classes, **{"ways": 3, "shots": 2, **settings})


def test_the_largest_possible_episodes_are_not_refused(classes):
    task = Episodes(classes, ways=12, shots=5).sample(tf.constant(0, tf.int64))
    assert task.support_x.shape == (60, 8, 8, 1)


@pytest.mark.parametrize("settings", [{"shots": 0}, {"seed": -1}])
def test_impossible_waves(settings):
    [(name, value)] = settings.items()
    with refused(name, "at least", str(value)):
        SineWaves(**settings)


@pytest.fixture(scope="module")
def learner():
    """For three ways; nothing it is asked here gets as far as a graph."""
    return MetaLearner(dense(ways=3), inner_steps=1, inner_batch_size=3)


@pytest.mark.parametrize("use", ["fit", "validation", "evaluate"])
def test_a_model_with_other_outputs_than_ways(learner, classes, use):
    good = Episodes(classes, ways=3, shots=1)
    bad = Episodes(classes, ways=4, shots=1)
    with refused("3", "ways=4", "must have 4 units"):
        if use == "fit":
            learner.fit(bad, 1, verbose=0)
        elif use == "validation":
            learner.fit(good, 1, validation_tasks=bad, verbose=0)
        else:
            learner.evaluate(bad, 2)
    assert learner.iteration == 0


def test_inputs_the_model_does_not_take(learner, classes):
    smaller = LabelledExamples(classes.examples[:, :7], classes.offsets)
    tasks = Episodes(smaller, ways=3, shots=1)
    for use in (
        lambda: learner.fit(tasks, 1, verbose=0),
        lambda: learner.evaluate(tasks, 2),
        lambda: learner.adapt(smaller.examples[:3] / 255, [0, 1, 2]),
    ):
        with refused("7, 8, 1", "8, 8, 1"):
            use()


def test_an_inner_batch_larger_than_the_task(learner, classes):
    small = MetaLearner(dense(ways=3), inner_batch_size=4)
    with refused("inner_batch_size=4", "3"):
        small.fit(Episodes(classes, ways=3, shots=1), 1, verbose=0)
    assert small.iteration == 0


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"outer_iterations": 0}, ["outer_iterations", "0", "at least 1"]),
        ({"outer_iterations": -2}, ["outer_iterations", "-2", "at least 1"]),
        (
            {"iterations_per_epoch": 0},
            ["iterations_per_epoch", "0", "at least 1"],
        ),
        (
            {"num_validation_tasks": 1},
            ["num_validation_tasks", "1", "at least 2"],
        ),
    ],
)
def test_impossible_trainings(classes, settings, words):
    """Before any work: not an iteration is made."""
    learner = regression(inner_steps=1, meta_batch_size=1)
    tasks = Constants(1, 2, 3)
    with refused(*words):
        learner.fit(
            tasks,
            **{
                "outer_iterations": 1,
                "validation_tasks": tasks,
                "verbose": 0,
                **settings,
            },
        )
    assert learner.iteration == 0


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"num_tasks": 1}, ["num_tasks", "1", "at least 2"]),
        ({"num_tasks": 0}, ["num_tasks", "0", "at least 2"]),
        ({"modes": ["inductive"]}, ["mode", "'inductive'", "transductive"]),
        ({"steps": -1}, ["steps", "-1", "at least 0"]),
    ],
)
def test_impossible_evaluations(learner, classes, settings, words):
    tasks = Episodes(classes, ways=3, shots=1)
    with refused(*words):
        learner.evaluate(tasks, **{"num_tasks": 2, **settings})


@pytest.mark.parametrize(
    "labels, words",
    [
        ([0, 1], ["length", "3", "2"]),
        ([0, 1, 3], ["labels", "0 to 2", "3"]),
        ([0, 1, -1], ["labels", "0 to 2", "-1"]),
    ],
)
def test_impossible_labels(learner, classes, labels, words):
    with refused(*words):
        learner.adapt(classes.examples[:3] / 255, labels)


def test_no_examples(learner, classes):
    with refused("at least 1", "0"):
        learner.adapt(classes.examples[:0] / 255, [])


def test_negative_steps_of_adapt(learner, classes):
    with refused("steps", "-1", "at least 0"):
        learner.adapt(classes.examples[:3] / 255, [0, 1, 2], steps=-1)


def test_models_that_cannot_learn():
    with refused("no weights", "build"):
        MetaLearner(keras.Sequential([keras.layers.Dense(1)]))
    nothing = keras.Sequential([keras.Input((2,)), keras.layers.ReLU()])
    with refused("trainable weights", "none"):
        MetaLearner(nothing)
    mixed = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(1),
            keras.layers.Dense(1, dtype="float64"),
        ]
    )
    with refused("one dtype", "float32", "float64"):
        MetaLearner(mixed)


def test_a_model_that_clones_to_another():
    class Forgetful(keras.Model):
        """Its get_config forgets the units."""

        def __init__(self, units=2, **kwargs):
            super().__init__(**kwargs)
            self.classify = keras.layers.Dense(units)

        def call(self, x):
            return self.classify(x)

        def get_config(self):
            return {}

    model = Forgetful(units=5)
    model(np.ones([1, 3]))
    with pytest.raises(ValueError):
        MetaLearner(model)


@pytest.mark.parametrize(
    "images, offsets, words",
    [
        (np.zeros([4, 2, 2, 1], np.uint8), [0, 3], ["offsets", "4"]),
        (np.zeros([4, 2, 2, 1], np.uint8), [1, 4], ["offsets"]),
        (np.zeros([4, 2, 2, 1], np.uint8), [0, 2, 2, 4], ["offsets"]),
        (np.zeros([4, 2, 2, 1], np.uint8), [0, 3, 2, 4], ["offsets"]),
        (np.zeros([0, 2, 2, 1], np.uint8), [0], ["offsets"]),
    ],
)
def test_impossible_class_images(images, offsets, words):
    with refused(*words):
        LabelledExamples(images, np.array(offsets))


def test_labels_of_another_length():
    images = np.zeros([4, 2, 2, 1], np.uint8)
    with refused("length", "4", "3"):
        LabelledExamples.from_labels(images, [0, 1, 2])
    with refused("length", "0"):
        LabelledExamples.from_labels(images[:0], [])


@pytest.mark.parametrize("first", [0, -1, 12, 13, 0.8])
def test_a_split_with_an_empty_part(classes, first):
    with refused("first", "1 to 11", f"received {first}"):
        classes.split(first, seed=0)


def test_data_that_are_not_there(tmp_path):
    with refused("dataset", "'cats'", "omniglot", "glyphs", "tfds:NAME"):
        load_classes("cats")
    missing = tmp_path / "none"
    for name in ("omniglot", "tfds:mnist"):
        with refused("data_dir", str(missing)):
            load_classes(name, missing)
    with refused("omniglot_split", "'letters'", "characters", "alphabets"):
        load_classes("omniglot", tmp_path, omniglot_split="letters")
    with refused("dataset", "folder:PATH", f"folder:{tmp_path}"):
        load_classes(str(tmp_path))


@pytest.mark.parametrize("seed", [-1, 1 << 32])
def test_seeds_that_numpy_does_not_take(classes, seed):
    with refused("seed", "0 to 2.*32 - 1", str(seed)):
        classes.split(2, seed=seed)


def test_a_lambda_cannot_be_saved(tmp_path):
    learner = regression(loss=lambda y, p: (y - p) ** 2)
    with refused("loss", "lambda", "register_keras_serializable"):
        learner.save(tmp_path / "learner.zip")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "setting, value, least", [("every", 0, 1), ("keep", 1, 2)]
)
def test_checkpoints_that_keep_nothing(tmp_path, setting, value, least):
    with refused(setting, str(value), f"at least {least}"):
        Checkpoint(regression(), tmp_path, **{setting: value})


def test_an_interval_of_one_task():
    with refused("at least 2 tasks", "1"):
        Score.of("support", "accuracy", [1.0])


# Numbers that are not finite.


@pytest.mark.parametrize("mode", ["serial", "parallel"])
def test_a_training_that_explodes_stops_at_the_state_before(mode, tmp_path):
    """The third iteration's second task, index 5, has no finite loss."""
    learner = regression(
        inner_optimizer=Adam(0.1),
        inner_steps=2,
        meta_batch_size=2,
        meta_batch_mode=mode,
    )
    tasks = Constants(1, 2, 3, 4, 5, 3e38, 7, 8)
    learner.fit(tasks, 2, verbose=0)
    before = snapshot(learner)
    with (
        pytest.raises(
            FloatingPointError, match="outer iteration 2, task 5.*learning rate"
        ),
        Checkpoint(learner, tmp_path, every=1),
    ):
        learner.fit(tasks, 4, verbose=0)
    for a, b in zip(before, snapshot(learner), strict=True):
        np.testing.assert_array_equal(a, b)
    assert learner.iteration == 2


def test_a_second_moment_that_overflows_is_noticed_at_once():
    """The loss, 1.44e38, is finite; the squared gradient is not."""
    learner = regression(
        inner_optimizer=Adam(0.1), inner_steps=1, meta_batch_size=1
    )
    with pytest.raises(FloatingPointError, match="optimizer state"):
        learner.fit(Constants(1.2e19), 1, verbose=0)


def test_an_inner_learning_rate_that_explodes():
    # A step of SGD(1e4) multiplies the distance by about -2e4.
    learner = regression(
        inner_optimizer=SGD(1e4), inner_steps=10, meta_batch_size=1
    )
    with pytest.raises(FloatingPointError, match="iteration 0, task 0"):
        learner.fit(Constants(1, 2), 1, verbose=0)


def test_an_evaluation_that_explodes_is_no_accuracy(classes):
    """Of logits that are no numbers, the first would count as the largest."""
    learner = MetaLearner(
        dense(), inner_optimizer=SGD(3e38), inner_steps=5, inner_batch_size=3
    )
    with pytest.raises(FloatingPointError, match="task 0"):
        learner.evaluate(Episodes(classes, ways=3, shots=1), 2)
