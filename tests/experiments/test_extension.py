"""Runs that go on past the number that they were begun with."""

import csv
import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest

from reptile_tf import MetaLearner
from reptile_tf.experiments import build
from reptile_tf.experiments.presets import PRESETS
from reptile_tf.experiments.run import Run

pytestmark = pytest.mark.usefixtures("eagerly")

TINY = dataclasses.replace(
    PRESETS["sine"],
    **{"inner_steps": 1, "inner_batch_size": 2, "eval_inner_steps": 1},
    outer_iterations=3,
)
ARGUMENTS = {"num_validation_tasks": 2}


def longer(iterations, preset=TINY):
    return dataclasses.replace(preset, outer_iterations=iterations)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(MetaLearner, "evaluate", lambda *_, **__: [])


def weights(learner):
    return [
        *learner.model.get_weights(),
        *(v.numpy() for v in learner.meta_optimizer.variables),
    ]


def assert_same(ours, theirs):
    assert ours.iteration == theirs.iteration
    for one, other in zip(weights(ours), weights(theirs), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_it_takes_the_steps_of_the_longer_training(tmp_path, optimizer, capsys):
    """As a learner of that length does from the same place on."""
    preset = dataclasses.replace(TINY, meta_optimizer=optimizer)
    Run(tmp_path, preset, 0).train(eval_every=2, **ARGUMENTS)
    first = MetaLearner.load(tmp_path / "checkpoints/iteration-00000003.zip")
    expected = build.make_learner(longer(5, preset), 0, (1,))
    expected.model.set_weights(first.model.get_weights())
    for ours, theirs in zip(
        expected.meta_optimizer.variables,
        first.meta_optimizer.variables,
        strict=True,
    ):
        ours.assign(theirs)
    expected.iteration = 3
    run = Run(tmp_path, longer(5, preset), 0)
    capsys.readouterr()
    assert run.train(**ARGUMENTS) is None
    printed = capsys.readouterr().out
    assert "from iteration 3, to 5 in all and not to 3; the" in printed
    assert "jumps there from 0 to 0.04 and falls to 0 at 5" in printed
    expected.fit(run.tasks().train, 5, verbose=0)
    assert_same(run.learner(), expected)
    assert_same(Run.open(tmp_path).learner(), expected)
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["outer_iterations"], config["eval_every"]) == (5, 2)
    assert config["extensions"] == [{"at": 3, "from": 3, "to": 5}]
    with (tmp_path / "history.csv").open(newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == list("012")


def stop_at(iteration):
    """Ends a training as a kill does, before the next checkpoint."""

    def kill(batch, logs):
        if batch == iteration:
            raise KeyboardInterrupt

    return keras.callbacks.LambdaCallback(on_train_batch_begin=kill)


# Keras's CSVLogger closes its file only at the end of a training.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_that_is_killed_on_the_way_is_resumed_exactly(tmp_path, capsys):
    begun, straight = tmp_path / "begun", tmp_path / "straight"
    Run(begun, TINY, 0).train(eval_every=9, **ARGUMENTS)
    shutil.copytree(begun, straight)
    for at in (3, 5):  # before, and after, a checkpoint of the longer one
        with pytest.raises(KeyboardInterrupt):
            Run(begun, longer(6), 0).train(
                checkpoint_every=1, callbacks=[stop_at(at)], **ARGUMENTS
            )
    capsys.readouterr()
    Run(begun, longer(6), 0).train(**ARGUMENTS)
    assert "jumps" not in capsys.readouterr().out
    Run(straight, longer(6), 0).train(**ARGUMENTS)
    assert_same(Run.open(begun).learner(), Run.open(straight).learner())
    config = json.loads((begun / "config.json").read_text())
    assert config == json.loads((straight / "config.json").read_text())
    assert len(config["extensions"]) == 1


def test_it_is_extended_again(tmp_path):
    for iterations in (3, 4, 6):
        Run(tmp_path, longer(iterations), 0).train(**ARGUMENTS)
    config = json.loads((tmp_path / "config.json").read_text())
    assert [each["to"] for each in config["extensions"]] == [4, 6]


def test_a_shorter_training_is_refused(tmp_path):
    Run(tmp_path, longer(4), 0).train(**ARGUMENTS)
    with pytest.raises(ValueError, match="=3 is less than the 4 .*use 4 to"):
        Run(tmp_path, TINY, 0).train(**ARGUMENTS)
    # Nor where the checkpoints alone know.
    (tmp_path / "config.json").unlink()
    newest = tmp_path / "checkpoints/iteration-00000004.zip"
    learner = MetaLearner.load(newest)
    learner.iteration = 2
    for path in newest.parent.iterdir():
        path.unlink()
    learner.save(newest.with_name("iteration-00000002.zip"))
    with pytest.raises(ValueError, match="=3 is less than the 4 that the chec"):
        Run(tmp_path, TINY, 0).train(**ARGUMENTS)


def test_steps_that_fall_in_another_way_are_not_extended(tmp_path):
    """As of a learner of one's own that was put into a run folder."""
    Run(tmp_path, TINY, 0).train(**ARGUMENTS)
    newest = tmp_path / "checkpoints/iteration-00000003.zip"
    learner = MetaLearner.load(newest)
    for rate in (
        0.1,
        keras.optimizers.schedules.CosineDecay(0.1, 3),
        keras.optimizers.schedules.PolynomialDecay(0.1, 3, 0.05),
    ):
        other = MetaLearner(
            learner.model,
            meta_optimizer=keras.optimizers.SGD(rate),
            loss="mean_squared_error",
            metric="mse",
        )
        other.iteration = 3
        other.save(newest)
        with pytest.raises(ValueError, match="cannot extend .* along a line"):
            Run(tmp_path, longer(5), 0).train(**ARGUMENTS)
        assert Run(tmp_path, TINY, 0).train(**ARGUMENTS) is None
