"""What version 0.1 wrote is read, and answers as it did then."""

import json
import pathlib
import shutil

import numpy as np
import pytest

from reptile_tf import FOMAML, Adam, MetaLearner, Reptile
from reptile_tf.experiments.run import Run
from reptile_tf.training.score import read_entries

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path):
    """A run folder of version 0.1, with its evaluation."""
    shutil.copytree(ROOT / "tests/fixtures/run_0.1", tmp_path / "run")
    return Run.open(tmp_path / "run")


def test_a_run_folder_is_evaluated_as_it_was(run):
    [before] = read_entries(run.folder / "evaluation.json")
    assert "tasks" not in before and before["num_tasks"] == 20
    [score] = run.evaluate(20, verbose=0)
    assert score.value == pytest.approx(before["mean_squared_error"], 1e-5)
    assert score.ci95 == pytest.approx(before["ci95"], 1e-5)
    [after] = json.loads((run.folder / "evaluation.json").read_text())
    assert after.keys() == before.keys()


def test_its_learner_has_all_that_it_had(run):
    learner = run.learner()
    assert learner.iteration == 6
    assert learner.algorithm == FOMAML()
    assert learner.inner_optimizer == Adam(0.01)
    # Six iterations of two steps on the support set and one on the queries.
    assert learner.inner_state.step == 18
    assert np.any(learner.inner_state.second > 0)


def test_it_is_a_finished_run_and_not_another_one(run):
    assert run.train(eval_every=3, num_validation_tasks=2) is None
    with pytest.raises(ValueError, match="eval_every=2 .the run has 3."):
        run.train(eval_every=2, num_validation_tasks=2)


def test_a_kept_learner_is_read():
    learner = MetaLearner.load(ROOT / "results/omniglot_5shot_5way/learner.zip")
    assert learner.iteration == 100_000
    assert learner.algorithm == Reptile()
    assert learner.settings.eval_inner_steps == 100
    assert learner.model.count_params() == 113_733
