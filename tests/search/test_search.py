"""A search: the same whatever stops it, and whoever makes its trials."""

import csv
import dataclasses
import gc
import json
import math
import signal
import sys

import numpy as np
import pytest
import tensorflow as tf

from reptile_tf import MetaLearner
from reptile_tf.data import sources, splits
from reptile_tf.data.sources import registry
from reptile_tf.data.splits import TaskSplits
from reptile_tf.experiments import build
from reptile_tf.experiments.presets import PRESETS
from reptile_tf.experiments.run import Run
from reptile_tf.search import trial_run, trials, worker
from reptile_tf.search.samplers import CMASampler
from reptile_tf.search.search import Search
from reptile_tf.search.search_settings import SearchSettings
from reptile_tf.search.space import Space
from reptile_tf.search.trials import History, Report, Result
from reptile_tf.training.score import Score
from reptile_tf.utils import locks

SINE = dataclasses.replace(
    PRESETS["sine"], inner_steps=2, inner_batch_size=4, eval_inner_steps=2
)
SETTINGS = SearchSettings(
    preset=SINE,
    space=("learning_rate=log:1e-3..1", "inner_steps=int:1..4"),
    trial_iterations=4,
    eval_every=2,
    num_tasks=3,
    num_validation_tasks=2,
)


OWN = dataclasses.replace(
    PRESETS["glyphs"],
    **{"dataset": "own", "ways": 2, "shots": 2, "training_shots": 2},
    **{"inner_steps": 1, "inner_batch_size": 2, "eval_inner_steps": 1},
    meta_batch_size=1,
)


class Killed(BaseException):
    """Stands for a kill: nothing may catch it."""


class FakeRun:
    """Instead of a training: the settings' distance from a point."""

    made: list[int] = []

    def __init__(self, settings, trial, folder, earlier, data_dir, tick):
        self.settings, self.trial, self.earlier = settings, trial, earlier

    def result(self, checkpoint_every):
        FakeRun.made.append(self.trial.number)
        values = self.trial.values
        distance = np.log10(values["learning_rate"] / 0.2) ** 2
        distance += (values["inner_steps"] - 3) ** 2
        if values["learning_rate"] > 0.9:
            return Result(self.trial.number, trials.DIVERGED, 0, reason="inf")
        score = Score("support", "mean_squared_error", distance, 0.1, 3)
        return Result(self.trial.number, trials.FINISHED, 4, score)


@pytest.fixture
def fake(monkeypatch):
    FakeRun.made = []
    monkeypatch.setattr(gc, "collect", lambda: 0)  # it is slow, and no learner
    monkeypatch.setattr(worker, "TrialRun", FakeRun)
    return FakeRun


def begun(folder, settings=SETTINGS):
    search = Search(folder, settings)
    search.begin()
    return search


def log(folder):
    return (folder / "search.jsonl").read_bytes()


def test_the_first_trial_is_the_preset_and_the_best_is_found(tmp_path, fake):
    search = begun(tmp_path)
    assert worker.work(search, 60) is None
    assert fake.made == list(range(60))
    history = search.history()
    assert history.trials()[0].values == {
        "learning_rate": 0.005,
        "inner_steps": 2,
    }
    trial, result = history.best()
    assert trial.values["inner_steps"] == 3
    assert trial.values["learning_rate"] == pytest.approx(0.2, rel=0.2)
    best = json.loads((tmp_path / "best.json").read_text())
    assert best["learning_rate"] == trial.values["learning_rate"]
    assert best["outer_iterations"] == SINE.outer_iterations  # not a trial's
    assert best["found"]["trial"] == trial.number
    rows = (tmp_path / "search.csv").read_text().splitlines()
    assert len(rows) == 61
    assert rows[0] == (
        "trial,generation,state,iterations,learning_rate,inner_steps,"
        "mean_squared_error,ci95,mode,num_tasks"
    )
    first = 1 + math.log10(0.005 / 0.2) ** 2
    assert rows[1] == f"0,0,finished,4,0.005,2,{first},0.1,support,3"
    # It can be gone on with, as if it had been to be as long from the start.
    again = begun(tmp_path / "straight")
    worker.work(again, 70)
    worker.work(search, 70)
    assert log(tmp_path) == log(tmp_path / "straight")


def test_each_generation_is_what_cma_es_draws_after_all_before(tmp_path, fake):
    """By a sampler that is told everything as it goes, and never replayed."""
    worker.work(begun(tmp_path), 25)
    history = Search.open(tmp_path).history()
    space = Space.parse(SETTINGS.space)
    sampler = CMASampler(space, space.start(SINE), 0)
    for number, generation in enumerate(history.generations):
        if number == 0:
            continue
        drawn = sampler.ask(number, lambda values: None)
        assert [t.point for t in generation.trials] == [d.point for d in drawn]
        assert [t.values for t in generation.trials] == [
            d.values for d in drawn
        ]
        assert generation.spread == sampler.spread()
        if number < 4:
            results = [history.results[t.number] for t in generation.trials]
            errors = [r.score.value if r.score else np.inf for r in results]
            sampler.tell([d.point for d in drawn], errors)
    assert number == 4


@pytest.mark.parametrize("moment", range(6))
def test_killed_at_any_moment_it_goes_on_to_the_same_generations(
    tmp_path, fake, monkeypatch, moment
):
    """Sigma, points and results: the logs are equal byte for byte."""
    worker.work(begun(tmp_path / "straight"), 24)
    folder = tmp_path / "killed"
    calls = {"count": 0}
    where = ["ask", "result", "before tell", "after tell", "torn", "files"][
        moment
    ]

    def kill_at_third(place, function, after=False):
        def call(self, *arguments, **named):
            calls["count"] += place == where
            if place == where and calls["count"] == 3:
                if after:
                    function(self, *arguments, **named)
                raise Killed
            return function(self, *arguments, **named)

        return call

    def torn(search, result):
        tell(search, result)
        if where == "torn" and result.trial == 9:
            text = log(folder)
            (folder / "search.jsonl").write_bytes(text[:-17])
            raise Killed

    tell = Search.tell
    with monkeypatch.context() as patch:
        if where == "ask":
            patch.setattr(Search, "_next", kill_at_third(where, Search._next))
        elif where == "result":
            patch.setattr(
                FakeRun, "result", kill_at_third(where, FakeRun.result)
            )
        elif where == "torn":
            patch.setattr(Search, "tell", torn)
        elif where == "files":
            patch.setattr(
                "reptile_tf.search.outcome.write",
                kill_at_third(where, lambda *_: None),
            )
        else:
            patch.setattr(
                Search,
                "tell",
                kill_at_third(where, Search.tell, where == "after tell"),
            )
        with pytest.raises(Killed):
            worker.work(begun(folder), 24)
    worker.work(Search.open(folder), 24)
    for name in ("search.jsonl", "search.csv", "best.json"):
        straight = (tmp_path / "straight" / name).read_bytes()
        assert (folder / name).read_bytes() == straight


def test_a_trial_that_another_is_at_is_left_to_it(tmp_path, fake):
    """Two searches of one folder stand for two machines, in turns."""
    search, other = begun(tmp_path), Search.open(tmp_path)
    worker.work(search, 1)
    [first, second, *_] = search.open_trials(9)
    with locks.held(tmp_path / "locks" / f"trial-{first.number:03d}.lock", ""):
        assert not worker._make_if_free(other, first, 1, print)
        assert worker._make_if_free(other, second, 1, print)
        # No generation is drawn before the last of this one is there.
        assert first in other.open_trials(99)
    assert worker._make_if_free(other, first, 1, print)  # it was given back
    assert worker._make_if_free(search, first, 1, print)  # and is not made
    assert fake.made == [0, second.number, first.number]  # a second time


def test_a_result_that_is_told_twice_counts_once(tmp_path, fake):
    search = begun(tmp_path)
    worker.work(search, 1)
    before = log(tmp_path)
    search.tell(search.history().results[0])
    assert log(tmp_path) == before


def test_results_in_another_order_lead_to_the_same_search(tmp_path, fake):
    worker.work(begun(tmp_path / "a"), 25)
    search = begun(tmp_path / "b")
    while trials_left := search.open_trials(25):
        for trial in reversed(trials_left):
            run = FakeRun(SETTINGS, trial, None, [], None, None)
            search.tell(run.result(1))
    a, b = Search.open(tmp_path / "a").history(), search.history()
    assert a.generations == b.generations and a.results == b.results
    assert log(tmp_path / "a") != log(tmp_path / "b")
    for name in ("search.csv", "best.json"):
        one, other = (tmp_path / x / name for x in "ab")
        assert one.read_bytes() == other.read_bytes()


def test_a_trial_is_compared_with_earlier_generations_alone(
    tmp_path, fake, monkeypatch
):
    """Those of its own may be there by now, or not, as the workers have it."""
    seen = {}

    class Spy(FakeRun):
        def result(self, checkpoint_every):
            seen[self.trial.number] = [each.trial for each in self.earlier]
            return super().result(checkpoint_every)

    monkeypatch.setattr(worker, "TrialRun", Spy)
    worker.work(begun(tmp_path), 14)
    for trial in Search.open(tmp_path).history().trials():
        first = {0: 0, 1: 1, 2: 7, 3: 13}[trial.generation]
        if trial.number in seen:
            assert seen[trial.number] == list(range(first))
    assert sorted(seen) == list(range(14))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"seed": 1}, r"seed=1 \(the search has 0\)"),
        ({"method": "random"}, r"method=random \(the search has cma\)"),
        ({"num_tasks": 4}, r"num_tasks=4 \(the search has 3\)"),
        (
            {"space": ("learning_rate=log:1e-3..1",)},
            r"space=learning_rate=log:1e-3..1 \(the search has learning_rate=",
        ),
        (
            {"preset": dataclasses.replace(SINE, shots=3)},
            r"shots=3 \(the search has 10\)",
        ),
    ],
)
def test_another_search_in_the_same_folder_is_refused(
    tmp_path, change, message
):
    begun(tmp_path)
    before = log(tmp_path)
    with pytest.raises(ValueError, match=message):
        begun(tmp_path, dataclasses.replace(SETTINGS, **change))
    begun(tmp_path, SETTINGS)
    assert log(tmp_path) == before
    with pytest.raises(ValueError, match="holds no search"):
        Search.open(tmp_path / "nothing")


def test_constraints_are_respected_before_anything_is_trained(
    tmp_path, fake, monkeypatch, own_source
):
    """Mini-batches that a training task cannot fill, shots no class has."""
    settings = SearchSettings(
        preset=OWN,
        space=("training_shots=int:1..9", "inner_batch_size=int:1..20"),
        trial_iterations=4,
    )

    class Any(FakeRun):
        def result(self, checkpoint_every):
            number = self.trial.number
            score = Score("support", "accuracy", number / 99, 0.1, 3)
            return Result(number, trials.FINISHED, 4, score)

    monkeypatch.setattr(worker, "TrialRun", Any)
    search = begun(tmp_path, settings)
    worker.work(search, 20)
    for trial in search.history().trials():
        values = trial.values
        assert values["inner_batch_size"] <= 2 * values["training_shots"]
        assert values["training_shots"] + 1 <= 6


def test_a_start_that_cannot_be_trained_is_refused_at_once(tmp_path):
    preset = dataclasses.replace(PRESETS["glyphs"], inner_batch_size=51)
    settings = SearchSettings(preset=preset, space=("inner_steps=2..6",))
    with pytest.raises(ValueError, match="inner_batch_size=51 is larger"):
        begun(tmp_path, settings)
    assert not (tmp_path / "search.jsonl").exists()


def test_other_data_than_the_search_began_with_are_refused(
    tmp_path, classes, monkeypatch, fake
):
    """Its trials could not be compared with those before."""
    monkeypatch.setattr(registry, "_SOURCES", dict(registry._SOURCES))
    data = {"classes": classes}

    def load(settings, seed, data_dir):
        return splits.divide(data["classes"], seed, settings.validation_classes)

    sources.register(sources.ClassSource("own", load=load))
    settings = SearchSettings(preset=OWN, space=("inner_steps=int:1..4",))
    begun(tmp_path, settings)
    begun(tmp_path, settings)
    data["classes"] = classes.subset(range(11))
    with pytest.raises(ValueError, match="dataset=own has other classes"):
        begun(tmp_path, settings)


def test_a_folder_of_pictures_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    preset = dataclasses.replace(PRESETS["photos"], dataset="folder:mine")
    settings = SearchSettings(preset=preset)
    monkeypatch.chdir("/")
    settings = SearchSettings.of(json.loads(json.dumps(settings.entry())))
    assert settings.preset.dataset == f"folder:{tmp_path / 'mine'}"


def test_classes_must_be_held_out_to_choose_by(tmp_path):
    preset = dataclasses.replace(PRESETS["glyphs"], validation_classes=0)
    settings = SearchSettings(preset=preset, space=("inner_steps=2..6",))
    with pytest.raises(ValueError, match="give --validation_classes="):
        begun(tmp_path, settings)
    assert not (tmp_path / "search.jsonl").exists()


# From here on trials are trained.

# Keras's CSVLogger closes its file only at the end of a training.
UNCLOSED = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)


def result_of(folder, search, trial, earlier=(), **named):
    run = trial_run.TrialRun(
        search.settings, trial, folder, earlier, None, **named
    )
    return run.result(checkpoint_every=1)


@UNCLOSED
@pytest.mark.usefixtures("eagerly")
def test_a_trial_killed_on_its_way_comes_to_the_same_result(
    tmp_path, monkeypatch
):
    search = begun(tmp_path)
    [trial] = search.open_trials(1)
    straight = result_of(tmp_path / "straight", search, trial)
    assert straight.state == trials.FINISHED
    assert [each.iteration for each in straight.reports] == [2, 4]
    ticks = []

    def kill(iteration):
        ticks.append(iteration)
        if len(ticks) in (2, 4):  # after the line of an epoch, and before it
            raise Killed

    for _ in range(2):
        with pytest.raises(Killed):
            result_of(tmp_path / "killed", search, trial, tick=kill)
    assert result_of(tmp_path / "killed", search, trial) == straight
    assert Run.open(tmp_path / "killed").learner().iteration == 4


@pytest.mark.usefixtures("eagerly")
# An iteration with an evaluation after it is not waited for, but made again.
@pytest.mark.parametrize("every, at, stops", [(4, 1, 2), (2, 2, 1), (2, 3, 3)])
def test_a_signal_stops_the_search_also_in_a_last_iteration(
    tmp_path, every, at, stops
):
    search = begun(tmp_path, dataclasses.replace(SETTINGS, eval_every=every))

    class Ctrl(worker.Progress):
        def tick(self, iteration):
            if iteration == at:
                signal.raise_signal(signal.SIGINT)

    stop = Ctrl(search, 1, show=False)
    assert worker.work(search, 1, progress=stop) == signal.SIGINT
    assert not search.history().results
    folder = Search.open(tmp_path).folder_of(0)
    assert Run.open(folder).learner().iteration == stops
    assert worker.work(search, 1) is None
    assert search.history().results[0].state == trials.FINISHED


@pytest.mark.usefixtures("eagerly")
def test_a_signal_between_trainings_stops_the_search_too(tmp_path, monkeypatch):
    search = begun(tmp_path)

    def evaluate(*_, **__):
        signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "evaluate", evaluate)
        assert worker.work(search, 1) == signal.SIGTERM
    assert worker.work(search, 1) is None


def test_a_signal_in_a_del_stops_the_search_a_little_later(
    tmp_path, fake, monkeypatch
):
    """An exception that is raised there would be printed, and dropped."""
    dropped = []
    monkeypatch.setattr(sys, "unraisablehook", lambda x: dropped.append(1))

    class Dropping:
        def __del__(self):
            signal.raise_signal(signal.SIGTERM)

    class Unlucky(fake):
        def result(self, checkpoint_every):
            if self.trial.number == 2:
                Dropping()
            return super().result(checkpoint_every)

    monkeypatch.setattr(worker, "TrialRun", Unlucky)
    search = begun(tmp_path)
    assert worker.work(search, 9) == signal.SIGTERM
    assert dropped == []
    assert list(search.history().results) == [0, 1, 2]


@pytest.mark.usefixtures("eagerly")
def test_what_cannot_matter_is_stopped_also_after_a_kill(tmp_path, monkeypatch):
    """Between the look that stops it and the log's line of it."""
    search = begun(tmp_path)
    [trial] = search.open_trials(1)
    good = [
        Result(i, trials.FINISHED, 4, None, (Report(2, 0.0, 0.0),))
        for i in range(4)
    ]
    result = result_of(tmp_path / "a", search, trial, good)
    assert (result.state, result.iterations) == (trials.PRUNED, 2)
    assert "is worse than 0, the median of 4" in result.reason
    assert Run.open(tmp_path / "a").learner().iteration == 2
    assert not (tmp_path / "a" / "evaluation_validation.json").exists()
    with monkeypatch.context() as patch:
        patch.setattr(MetaLearner, "fit", None)  # raises, when called
        assert result_of(tmp_path / "a", search, trial, good) == result
    late = [
        dataclasses.replace(each, reports=(Report(4, 0.0, 0.0),))
        for each in good
    ]  # at its end there is nothing left to stop
    result = result_of(tmp_path / "late", search, trial, late)
    assert result.state == trials.FINISHED
    patient = dataclasses.replace(SETTINGS, prune=False)
    search = begun(tmp_path / "patient", patient)
    result = result_of(tmp_path / "b", search, trial, good)
    assert result.state == trials.FINISHED


@UNCLOSED
@pytest.mark.usefixtures("eagerly")
def test_what_diverges_is_told_as_infinity_and_shown_as_diverged(tmp_path):
    wild = dataclasses.replace(SINE, learning_rate=1e8, inner_steps=4)
    settings = dataclasses.replace(
        SETTINGS, preset=wild, space=("learning_rate=log:1e-3..1e8",)
    )
    search = begun(tmp_path, settings)
    worker.work(search, 1)
    result = search.history().results[0]
    assert result.state == trials.DIVERGED and "not finite" in result.reason
    assert trials.costs([result]) == [np.inf]
    assert (tmp_path / "search.csv").read_text().splitlines()[1] == (
        "0,0,diverged,0,100000000.0,,,support,"
    )
    assert not (tmp_path / "best.json").exists()


@pytest.fixture
def own_source(classes, monkeypatch):
    monkeypatch.setattr(registry, "_SOURCES", dict(registry._SOURCES))

    def load(settings, seed, data_dir):
        return splits.divide(classes, seed, settings.validation_classes)

    sources.register(sources.ClassSource("own", load=load))


class Forbidden:
    """Test tasks that nobody may touch."""

    def __getattr__(self, name):
        raise AssertionError(f"test tasks were read: {name}")


@pytest.mark.usefixtures("eagerly", "own_source")
def test_no_test_class_is_read(tmp_path, monkeypatch):
    """Reading one is an error, through a whole search of real trainings."""
    make_tasks = build.make_tasks

    def guarded(*arguments):
        made = make_tasks(*arguments)
        # Nor are the classes that it trains on chosen by.
        return dataclasses.replace(made, test=Forbidden(), seen=Forbidden())

    monkeypatch.setattr(build, "make_tasks", guarded)
    settings = SearchSettings(
        preset=OWN,
        space=("learning_rate=log:1e-4..1e-1", "training_shots=int:2..9"),
        trial_iterations=2,
        eval_every=1,
        num_tasks=2,
        num_validation_tasks=2,
        mode="transductive",
        seed=3,
    )
    search = begun(tmp_path, settings)
    assert worker.work(search, 2) is None
    trial = Run.open(search.folder_of(1))
    assert (trial.seed, trial.preset.outer_iterations) == (3, 2)
    history = search.history()
    assert len(history.results) == 2
    with open(search.folder_of(1) / "history.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [r.value for r in history.results[1].reports] == [
        float(line["val_transductive_accuracy"]) for line in lines
    ]
    score = history.best()[1].score
    assert (score.mode, score.num_tasks) == ("transductive", 2)
    # The class sizes are 6, one of them for the query.
    assert all(t.values["training_shots"] <= 5 for t in history.trials())
    run = Run.open(Search.open(tmp_path).folder_of(0))
    with pytest.raises(AssertionError, match="test tasks were read"):
        run.evaluate(2)
    assert isinstance(run.tasks(), TaskSplits)


@pytest.mark.usefixtures("eagerly")
def test_two_stops_in_one_epoch_do_no_harm(tmp_path):
    """The second one's line has the columns of the first epoch's."""
    settings = dataclasses.replace(SETTINGS, trial_iterations=12, eval_every=6)

    class Ctrl(worker.Progress):
        def tick(self, iteration):
            if iteration == at:
                signal.raise_signal(signal.SIGINT)

    search = begun(tmp_path / "stopped", settings)
    for at in (7, 9):  # noqa: B007, tick looks at it
        stop = Ctrl(search, 1, show=False)
        assert worker.work(search, 1, progress=stop) == signal.SIGINT
    worker.work(search, 1)
    straight = begun(tmp_path / "straight", settings)
    worker.work(straight, 1)
    assert log(tmp_path / "stopped") == log(tmp_path / "straight")


@pytest.mark.usefixtures("eagerly")
def test_a_trial_without_its_history_is_made_again(tmp_path):
    """Later trials would be compared with less than there was."""
    search = begun(tmp_path)
    [trial] = search.open_trials(1)
    first = result_of(tmp_path / "a", search, trial)
    (tmp_path / "a" / "history.csv").write_text("epoch,loss\n0,1,2\n")
    assert result_of(tmp_path / "a", search, trial) == first
    (tmp_path / "a" / "history.csv").unlink()
    assert result_of(tmp_path / "a", search, trial) == first


@pytest.mark.usefixtures("eagerly")
def test_a_trial_that_has_no_memory_failed_and_a_full_disk_is_told(
    tmp_path, monkeypatch
):
    search = begun(tmp_path)
    [trial] = search.open_trials(1)

    def no_room(text):
        def fit(*_, **__):
            raise tf.errors.ResourceExhaustedError(None, None, text)

        return fit

    monkeypatch.setattr(MetaLearner, "fit", no_room("OOM when allocating\nat"))
    result = result_of(tmp_path / "a", search, trial)
    assert result.state == trials.FAILED
    assert result.reason == "out of memory: OOM when allocating"
    full = no_room("x.zip; No space left on device")
    monkeypatch.setattr(MetaLearner, "fit", full)
    with pytest.raises(tf.errors.ResourceExhaustedError):
        result_of(tmp_path / "b", search, trial)


def test_what_a_kill_left_undone_is_written_at_the_end(tmp_path, fake):
    search = begun(tmp_path)
    worker.work(search, 9)
    files = [tmp_path / "best.json", tmp_path / "search.csv"]
    before = [path.read_bytes() for path in files]
    for path in files:
        path.unlink()
    worker.work(Search.open(tmp_path), 9)
    assert [path.read_bytes() for path in files] == before


def test_a_log_that_goes_while_it_is_searched_is_missed(tmp_path, fake):
    search = begun(tmp_path)
    worker.work(search, 2)
    result = search.history().results[1]
    (tmp_path / "search.jsonl").unlink()
    for use in (
        lambda: search.open_trials(9),
        lambda: search.tell(result),
        lambda: worker.work(search, 9),
    ):
        with pytest.raises(ValueError, match="search.jsonl is gone"):
            use()
    assert not (tmp_path / "search.jsonl").exists()


def test_trials_of_another_search_are_not_taken_over(tmp_path, fake):
    (tmp_path / "trials" / "000").mkdir(parents=True)
    with pytest.raises(ValueError, match="holds trials, and no search.jsonl"):
        begun(tmp_path)


def test_a_folder_is_a_run_or_a_search(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="holds a run; search into another"):
        begun(tmp_path)
    begun(tmp_path / "search")
    with pytest.raises(ValueError, match="holds a search; train into another"):
        Run(tmp_path / "search", SINE, 0).train()


@pytest.mark.parametrize("seed", [-1, 1 << 32])
def test_a_seed_that_nothing_can_be_divided_by_is_refused(seed):
    with pytest.raises(ValueError, match=f"seed must be .*received {seed}"):
        dataclasses.replace(SETTINGS, seed=seed)


def test_what_was_asked_for_last_is_told(tmp_path):
    assert Search.told(tmp_path) == {"num_trials": None, "data_dir": None}
    search = Search(tmp_path, SETTINGS, "data")
    search.begin(7)
    assert Search.told(tmp_path) == {"num_trials": 7, "data_dir": "data"}
    (tmp_path / "search.json").write_text("[]")
    with pytest.raises(ValueError, match="search.json is damaged"):
        Search.told(tmp_path)


def test_others_are_waited_for_and_that_is_said(
    tmp_path, fake, monkeypatch, capsys
):
    monkeypatch.setattr(worker, "_LONG", 2 * worker._PAUSE)
    search = begun(tmp_path)
    pauses = []

    def sleep(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            search.tell(FakeRun(SETTINGS, trial, 0, 0, 0, 0).result(1))

    [trial] = search.open_trials(1)
    monkeypatch.setattr(worker.time, "sleep", sleep)
    with locks.held(tmp_path / "locks" / "trial-000.lock", ""):
        worker.work(search, 1, progress=worker.Progress(search, 1))
    printed = capsys.readouterr().out
    assert printed.count("Waiting for trials that other workers are at: 0") == 1
    assert "[1/1] trial 0: learning_rate 0.005" in printed


def test_an_empty_log_has_no_history():
    assert History([]).trials() == []
