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
    assert before.pop("omniglot_split") == "characters"
    assert after.keys() == before.keys()
    assert after["split"] == before["split"] == "test"


def test_its_learner_has_all_that_it_had(run):
    learner = run.learner()
    assert learner.iteration == 6
    assert learner.algorithm == FOMAML() and run.preset.algorithm == "fomaml"
    assert learner.inner_optimizer == Adam(0.01)
    # Six iterations of two steps on the support set and one on the queries.
    assert learner.inner_state.step == 18
    assert np.any(learner.inner_state.second > 0)


def test_it_is_a_finished_run_and_not_another_one(run):
    assert run.train(eval_every=3, num_validation_tasks=2) is None
    with pytest.raises(ValueError, match="eval_every=2 .the run has 3."):
        run.train(eval_every=2, num_validation_tasks=2)


def test_an_unfinished_run_goes_on_to_where_it_would_have(run):
    """From the checkpoint of 3 of its 6 iterations, with its moments."""
    checkpoints = run.folder / "checkpoints"
    (checkpoints / "iteration-00000006.zip").rename(run.folder / "end.zip")
    (run.folder / "evaluation.json").unlink()
    lines = (run.folder / "history.csv").read_text().splitlines()
    assert run.train(eval_every=3, num_validation_tasks=2) is None
    resumed, end = run.learner(), MetaLearner.load(run.folder / "end.zip")
    assert resumed.iteration == end.iteration == 6
    assert resumed.inner_state.step == end.inner_state.step
    pairs = [
        (resumed.inner_state.second, end.inner_state.second),
        *zip(resumed.model.get_weights(), end.model.get_weights(), strict=True),
    ]
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-6)
    # What it measured along the way was on test tasks; that is put aside.
    aside = run.folder / "history_of_test_classes.csv"
    assert aside.read_text().splitlines() == lines
    [header, line] = (run.folder / "history.csv").read_text().splitlines()
    assert header == lines[0] and line.startswith("1,")


def test_a_kept_learner_is_read():
    learner = MetaLearner.load(ROOT / "results/omniglot_5shot_5way/learner.zip")
    assert learner.iteration == 100_000
    assert learner.algorithm == Reptile()
    assert learner.settings.eval_inner_steps == 100
    assert learner.model.count_params() == 113_733
