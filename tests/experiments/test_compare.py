"""What of a comparison is still to be done."""

import dataclasses
import json

from reptile_tf.experiments import compare
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
