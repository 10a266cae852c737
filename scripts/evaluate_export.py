"""Evaluates an exported model on a run's test tasks, as a client would.

Example:
    python scripts/evaluate_export.py --run_dir=runs/o55 --tasks=500 \
        --model=saved_models/omniglot_5shot_5way

The tasks are those of scripts/evaluate.py; MODEL is a folder or a server's
URL. Writes export_evaluation.json into the run folder.
"""

import json

import numpy as np
import tensorflow as tf
from absl import flags
from tqdm import tqdm

from reptile_tf import command_line, evaluation, experiment
from reptile_tf.persistence import whole_file
from reptile_tf.runs import Run
from reptile_tf.serving import client

RUN_DIR = flags.DEFINE_string("run_dir", None, "Folder that train.py wrote.")
MODEL = flags.DEFINE_string("model", None, "Folder or URL of the export.")
TASKS = flags.DEFINE_integer("tasks", 500, "Number of test tasks.", 2)
flags.mark_flags_as_required(["run_dir", "model"])
command_line.define_thread_flags()

SIGNATURES = {
    "transductive": "adapt_and_predict_transductive",
    "support": "adapt_and_predict",
}


def main(_):
    command_line.configure_threads()
    run = Run.open(RUN_DIR.value)
    model = client.connect(MODEL.value)
    _, tasks = experiment.make_tasks(run.preset, run.seed, run.data_dir)
    correct = {mode: [] for mode in SIGNATURES}
    for index in tqdm(range(TASKS.value), unit="task"):
        task = tasks.sample(tf.constant(index, tf.int64))
        request = {
            "support_images": task.support_x.numpy(),
            "support_labels": task.support_y.numpy(),
            "query_images": task.query_x.numpy(),
            "steps": np.int32(run.preset.eval_inner_steps),
        }
        for mode, signature in SIGNATURES.items():
            labels = model.predict(signature, request)["labels"]
            correct[mode].append(np.mean(labels == task.query_y.numpy()))
    scores = [
        evaluation.Score.of(mode, "accuracy", values)
        for mode, values in correct.items()
    ]
    with whole_file(run.folder / "export_evaluation.json") as part:
        entries = [score.as_dict() for score in scores]
        part.write_text(json.dumps(entries, indent=2) + "\n")
    print(evaluation.table(scores))


if __name__ == "__main__":
    command_line.run(main)
