"""Figure 3 (section 5.2): learning curves of inner-loop gradient combinations.

Trains combinations of g1 to g4 with Table 6's settings, evaluates them, and
draws all curves that there are so far. The same command again resumes.

Example:
    python scripts/compare_gradients.py --data_dir=$HOME/tensorflow_datasets \
        --run_dir=runs/figure3 --curve=g2 --curve="g1+g2"

Every curve is a run folder in --run_dir, as of train.py. --keep gets their
settings, histories and evaluations, and figure3.png.
"""

import pathlib
import sys

from absl import flags

from reptile_tf import command_line, plots, results
from reptile_tf.runs import Run

# Figure 3's legend, and the weights on g1, g2, ...
CURVES = {
    "g1": "1",
    "mean_g1+g2": "1/2,1/2",
    "g1+g2": "1,1",
    "g2": "0,1",
    "mean_g1+g2+g3": "1/3,1/3,1/3",
    "g1+g2+g3": "1,1,1",
    "g3": "0,0,1",
    "mean_g1+g2+g3+g4": "1/4,1/4,1/4,1/4",
    "g1+g2+g3+g4": "1,1,1,1",
    "g4": "0,0,0,1",
}
CURVE = flags.DEFINE_multi_enum(
    "curve", list(CURVES), CURVES, "A curve to train; all if not given."
)
RUN_DIR = flags.DEFINE_string("run_dir", "runs/figure3", "Folder of the runs.")
KEEP = flags.DEFINE_string("keep", None, "Folder to keep the results in.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "TFDS's data_dir.")
SEED = flags.DEFINE_integer("seed", 0, "Of weights, split and tasks.", 0)
TASKS = flags.DEFINE_integer("tasks", 1000, "Of each last evaluation.", 2)
EVAL_EVERY = flags.DEFINE_integer("eval_every", 2000, "Outer iterations.", 1)
EVAL_TASKS = flags.DEFINE_integer("eval_tasks", 100, "Of the ones before.", 2)
command_line.define_preset_flags()
command_line.define_thread_flags()


def main(_):
    command_line.configure_threads()
    folder = pathlib.Path(RUN_DIR.value)
    for curve in CURVE.value:
        flags.FLAGS.meta_gradient = CURVES[curve]
        flags.FLAGS.inner_steps = CURVES[curve].count(",") + 1
        preset = command_line.preset("omniglot_gradients")
        run = Run(folder / curve, preset, SEED.value, DATA_DIR.value)
        signal = run.train(2000, EVAL_EVERY.value, EVAL_TASKS.value)
        if signal is not None:
            sys.exit(128 + signal)
        if not (run.folder / "evaluation.json").exists():
            run.evaluate(TASKS.value)
    kept = pathlib.Path(KEEP.value or folder)
    for curve in CURVES:
        if kept != folder and (folder / curve / "evaluation.json").exists():
            results.keep(folder / curve, kept / curve, learner=False)
    plots.comparison([kept / curve for curve in CURVES], kept / "figure3.png")


if __name__ == "__main__":
    command_line.run(main)
