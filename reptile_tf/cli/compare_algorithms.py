"""Compares MAML, first-order MAML and Reptile on Omniglot, at equal budgets.

Trains each on 1-shot and 5-shot 5-way tasks for as many gradients of an
example's loss, in inner steps and on queries, as the others; evaluates them,
and draws all that there are so far. The same command again resumes.

Example:
    reptile-tf compare_algorithms --run_dir=runs/algorithms

Reptile has the settings of Table 3, the others those of Finn et al. (2017),
but for the lengths and their meta-batch. Each is a run folder in --run_dir, as
train makes it; with --seeds=3 it is a folder of seeds, and its curve is the
mean of theirs.
"""

import dataclasses

from absl import flags

from reptile_tf.cli import seeds, several_runs
from reptile_tf.experiments.preset import Preset
from reptile_tf.experiments.presets import ALGORITHM_RUNS, PRESETS

ALGORITHMS = "maml", "fomaml", "reptile"
SHOTS = flags.DEFINE_multi_enum(
    "shots",
    ["1", "5"],
    ["1", "5"],
    "K, the examples of each class; both if not given.",
)
BUDGET = {
    "1": flags.DEFINE_integer(
        "budget_1shot",
        720_000,
        "The gradients of an example's loss that each 1-shot training takes.",
        1,
    ),
    "5": flags.DEFINE_integer(
        "budget_5shot",
        2_500_000,
        "The gradients of an example's loss that each 5-shot training takes.",
        1,
    ),
}
META_BATCH = flags.DEFINE_integer(
    "maml_meta_batch_size", 16, "The meta-batch size of MAML and FOMAML.", 1
)
several_runs.define_flags("runs/algorithms")
SEEDS = seeds.define(
    "The seeds to train each with, instead of --seed; each is then a folder of "
    "seeds."
)


def preset(shots: str, algorithm: str) -> Preset:
    """Returns the settings of a training, as long as the budget allows."""
    from reptile_tf.experiments.build import example_gradients

    settings = PRESETS[f"omniglot_{shots}shot_5way"]
    if algorithm != "reptile":
        settings = dataclasses.replace(
            PRESETS[f"omniglot_{shots}shot_5way_maml"],
            algorithm=algorithm,
            meta_batch_size=META_BATCH.value,
        )
    iterations = BUDGET[shots].value // example_gradients(settings)
    return dataclasses.replace(settings, outer_iterations=max(1, iterations))


def main() -> None:
    """Trains, evaluates and draws."""
    from reptile_tf.experiments import run_pictures

    presets = {
        f"{shots}shot_{algorithm}": preset(shots, algorithm)
        for shots in SHOTS.value
        for algorithm in ALGORITHMS
    }
    seeds.require_one_flag()
    kept = several_runs.train_all(presets, ALGORITHM_RUNS, SEEDS.value)
    picture = kept[0].parent / "algorithms.png"
    run_pictures.curves_together(kept, picture, by_example_gradients=True)
    print(f"Look at {picture}")
