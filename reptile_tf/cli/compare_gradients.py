r"""Compares combinations of the inner gradients (section 5.2, Figure 3).

Trains combinations of g1 to g4 with Table 6's settings, evaluates them, and
draws all curves that there are so far. The same command again resumes.

Example:
    reptile-tf compare_gradients \
        --run_dir=runs/figure3 --curve=g2 --curve="g1+g2"

Each curve is a run folder in --run_dir, as train makes it.
"""

import dataclasses

from absl import flags

from reptile_tf.cli import flags as shared_flags
from reptile_tf.cli import several_runs
from reptile_tf.experiments.presets import FIGURE_3

CURVE = flags.DEFINE_multi_enum(
    "curve",
    list(FIGURE_3),
    list(FIGURE_3),
    "A curve to train; may be given several times. All if not given.",
)
EVAL_EVERY = flags.DEFINE_integer(
    "eval_every",
    2000,
    "The outer iterations between two evaluations during the training.",
    1,
)
NUM_VALIDATION_TASKS = flags.DEFINE_integer(
    "num_validation_tasks",
    100,
    "The number of tasks of each evaluation during the training.",
    2,
)
several_runs.define_flags("runs/figure3")
shared_flags.define_settings(but=("algorithm", "inner_steps"))


def main() -> None:
    """Trains, evaluates and draws."""
    from reptile_tf.experiments import run_pictures

    preset = shared_flags.preset("omniglot_gradients")
    presets = {
        curve: dataclasses.replace(
            preset,
            algorithm=FIGURE_3[curve],
            inner_steps=FIGURE_3[curve].count(",") + 1,
        )
        for curve in CURVE.value
    }
    kept = several_runs.train_all(
        presets,
        FIGURE_3,
        checkpoint_every=2000,
        eval_every=EVAL_EVERY.value,
        num_validation_tasks=NUM_VALIDATION_TASKS.value,
    )
    picture = kept[0].parent / "figure3.png"
    run_pictures.curves_together(kept, picture)
    print(f"Look at {picture}")
