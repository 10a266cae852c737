"""The presets are the paper's tables."""

import dataclasses

import keras
import pytest
import tensorflow as tf

from reptile_tf import SGD, Adam
from reptile_tf.algorithms import NAMED
from reptile_tf.algorithms.inner_loop import REDUCTIONS
from reptile_tf.algorithms.optimizers import INNER_OPTIMIZERS
from reptile_tf.data.augmentation import NAMED as AUGMENTATIONS
from reptile_tf.data.preparation import RESIZES
from reptile_tf.experiments import build
from reptile_tf.experiments.preset import SETTINGS, Preset
from reptile_tf.experiments.presets import PRESETS
from reptile_tf.models import NETWORKS
from reptile_tf.training.evaluation_modes import MODES
from reptile_tf.training.meta_optimizer import META_OPTIMIZERS
from reptile_tf.training.settings import EVALUATION_MODES

# Tables 3, 4 and 5: the rows in their order; each preset is a column.
ROWS = (
    "learning_rate",
    "inner_batch_size",
    "inner_steps",
    "training_shots",
    "outer_step_size",
    "outer_iterations",
    "meta_batch_size",
    "eval_inner_batch_size",
    "eval_inner_steps",
)
TABLES = {
    "omniglot_1shot_5way": (4.4e-4, 5, 12, 12, 1.0, 200_000, 3, 5, 86),
    "omniglot_1shot_20way": (4.4e-4, 15, 12, 9, 1.0, 200_000, 3, 10, 97),
    "omniglot_5shot_5way": (1.5e-3, 10, 5, 10, 0.7, 100_000, 5, 6, 100),
    "omniglot_5shot_20way": (4.6e-4, 20, 12, 12, 1.0, 200_000, 3, 10, 97),
    "omniglot_1shot_5way_transductive": (
        *(1e-3, 25, 3, 15, 1.0, 100_000, 10, 25, 5),
    ),
    "mini_imagenet_1shot_5way": (
        *(1.2e-3, 3, 19, 12, 0.235, 200_000, 2, 3, 59),
    ),
    "mini_imagenet_5shot_5way": (
        *(2.2e-4, 10, 8, 15, 1.0, 200_000, 5, 15, 88),
    ),
    "mini_imagenet_1shot_5way_transductive": (
        *(1e-3, 5, 15, 15, 1.0, 100_000, 10, 5, 10),
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_presets_are_the_papers_columns(name):
    preset = PRESETS[name]
    assert tuple(getattr(preset, row) for row in ROWS) == TABLES[name]
    assert f"{preset.shots}shot_{preset.ways}way" in name
    [dataset] = [d for d in ("omniglot", "mini_imagenet") if d in name]
    assert (preset.dataset, preset.network) == (dataset, f"{dataset}_cnn")
    assert preset.omniglot_split == "characters"
    assert preset.inner_optimizer == "adam"
    assert preset.meta_batch_mode == "serial"
    assert preset.loss_reduction == "sum"


def test_the_gradient_combinations_preset_is_table_6():
    preset = PRESETS["omniglot_gradients"]
    assert (preset.learning_rate, preset.inner_batch_size) == (3e-3, 25)
    assert (preset.outer_step_size, preset.outer_iterations) == (0.25, 40_000)
    assert (preset.eval_inner_batch_size, preset.eval_inner_steps) == (25, 5)
    assert (preset.inner_optimizer, preset.meta_optimizer) == ("sgd", "sgd")
    assert preset.meta_batch_size == 1
    assert preset.training_shots * preset.ways == 4 * 25
    assert preset.loss_reduction == "sum"
    assert (preset.algorithm, preset.inner_steps) == ("1,1", 2)


@pytest.mark.parametrize("shots", [1, 5])
def test_mamls_presets_are_finns(shots):
    preset = PRESETS[f"omniglot_{shots}shot_5way_maml"]
    assert (preset.inner_optimizer, preset.learning_rate) == ("sgd", 0.4)
    assert (preset.inner_steps, preset.eval_inner_steps) == (1, 3)
    whole = preset.ways * shots  # the support set is the batch
    assert (preset.training_shots, preset.query_shots) == (shots, shots)
    assert (preset.inner_batch_size, preset.eval_inner_batch_size) == (
        *(whole, whole),
    )
    assert (preset.meta_optimizer, preset.outer_step_size) == ("adam", 1e-3)
    assert (preset.outer_iterations, preset.meta_batch_size) == (60_000, 32)
    assert preset.loss_reduction == "mean"


@pytest.mark.parametrize("shots, meta_batch", [(1, 4), (5, 2)])
def test_mamls_presets_for_mini_imagenet_are_finns(shots, meta_batch):
    preset = PRESETS[f"mini_imagenet_{shots}shot_5way_maml"]
    assert (preset.inner_optimizer, preset.learning_rate) == ("sgd", 0.01)
    assert (preset.inner_steps, preset.eval_inner_steps) == (5, 10)
    assert (preset.training_shots, preset.query_shots) == (shots, 15)
    assert preset.inner_batch_size == preset.eval_inner_batch_size == 5 * shots
    assert (preset.meta_optimizer, preset.outer_step_size) == ("adam", 1e-3)
    assert preset.outer_iterations == 60_000
    assert preset.meta_batch_size == meta_batch
    assert preset.network == "mini_imagenet_cnn"
    assert preset.loss_reduction == "mean"


def test_every_preset_says_where_it_is_from_and_what_to_expect():
    maml = {
        f"{dataset}_{shots}shot_5way_maml"
        for dataset in ("omniglot", "mini_imagenet")
        for shots in (1, 5)
    }
    others = {"omniglot_gradients", "sine", "glyphs", "photos", *maml}
    assert set(PRESETS) == {*TABLES, *others}
    for preset in PRESETS.values():
        assert preset.source
        assert preset.expected
        assert preset.running_time


def test_a_learner_is_made_as_the_preset_says():
    preset = PRESETS["omniglot_5shot_5way"]
    learner = build.make_learner(preset, 0, (28, 28, 1))
    assert learner.inner_optimizer == Adam(1.5e-3)
    assert learner.settings.inner_steps == 5
    assert learner.settings.inner_batch_size == 10
    assert learner.settings.meta_batch_size == 5
    assert learner.settings.eval_inner_steps == 100
    assert learner.settings.eval_inner_batch_size == 6
    assert learner.model.output_shape == (None, 5)
    rate = learner.meta_optimizer
    assert float(rate.learning_rate) == pytest.approx(0.7)
    rate.iterations.assign(50_000)
    assert float(rate.learning_rate) == pytest.approx(0.35)
    sine = build.make_learner(PRESETS["sine"], 0, (1,))
    assert isinstance(sine.inner_optimizer, SGD)
    assert sine.metric.name == "mean_squared_error"


def test_a_seed_makes_the_same_learner_again():
    preset = PRESETS["sine"]
    first, same, other = (
        build.make_learner(preset, seed, (1,)).model.get_weights()[0]
        for seed in (0, 0, 1)
    )
    assert (first == same).all()
    assert (first != other).any()


def test_the_tests_tasks_are_not_the_trainings():
    tasks = build.make_tasks(PRESETS["sine"], 0)
    firsts = {
        each.sample(tf.constant(0, tf.int64)).query_y.numpy().tobytes()
        for each in (*tasks, tasks.seen)
    }
    assert len(firsts) == 4


@pytest.mark.parametrize(
    "name, gradients",
    [
        ("omniglot_5shot_5way", 5 * 5 * 10),
        ("omniglot_1shot_5way_maml", 32 * (1 * 5 + 5)),
        ("omniglot_5shot_5way_maml", 32 * (1 * 25 + 25)),
        ("sine", 32 * 10),
    ],
)
def test_gradients_of_an_outer_iteration(name, gradients):
    assert build.example_gradients(PRESETS[name]) == gradients


def test_sine_queries_are_fifty_points():
    preset = dataclasses.replace(PRESETS["sine"], algorithm="fomaml")
    assert build.example_gradients(preset) == 32 * 10 + 50


def test_the_choices_of_settings_are_what_there_is():
    """They are spelled apart, so that --help need not load TensorFlow."""
    known = {
        "network": NETWORKS,
        "inner_optimizer": INNER_OPTIMIZERS,
        "meta_optimizer": META_OPTIMIZERS,
        "loss_reduction": REDUCTIONS,
        "augmentation": AUGMENTATIONS,
    }
    fields = {field.name: field for field in dataclasses.fields(Preset)}
    for name, there in known.items():
        assert set(fields[name].metadata["choices"]) == set(there)
        with pytest.raises(ValueError, match=f"{name} must be one of"):
            dataclasses.replace(PRESETS["sine"], **{name: "other"})
    for algorithm in NAMED:
        assert algorithm in fields["algorithm"].metadata["text"]
    assert set(fields["resize"].metadata["choices"]) < set(RESIZES)
    assert tuple(MODES) == EVALUATION_MODES
    assert all(mode.__name__ == name for name, mode in MODES.items())


def test_every_setting_says_what_it_means():
    for field in SETTINGS:
        text = field.metadata["text"]
        assert text.endswith(".") and text == " ".join(text.split())


def test_a_network_for_points_is_refused_images():
    preset = dataclasses.replace(PRESETS["glyphs"], network="sine_mlp")
    with pytest.raises(ValueError, match=r"sine_mlp .* \[28, 28, 1\]; .*cnn"):
        build.make_learner(preset, 0, (28, 28, 1))


def test_mixed_precision_is_the_layers_alone():
    preset = dataclasses.replace(PRESETS["glyphs"], mixed_precision="bfloat16")
    learner = build.make_learner(preset, 0, (28, 28, 1))
    assert learner.model.layers[-1].compute_dtype == "bfloat16"
    assert learner.functional.phi().dtype == tf.float32
    assert learner.inner_state.second.dtype == tf.float32
    assert keras.config.dtype_policy().name == "float32"
