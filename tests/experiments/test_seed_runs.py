"""Runs of several seeds, as one: what is trained when, and what is refused."""

import dataclasses
import json
import os
import shutil
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from reptile_tf import MetaLearner, Score
from reptile_tf.experiments import (
    archive,
    compare,
    run_pictures,
    seed_runs,
    seeds_file,
)
from reptile_tf.experiments.presets import PRESETS
from reptile_tf.experiments.run import Run

pytestmark = pytest.mark.usefixtures("eagerly", "quick_evaluations")

TINY = dataclasses.replace(
    PRESETS["sine"],
    inner_steps=1,
    inner_batch_size=2,
    eval_inner_steps=1,
    meta_batch_size=1,
    outer_iterations=3,
)
# How often to evaluate along the way.
ALONG = {"eval_every": 2, "num_validation_tasks": 3}


@pytest.fixture(scope="module")
def quick_evaluations():
    """Evaluations of no task; they differ by the learner."""

    def evaluate(learner, tasks, num_tasks, **_):
        values = np.arange(num_tasks) + learner.model.get_weights()[0].sum()
        return [Score.of("support", "mean_squared_error", values)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MetaLearner, "evaluate", evaluate)
        yield


def weights(folder):
    return Run.open(folder).learner().model.get_weights()


def made_at(folder, name="checkpoints/*"):
    """When each run's newest file of a name was written."""
    return {
        run.name: max(path.stat().st_mtime_ns for path in run.glob(name))
        for run in seeds_file.run_folders(folder)
    }


def kills(monkeypatch, iteration):
    """A training is asked to end in that iteration."""
    fit = MetaLearner.fit

    def kill(batch, logs):
        if batch == iteration - 1:
            os.kill(os.getpid(), signal.SIGTERM)

    def with_it(learner, *arguments, callbacks, **named):
        killer = keras.callbacks.LambdaCallback(on_train_batch_begin=kill)
        fit(learner, *arguments, callbacks=[*callbacks, killer], **named)

    monkeypatch.setattr(MetaLearner, "fit", with_it)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, quick_evaluations):
    """A folder of the seeds 0 and 1, trained."""
    folder = tmp_path_factory.mktemp("trained")
    tf.config.run_functions_eagerly(True)
    seed_runs.train(folder, TINY, [0, 1], **ALONG)
    tf.config.run_functions_eagerly(False)
    return folder


@pytest.fixture
def folder(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "seeds")


def test_stopped_seeds_go_on_to_what_each_would_be_alone(tmp_path, monkeypatch):
    folder = tmp_path / "seeds"
    with monkeypatch.context() as patch:
        kills(patch, iteration=2)
        stopped = seed_runs.train(folder, TINY, [5, 2], **ALONG)
    assert stopped == signal.SIGTERM
    assert seeds_file.held(folder) == (5, 2)
    names = {path.name for path in folder.iterdir()}
    assert names == {"seeds.json", "seed-5"}
    with pytest.raises(ValueError, match="tions: 2 of seed 5, 0 of seed 2; "):
        seed_runs.evaluate(folder, 2)
    assert seed_runs.train(folder, TINY, [5, 2]) is None
    for seed in (5, 2):
        alone = tmp_path / f"alone-{seed}"
        Run(alone, TINY, seed).train(**ALONG)
        for a, b in zip(
            weights(folder / f"seed-{seed}"), weights(alone), strict=True
        ):
            np.testing.assert_array_equal(a, b)


def test_a_signal_in_the_last_iteration_of_a_seed_stops_the_others(
    tmp_path, monkeypatch
):
    kills(monkeypatch, iteration=1)
    one = dataclasses.replace(TINY, outer_iterations=1)
    found = seed_runs.train(tmp_path / "a", one, [0, 1], **ALONG)
    assert found == signal.SIGTERM
    assert not (tmp_path / "a" / "seed-1").exists()
    experiments = {"x": one, "y": one}
    for seed, folder in ((0, tmp_path / "one"), ([0], tmp_path / "seeds")):
        how = folder, experiments, seed, None, 2
        assert compare.complete(*how, **ALONG) == signal.SIGTERM
        assert (folder / "x").exists() and not (folder / "y").exists()


def test_a_signal_in_the_last_iteration_of_all_stops_nothing(
    tmp_path, monkeypatch
):
    kills(monkeypatch, iteration=1)
    one = dataclasses.replace(TINY, outer_iterations=1)
    assert seed_runs.train(tmp_path, one, [0], **ALONG) is None


def test_other_seeds_or_settings_than_those_there_are_refused(folder):
    before = made_at(folder)
    other = dataclasses.replace(TINY, learning_rate=0.5)
    for preset, seeds, told in (
        (TINY, [0], "holds runs with other seeds: 0, 1, of which seeds=0 le"),
        (other, [2, 0, 1], "seed-0 .* learning_rate=0.5 .the run has 0.005"),
    ):
        with pytest.raises(ValueError, match=told):
            seed_runs.train(folder, preset, seeds)
        assert not (folder / "seed-2").exists()
    assert made_at(folder) == before and seeds_file.held(folder) == (0, 1)


def test_seeds_are_added_with_the_settings_that_are_there(folder):
    before = made_at(folder)
    assert seed_runs.train(folder, TINY, [2, 0, 1]) is None
    assert made_at(folder).items() > before.items()
    first, last = (
        json.loads((folder / f"seed-{seed}" / "config.json").read_text())
        for seed in (0, 2)
    )
    assert first | {"seed": 2} == last


def test_settings_that_were_refused_do_not_claim_the_folder(tmp_path):
    wrong = dataclasses.replace(TINY, dataset="folder:nowhere")
    with pytest.raises(ValueError, match="nowhere"):
        seed_runs.train(tmp_path, wrong, [0, 1])
    assert not (tmp_path / "seeds.json").exists()


def test_a_seed_that_diverges_does_not_cost_the_others(folder, monkeypatch):
    trained, train = [], Run.train

    def diverge(run, **how):
        trained.append(run.seed)
        if run.seed == 0:
            raise FloatingPointError("task 3 is not finite")
        return train(run, **how)

    monkeypatch.setattr(Run, "train", diverge)
    told = "1 of 2 seeds diverged: seed 0: task 3"
    with pytest.raises(FloatingPointError, match=told):
        seed_runs.train(folder, TINY, [0, 1], **ALONG)
    assert trained == [0, 1]
    [found] = seed_runs.evaluate(folder, 2, seeds=[1])
    assert found["seeds"] == [1]


def test_a_seed_that_diverged_is_told_where_a_signal_stops_the_others(
    tmp_path, monkeypatch, capsys
):
    def stop(run, **_):
        if run.seed == 0:
            raise FloatingPointError("task 3 is not finite")
        run.signal = signal.SIGTERM
        return signal.SIGTERM

    monkeypatch.setattr(Run, "train", stop)
    assert seed_runs.train(tmp_path, TINY, [0, 1, 2]) == signal.SIGTERM
    told = "1 of 3 seeds diverged: seed 0: task 3 is not finite"
    assert told in capsys.readouterr().out


def test_means_are_those_of_all_seeds(folder):
    """Others are not written, and old ones neither drawn nor kept."""
    path = folder / "evaluation_of_seeds.json"
    seed_runs.evaluate(folder, 2, seeds=[1])
    assert not path.exists()
    seed_runs.evaluate(folder, 2, seeds=[1, 0])
    before = path.read_text()
    assert run_pictures._evaluations(folder)
    seed_runs.evaluate(folder, 2, seeds=[0])
    assert path.read_text() == before
    seeds_file.write(folder, [0, 1, 2])
    assert not run_pictures._evaluations(folder)
    assert not run_pictures.of_seeds(folder)
    with pytest.raises(ValueError, match="not evaluated yet with all of its"):
        archive.keep_seeds(folder, folder.with_name("kept"))


def test_runs_that_were_trained_one_by_one_are_taken_up(folder):
    (folder / "seeds.json").unlink()
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*.zip")}
    assert seed_runs.train(folder, TINY, [0, 1]) is None
    after = {p: p.stat().st_mtime_ns for p in folder.rglob("*.zip")}
    assert before == after and seeds_file.held(folder) == (0, 1)


def test_each_experiment_of_a_comparison_is_a_folder_of_seeds(
    folder, tmp_path, monkeypatch
):
    shutil.move(folder, tmp_path / "runs" / "x")

    def complete():
        compare.complete(
            tmp_path / "runs", {"x": TINY}, [0, 1], None, 2, **ALONG
        )
        return made_at(tmp_path / "runs" / "x", "evaluation.json")

    first = complete()
    assert complete() == first
    kept = []
    monkeypatch.setattr(
        archive, "keep_seeds", lambda *paths: kept.append(paths)
    )
    compare.keep_finished(tmp_path / "runs", ["x", "y"], tmp_path / "kept")
    assert kept == [(tmp_path / "runs" / "x", tmp_path / "kept" / "x")]
    path = tmp_path / "runs" / "x" / "evaluation_of_seeds.json"
    [entry] = json.loads(path.read_text())
    assert entry["seeds"] == [0, 1] and entry["num_tasks"] == 2


def test_an_evaluation_of_an_older_learner_is_made_again(folder):
    """As where the seed was trained anew, with other settings."""
    seed_runs.evaluate(folder, 2)
    path = folder / "seed-0" / "evaluation.json"
    run = Run.open(path.parent)
    assert seed_runs.evaluated(run, 2)
    assert not seed_runs.evaluated(run, 3)
    assert not seed_runs.evaluated(run, 2, ["transductive"])
    os.utime(path, (1, 1))
    assert not seed_runs.evaluated(run, 2)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"seeds": [0, "x"]}'])
def test_a_damaged_file_of_seeds_is_named(tmp_path, text):
    (tmp_path / "seeds.json").write_text(text)
    with pytest.raises(ValueError, match="seeds.json is damaged.*same --seeds"):
        Run.open(tmp_path)
