"""What is kept of runs, and drawn."""

import dataclasses
import json

import pytest

from reptile_tf.experiments import archive, seeds_file
from reptile_tf.experiments.presets import PRESETS


def result(folder, rows=("0,0.5,0.9,0.01",)):
    """A folder with a history of one mode, and the settings."""
    folder.mkdir(parents=True)
    head = "epoch,loss,val_support_accuracy,val_support_ci95"
    (folder / "history.csv").write_text("\n".join([head, *rows]) + "\n")
    settings = dataclasses.asdict(PRESETS["sine"])
    settings |= {"outer_iterations": 10, "eval_every": 10, "seed": 0}
    (folder / "config.json").write_text(json.dumps(settings))
    return folder


def test_only_results_are_drawn(tmp_path):
    """Not a training that is under way, nor one without an evaluation."""
    finished = result(tmp_path / "finished")
    begun = result(tmp_path / "underway" / "begun")
    (begun / "checkpoints").mkdir()
    result(tmp_path / "empty", rows=())
    archive.redraw(tmp_path)
    assert list(tmp_path.rglob("*.png")) == [finished / "learning_curve.png"]


def test_one_run_and_several_seeds_are_not_kept_in_one_place(tmp_path):
    run, kept = result(tmp_path / "run"), tmp_path / "kept"
    seeds_file.write(kept, [0, 1])
    with pytest.raises(ValueError, match="kept keeps several seeds; .* --name"):
        archive.keep(run, kept, learner=False)
    assert [path.name for path in kept.iterdir()] == [seeds_file.NAME]
