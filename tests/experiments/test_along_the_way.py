"""How much a training is evaluated along the way."""

import dataclasses

import pytest

from reptile_tf.experiments import along_the_way, build
from reptile_tf.experiments.presets import PRESETS


def chosen(preset, every=None, num_tasks=None, held=None):
    found = along_the_way.chosen(preset, every, num_tasks, held or {})
    return found["eval_every"], found["num_validation_tasks"]


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
@pytest.mark.parametrize("total", [40, 1_000, 30_000, 1_000_000])
def test_evaluating_is_at_most_a_fifth_of_the_work(preset, total):
    preset = dataclasses.replace(preset, outer_iterations=total)
    every, count = chosen(preset)
    evaluations = -(-total // every)
    adapting = preset.eval_inner_steps * preset.eval_inner_batch_size
    training = total * build.example_gradients(preset)
    assert 1 <= evaluations <= 50
    assert 2 <= count <= 50
    if count > 2:
        assert evaluations * count * adapting <= training / 4
    if count < 50:
        assert every == total


def test_a_long_training_has_fifty_evaluations_of_fifty_tasks():
    preset = PRESETS["omniglot_5shot_5way"]
    assert chosen(preset) == (2000, 50)


def test_what_was_asked_for_comes_first_then_what_the_run_has():
    preset = PRESETS["omniglot_5shot_5way"]
    held = {"eval_every": 30, "num_validation_tasks": 7}
    assert chosen(preset, held=held) == (30, 7)
    assert chosen(preset, 40, 9, held) == (40, 9)
    # Of a run that was begun before its file said how many.
    assert chosen(preset, held={"eval_every": 100}) == (100, 50)
    assert chosen(preset, every=10) == (10, 50)
