"""A run folder: what may be tried again, and what its history says."""

import csv
import dataclasses
import errno
import json
import os
import signal

import keras
import pytest
from events import steps

from reptile_tf import LabelledExamples, MetaLearner, Score, VariedEpisodes
from reptile_tf.data import sources, splits
from reptile_tf.data.sources import registry
from reptile_tf.experiments import epoch_log, pages, plots
from reptile_tf.experiments.presets import PRESETS
from reptile_tf.experiments.run import Run

pytestmark = pytest.mark.usefixtures("eagerly")

TINY = dataclasses.replace(
    PRESETS["sine"],
    inner_steps=1,
    inner_batch_size=2,
    eval_inner_steps=1,
    outer_iterations=4,
)


def test_settings_that_were_refused_do_not_claim_the_folder(
    tmp_path, monkeypatch
):
    """The command is put right and given again, for the same folder."""
    monkeypatch.setattr(MetaLearner, "evaluate", lambda *_, **__: [])
    wrong = dataclasses.replace(TINY, dataset="tfds:no_such_set")
    with pytest.raises(ValueError, match="no_such_set"):
        Run(tmp_path, wrong, 0).train()
    run = Run(tmp_path, TINY, 0)
    assert run.train(eval_every=4, num_validation_tasks=2) is None
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["dataset"] == "sine"


def test_a_stop_within_an_epoch_leaves_a_history_of_whole_epochs(
    tmp_path, monkeypatch
):
    """It is that of a run that was never stopped, but for the times."""
    score = Score.of("support", "mean_squared_error", [1.0, 2.0])
    monkeypatch.setattr(MetaLearner, "evaluate", lambda *_, **__: [score])

    def terminate(batch, logs):
        if batch == 0:
            os.kill(os.getpid(), signal.SIGTERM)

    def history(folder):
        with open(folder / "history.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        return [row for row in rows if row.pop("tasks_per_second")]

    stop = keras.callbacks.LambdaCallback(on_train_batch_begin=terminate)
    stopped, straight = tmp_path / "stopped", tmp_path / "straight"
    run = Run(stopped, TINY, 0)
    arguments = {"eval_every": 3, "num_validation_tasks": 2}
    assert run.train(**arguments, callbacks=[stop]) == signal.SIGTERM
    assert history(stopped) == []
    assert run.train(**arguments) is None
    assert Run(straight, TINY, 0).train(**arguments) is None
    rows = history(stopped)
    assert rows == history(straight)
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert len({row["loss"] for row in rows}) == 2
    found = steps(stopped / "logs")
    assert found == steps(straight / "logs")
    assert found["epoch_loss"] == found["epoch_support_ci95"] == [3, 4]


def test_a_run_that_goes_back_to_a_checkpoint_has_one_value_at_a_step(
    tmp_path, monkeypatch
):
    """As after a power cut, which came in the middle of a record."""
    monkeypatch.setattr(MetaLearner, "evaluate", lambda *_, **__: [])
    run = Run(tmp_path, TINY, 0)
    arguments = {"eval_every": 1, "num_validation_tasks": 2}
    run.train(checkpoint_every=1, **arguments)
    for number in 3, 4:
        (tmp_path / f"checkpoints/iteration-0000000{number}.zip").unlink()
    [events] = (tmp_path / "logs").rglob("events.out.tfevents.*")
    events.write_bytes(events.read_bytes()[:-5])
    assert run.train(**arguments) is None
    assert len(list((tmp_path / "logs").rglob("events.*"))) == 2
    assert steps(tmp_path / "logs")["epoch_loss"] == [1, 2, 3, 4]


# Keras's CSVLogger closes its file only at the end of a training.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_epoch_whose_evaluation_was_cut_short_is_evaluated_after_all(
    tmp_path, monkeypatch
):
    """As if killed there: checkpoints and epochs end at the same iteration."""
    run = Run(tmp_path, TINY, 0)
    arguments = {
        "checkpoint_every": 1,
        "eval_every": 2,
        "num_validation_tasks": 2,
    }
    with monkeypatch.context() as patch:
        patch.setattr(MetaLearner, "evaluate", None)  # raises, when called
        with pytest.raises(TypeError):
            run.train(**arguments)
    assert run.learner().iteration == 1
    assert run.train(**arguments) is None
    with open(tmp_path / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]


def test_a_signal_in_the_last_iteration_stops_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(MetaLearner, "evaluate", lambda *_, **__: [])

    def terminate(batch, logs):
        if batch == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    stop = keras.callbacks.LambdaCallback(on_train_batch_begin=terminate)
    run = Run(tmp_path, TINY, 0)
    assert (
        run.train(eval_every=4, num_validation_tasks=2, callbacks=[stop])
        is None
    )
    assert run.learner().iteration == 4


def test_epochs_of_another_length_contradict_the_run(tmp_path, monkeypatch):
    """The history's lines would not say which iterations they are of."""
    monkeypatch.setattr(MetaLearner, "evaluate", lambda *_, **__: [])
    run = Run(tmp_path, TINY, 0)
    run.train(eval_every=4, num_validation_tasks=2)
    with pytest.raises(ValueError, match=r"eval_every=2 \(the run has 4\)"):
        run.train(eval_every=2, num_validation_tasks=2)


@pytest.fixture
def own_source(classes, monkeypatch):
    """A data set "own" of 12 classes, with or without validation classes."""
    monkeypatch.setattr(registry, "_SOURCES", dict(registry._SOURCES))
    data = {"classes": classes}

    def load(settings, seed, data_dir):
        return splits.divide(data["classes"], seed, settings.validation_classes)

    sources.register(sources.ClassSource("own", load=load))
    return data


OWN = dataclasses.replace(
    PRESETS["glyphs"],
    **{"dataset": "own", "ways": 2, "shots": 2, "training_shots": 2},
    **{"inner_steps": 1, "inner_batch_size": 2, "eval_inner_steps": 1},
    outer_iterations=2,
)


@pytest.mark.parametrize(
    "held, prefix, name",
    [(None, "val", "validation classes"), (0, "train", "training classes")],
)
def test_accuracies_along_the_way_are_of_no_test_class(
    tmp_path, own_source, monkeypatch, capsys, held, prefix, name
):
    """And are called by what they are of: in the history, and in the file."""
    used = []
    evaluate = MetaLearner.evaluate

    def spy(self, tasks, *arguments, **named):
        used.append(tasks)
        return evaluate(self, tasks, *arguments, **named)

    monkeypatch.setattr(MetaLearner, "evaluate", spy)
    preset = dataclasses.replace(OWN, validation_classes=held)
    run = Run(tmp_path, preset, 0)
    run.train(eval_every=1, num_validation_tasks=2)
    tasks = run.tasks()
    assert used == [tasks.validation] * 2
    assert steps(tmp_path / "logs")["validation_task"] == [1, 2]
    assert not set(tasks.validation.classes.names) & set(
        tasks.test.classes.names
    )
    header = (tmp_path / "history.csv").read_text().splitlines()[0]
    assert f",{prefix}_support_accuracy" in header
    assert len(header.split(",")) == 10
    assert (
        json.loads((tmp_path / "config.json").read_text())["along_the_way"]
        == name
    )
    printed = capsys.readouterr().out
    assert (f"along the way: {name}" in printed) == (prefix == "train")
    kept = json.loads((tmp_path / "classes.json").read_text())
    assert kept["test"] == dict.fromkeys(tasks.test.classes.names, 6)
    assert len(kept) == (3 if held is None else 2)
    plots.learning_curve(tmp_path / "history.csv", tmp_path / "curve.png")
    assert (tmp_path / "curve.png").exists()


def test_each_split_is_evaluated_to_a_file_of_its_own(tmp_path, own_source):
    run = Run(tmp_path, OWN, 0)
    run.train(eval_every=2, num_validation_tasks=2)
    for split, name in (
        ("test", "evaluation.json"),
        ("validation", "evaluation_validation.json"),
        ("train", "evaluation_train.json"),
    ):
        run.evaluate(3, split=split, verbose=0)
        entries = json.loads((tmp_path / name).read_text())
        assert {entry["split"] for entry in entries} == {split}
    values = {p.read_text() for p in tmp_path.glob("evaluation*.json")}
    assert len(values) == 3
    with pytest.raises(ValueError, match="split must be one of train, valid"):
        run.evaluate(3, split="all")


def test_a_data_set_that_has_changed_is_refused(tmp_path, own_source):
    """A resumed training would mix two divisions, and test what it learned."""
    Run(tmp_path, OWN, 0).train(eval_every=2, num_validation_tasks=2)
    whole = own_source["classes"]
    smaller = LabelledExamples(whole.examples[1:], [0, *whole.offsets[1:] - 1])
    for other in (whole.subset(range(11)), smaller):
        own_source["classes"] = other
        for use in (Run.tasks, lambda run: run.evaluate(2, verbose=0)):
            with pytest.raises(ValueError, match="other .* classes, .* began"):
                use(Run.open(tmp_path))


def test_a_history_of_test_classes_is_put_aside(tmp_path, own_source):
    """As version 0.2 wrote it; other columns must not go on below."""
    run = Run(tmp_path, OWN, 0)
    run.train(eval_every=1, num_validation_tasks=2)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["along_the_way"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    newest = max((tmp_path / "checkpoints").iterdir())
    learner = MetaLearner.load(newest)
    learner.iteration = 1
    learner.save(newest.with_name("iteration-00000001.zip"))
    newest.unlink()
    before = (tmp_path / "history.csv").read_text()
    Run(tmp_path, OWN, 0).train(eval_every=1, num_validation_tasks=2)
    assert (tmp_path / "history_of_test_classes.csv").read_text() == before
    [header, line] = (tmp_path / "history.csv").read_text().splitlines()
    assert header.startswith("epoch") and line.startswith("1,")


def test_tasks_of_varying_size(tmp_path, own_source):
    preset = dataclasses.replace(OWN, max_ways=2, inner_batch_size=5)
    run = Run(tmp_path, preset, 0)
    run.train(eval_every=2, num_validation_tasks=2)
    scores = run.evaluate(3, verbose=0)
    assert {score.num_tasks for score in scores} == {3}
    assert isinstance(run.tasks().test, VariedEpisodes)


def test_a_run_of_before_validation_classes_keeps_its_classes(
    tmp_path, own_source
):
    """It was trained on all but the test classes, and is resumed on them."""
    preset = dataclasses.replace(OWN, validation_classes=0)
    Run(tmp_path, preset, 0).train(eval_every=2, num_validation_tasks=2)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["along_the_way"], config["validation_classes"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "classes.json").unlink()
    for run in (Run.open(tmp_path), Run(tmp_path, OWN, 0)):
        assert run.train(eval_every=2, num_validation_tasks=2) is None
        assert run.preset.validation_classes == 0
        assert not run.tasks().held_out
        with pytest.raises(ValueError, match="no classes were held out"):
            run.evaluate(2, split="validation")


def test_tasks_of_varying_size_say_so_in_results(tmp_path, own_source):
    run = Run(tmp_path, dataclasses.replace(OWN, max_ways=2), 0)
    run.train(eval_every=2, num_validation_tasks=2)
    run.evaluate(2, verbose=0)
    [entry, *_] = json.loads((tmp_path / "evaluation.json").read_text())
    assert (entry["ways"], entry["max_ways"]) == (2, 2) and "shots" not in entry
    (tmp_path / "kept").mkdir()
    tmp_path.rename(tmp_path.with_name("varied"))
    table = pages.accuracies(tmp_path.parent)
    assert any("2 to 2 ways, shots vary" in line for line in table)


def test_a_folder_is_remembered_by_its_whole_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    preset = dataclasses.replace(OWN, dataset="folder:a b", csv="x.csv")
    run = Run(tmp_path, preset, 0)
    assert run.preset.dataset == f"folder:{tmp_path / 'a b'}"
    assert run.preset.csv == str(tmp_path / "x.csv")


def test_a_run_with_a_setting_without_effect_is_resumed(tmp_path, own_source):
    """As older versions took it; a new run is refused it."""
    Run(tmp_path / "old", OWN, 0).train(eval_every=2, num_validation_tasks=2)
    idle = sources.ClassSource(
        "own",
        load=sources.get("own").load,
        without_effect=frozenset({"image_size"}),
    )
    registry._SOURCES["own"] = idle
    preset = dataclasses.replace(OWN, image_size=32)
    with pytest.raises(ValueError, match="image_size=32 has no use"):
        Run(tmp_path / "new", preset, 0).train()
    assert not (tmp_path / "new").exists()
    config = json.loads((tmp_path / "old" / "config.json").read_text())
    config["image_size"] = 32
    (tmp_path / "old" / "config.json").write_text(json.dumps(config))
    run = Run.open(tmp_path / "old")
    assert run.train(num_validation_tasks=2) is None
    run.evaluate(2, verbose=0)


def test_a_config_that_was_removed_is_written_anew(tmp_path, monkeypatch):
    """As the refusal of a damaged one says."""
    monkeypatch.setattr(MetaLearner, "evaluate", lambda *_, **__: [])
    run = Run(tmp_path, TINY, 0)
    run.train(eval_every=2, num_validation_tasks=2)
    newest = tmp_path / "checkpoints" / "iteration-00000004.zip"
    learner = MetaLearner.load(newest)
    learner.iteration = 2
    learner.save(newest.with_name("iteration-00000002.zip"))
    newest.unlink()
    before = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").unlink()
    Run(tmp_path, TINY, 0).train(eval_every=2, num_validation_tasks=2)
    assert (tmp_path / "config.json").read_text() == before
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 3


def test_damaged_class_sizes_are_named(tmp_path, own_source):
    run = Run(tmp_path, OWN, 0)
    run.train(eval_every=2, num_validation_tasks=2)
    for text in ("{", "[]", '{"train": {"a": null}}', '{"train": 3}'):
        (tmp_path / "classes.json").write_text(text)
        with pytest.raises(ValueError, match="classes.json is damaged.*remove"):
            Run.open(tmp_path).evaluate(2, verbose=0)


@pytest.mark.parametrize(
    "text, lines",
    [
        ("", []),
        ("epoch,loss\n", []),
        ("epoch,loss\r\n0,1.5\r\n1,NA\r\n", [["0", "1.5"], ["1", "NA"]]),
        ("epoch,loss\n0,1.5\n1,0.", [["0", "1.5"]]),  # cut short
    ],
)
def test_a_history_is_read(tmp_path, text, lines):
    path = tmp_path / "history.csv"
    path.write_text(text, newline="")
    assert epoch_log.read_history(path)[1] == lines


def test_a_history_that_is_cut_has_the_lines_that_keras_wrote(tmp_path):
    path = tmp_path / "history.csv"
    logger = keras.callbacks.CSVLogger(path)
    logger.set_model(keras.Sequential([keras.Input((1,))]))
    logger.on_train_begin()
    for epoch in range(3):
        logger.on_epoch_end(epoch, {"loss": 0.5})
    logger.on_train_end()
    *kept, _ = path.read_bytes().splitlines(keepends=True)
    epoch_log.cut_history(path, 2)
    assert path.read_bytes() == b"".join(kept)


@pytest.mark.parametrize("line", ["0", "0,1,2", "x,1", "\0\0", "-1,2", ""])
def test_a_damaged_history_is_refused(tmp_path, line):
    path = tmp_path / "history.csv"
    path.write_text(f"epoch,loss\n0,1\n{line}\n1,2\n")
    with pytest.raises(ValueError, match="history.csv is damaged: line 3"):
        epoch_log.cut_history(path, 1)


def test_a_history_that_does_not_fit_on_the_disk_is_named(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(MetaLearner, "evaluate", lambda *_, **__: [])

    def full(self, epoch, logs):
        self.csv_file.close()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(keras.callbacks.CSVLogger, "on_epoch_end", full)
    with pytest.raises(OSError, match="history.csv cannot be written: No sp"):
        Run(tmp_path, TINY, 0).train(num_validation_tasks=2)


def test_another_dtype_policy_is_told_and_resumed_under_it_alone(
    tmp_path, monkeypatch
):
    arguments = {"eval_every": 4, "num_validation_tasks": 2}
    before = keras.config.dtype_policy()
    tiny = dataclasses.replace(TINY, outer_iterations=1)
    try:
        keras.config.set_dtype_policy("float64")
        Run(tmp_path / "a", tiny, 0).train(**arguments)
    finally:
        keras.config.set_dtype_policy(before)
    Run(tmp_path / "b", tiny, 0).train(**arguments)
    told = [
        json.loads((tmp_path / x / "config.json").read_text()) for x in "ab"
    ]
    assert told[0]["dtype_policy"] == "float64"
    assert "dtype_policy" not in told[1]
    with pytest.raises(
        ValueError, match=r"dtype_policy=float32 \(the run has float64\)"
    ):
        Run(tmp_path / "a", TINY, 0).train(**arguments)
    # What is trained is evaluated under any.
    assert Run.open(tmp_path / "a").learner().functional.dtype == "float64"
