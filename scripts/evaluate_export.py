r"""Evaluates an exported model on a run's test tasks, as a client would.

Example:
    python scripts/evaluate_export.py --run_dir=runs/o55 --tasks=500 \
        --model=saved_models/omniglot_5shot_5way

The tasks are those of scripts/evaluate.py; MODEL is a folder or a server's
URL. The run's own learner is evaluated on the same tasks beside it. Writes
export_evaluation.json into the run folder.
"""

import json

from absl import flags

from reptile_tf.cli import flags as command_line
from reptile_tf.experiments import build as experiment
from reptile_tf.experiments.run import Run
from reptile_tf.serving import client
from reptile_tf.training import evaluation_modes as evaluation
from reptile_tf.training.saving import whole_file

RUN_DIR = flags.DEFINE_string("run_dir", None, "Folder that train.py wrote.")
MODEL = flags.DEFINE_string("model", None, "Folder or URL of the export.")
TASKS = flags.DEFINE_integer("tasks", 500, "Number of test tasks.", 2)
flags.mark_flags_as_required(["run_dir", "model"])
command_line.define_thread_flags()


def main(_):
    command_line.configure_threads()
    run = Run.open(RUN_DIR.value)
    model = client.connect(MODEL.value)
    _, tasks = experiment.make_tasks(run.preset, run.seed, run.data_dir)
    steps = run.preset.eval_inner_steps
    through_it = client.evaluate(model, tasks, TASKS.value, steps)
    modes = [score.mode for score in through_it]
    scores = {
        "export": through_it,
        "run": run.learner().evaluate(
            tasks, TASKS.value, modes=modes, verbose=1
        ),
    }
    entries = [
        {"learner": name, **score.as_dict()}
        for name, found in scores.items()
        for score in found
    ]
    with whole_file(run.folder / "export_evaluation.json") as part:
        part.write_text(json.dumps(entries, indent=2) + "\n")
    for name, found in scores.items():
        print(f"{name}:\n{evaluation.table(found)}")


if __name__ == "__main__":
    command_line.run(main)
