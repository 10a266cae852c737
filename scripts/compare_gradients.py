r"""Figure 3 (section 5.2): learning curves of inner-loop gradient combinations.

Trains combinations of g1 to g4 with Table 6's settings, evaluates them, and
draws all curves that there are so far. The same command again resumes.

Example:
    python scripts/compare_gradients.py \
        --run_dir=runs/figure3 --curve=g2 --curve="g1+g2"

Every curve is a run folder in --run_dir, as of train.py. --keep gets their
settings, histories and evaluations, and figure3.png.
"""

import dataclasses

from absl import flags

from reptile_tf.cli import flags as command_line
from reptile_tf.experiments import plots

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
EVAL_EVERY = flags.DEFINE_integer("eval_every", 2000, "Outer iterations.", 1)
EVAL_TASKS = flags.DEFINE_integer("eval_tasks", 100, "Of the ones before.", 2)
command_line.define_comparison_flags("runs/figure3")
command_line.define_preset_flags(but=("meta_gradient", "inner_steps"))
command_line.define_thread_flags()


def main(_):
    command_line.configure_threads()
    preset = command_line.preset("omniglot_gradients")
    experiments = {
        curve: dataclasses.replace(
            preset,
            meta_gradient=CURVES[curve],
            inner_steps=CURVES[curve].count(",") + 1,
        )
        for curve in CURVE.value
    }
    kept = command_line.compare(
        experiments,
        CURVES,
        checkpoint_every=2000,
        eval_every=EVAL_EVERY.value,
        eval_tasks=EVAL_TASKS.value,
    )
    plots.comparison(kept, kept[0].parent / "figure3.png")


if __name__ == "__main__":
    command_line.run(main)
