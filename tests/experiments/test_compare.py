"""What of a comparison is still to be done."""

import dataclasses
import json

import pytest

from reptile_tf.experiments import compare, seeds_file
from reptile_tf.experiments.presets import PRESETS


def test_an_evaluation_of_another_length_is_made_again(tmp_path):
    preset = dataclasses.replace(
        PRESETS["sine"], outer_iterations=2, inner_steps=1, eval_inner_steps=1
    )
    path = tmp_path / "run" / "evaluation.json"

    def complete(tasks=3):
        experiments = {"run": preset}
        compare.complete(
            tmp_path, experiments, 0, None, tasks, num_validation_tasks=2
        )
        [entry] = json.loads(path.read_text())
        return entry["num_tasks"], entry["outer_iterations"]

    assert complete() == (3, 2)
    made = path.stat().st_mtime_ns
    assert complete() == (3, 2) and path.stat().st_mtime_ns == made
    entries = json.loads(path.read_text())
    entries[0]["outer_iterations"] = 1  # as of a run under way
    path.write_text(json.dumps(entries))
    assert complete() == (3, 2)
    assert complete(tasks=4) == (4, 2)


def test_all_are_checked_before_the_first_is_trained(tmp_path):
    """Or the last would be refused hours after the first."""
    good = dataclasses.replace(
        PRESETS["sine"], outer_iterations=2, inner_steps=1, eval_inner_steps=1
    )
    bad = dataclasses.replace(good, algorithm="1,1")
    with pytest.raises(ValueError, match="algorithm=1.0,1.0 has 2 weights"):
        compare.complete(tmp_path, {"a": good, "b": bad}, 0, None, 2)
    assert not list(tmp_path.iterdir())


def test_places_are_checked_before_the_first_is_trained(tmp_path):
    """Where the last one would be trained, and where it would be kept."""
    both = dict.fromkeys("ab", PRESETS["sine"])
    runs, kept = tmp_path / "runs", tmp_path / "kept"
    for folder, seed, told in (
        (kept, [0, 1], "kept/b keeps one run; use another --keep"),
        (runs, [0, 1], "run_dir=.*/b holds one run"),
    ):
        config = folder / "b" / "config.json"
        config.parent.mkdir(parents=True)
        config.touch()
        with pytest.raises(ValueError, match=told):
            compare.complete(runs, both, seed, None, 2, kept)
        config.unlink()
    for folder, told in (
        (kept, "kept/b keeps several seeds; use another --keep"),
        (runs, "run_dir=.*/b holds no run, but one for each of the seeds 0, 1"),
    ):
        seeds_file.write(folder / "b", [0, 1])
        with pytest.raises(ValueError, match=told):
            compare.complete(runs, both, 0, None, 2, kept)
    assert not (runs / "a").exists()
