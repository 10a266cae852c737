"""MAML, first-order MAML and Reptile on Omniglot at an equal budget.

Trains each on 1-shot and 5-shot 5-way tasks for as many gradients of an
example's loss, in inner steps and on queries, as the others; evaluates them,
and draws all that there are so far. The same command again resumes.

Example:
    python scripts/compare_algorithms.py --run_dir=runs/algorithms

Reptile has the settings of Table 3, the others those of Finn et al. (2017), but
for the lengths and their meta-batch. Every one is a run folder in --run_dir,
as of train.py. --keep gets their settings, histories and evaluations, and
algorithms.png.
"""

import dataclasses

from absl import flags

from reptile_tf.cli import flags as command_line
from reptile_tf.experiments import plots
from reptile_tf.experiments.presets import PRESETS, Preset

ALGORITHMS = "maml", "fomaml", "reptile"
SHOTS = flags.DEFINE_multi_enum("shots", ["1", "5"], ["1", "5"], "K; both.")
BUDGET = {
    "1": flags.DEFINE_integer("budget_1shot", 720_000, "Gradients.", 1),
    "5": flags.DEFINE_integer("budget_5shot", 2_500_000, "Gradients.", 1),
}
META_BATCH = flags.DEFINE_integer(
    "maml_meta_batch_size", 16, "Meta-batch size of MAML and FOMAML.", 1
)
command_line.define_comparison_flags("runs/algorithms")
command_line.define_thread_flags()


def experiment(shots: str, algorithm: str) -> Preset:
    """Returns its settings, as long as the budget allows."""
    preset = PRESETS[f"omniglot_{shots}shot_5way"]
    if algorithm != "reptile":
        preset = dataclasses.replace(
            PRESETS[f"omniglot_{shots}shot_5way_maml"],
            meta_gradient=algorithm,
            meta_batch_size=META_BATCH.value,
        )
    iterations = BUDGET[shots].value // preset.example_gradients
    return dataclasses.replace(preset, outer_iterations=max(1, iterations))


def main(_):
    command_line.configure_threads()
    experiments = {
        f"{shots}shot_{algorithm}": experiment(shots, algorithm)
        for shots in SHOTS.value
        for algorithm in ALGORITHMS
    }
    names = [f"{k}shot_{algorithm}" for k in BUDGET for algorithm in ALGORITHMS]
    kept = command_line.compare(experiments, names)
    plots.comparison(
        kept, kept[0].parent / "algorithms.png", by_example_gradients=True
    )


if __name__ == "__main__":
    command_line.run(main)
