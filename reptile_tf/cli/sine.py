"""Measures and draws how sine waves are learned (section 3, Figure 1).

Takes the learners of run folders that were trained with --preset=sine, by the
folders' names, and an untrained one with the settings of the first.

Example:
    reptile-tf train --preset=sine --run_dir=runs/sine
    reptile-tf sine --run_dir=runs/sine

Writes sine.json (the mean squared error over new waves after 0 to 32 inner
steps, with 95% intervals) and sine.png (one wave before and after inner steps)
into the first folder.
"""

from absl import flags

from reptile_tf.cli import flags as shared_flags

RUN_DIR = shared_flags.define_paths(
    "run_dir",
    None,
    "The folder of a training on sine waves; may be given several times.",
    required=True,
)
NUM_TASKS = shared_flags.define_num_tasks(1000, "new waves")
STEPS = flags.DEFINE_multi_integer(
    "steps",
    [0, 1, 5, 10, 32],
    "The inner steps to measure after; may be given several times.",
    0,
)


def main() -> None:
    """Measures, and draws."""
    import tensorflow as tf

    from reptile_tf.experiments import build, task_plots, words
    from reptile_tf.utils.files import write_json

    runs, waves = _open(RUN_DIR.value)
    first = next(iter(runs.values()))
    learners = {name: run.learner() for name, run in runs.items()}
    learners["random"] = build.make_learner(
        first.preset, first.seed, build.input_shape(waves)
    )
    results = []
    for name, learner in learners.items():
        for steps in STEPS.value:
            [score] = learner.evaluate(
                waves, NUM_TASKS.value, steps=steps, verbose=1
            )
            print(f"{name} initialization, {steps} steps: {score}")
            results.append({"initialization": name, "steps": steps})
            results[-1] |= score.as_dict()
    write_json(first.folder / "sine.json", results)

    wave = waves.sample(tf.constant(NUM_TASKS.value, tf.int64))
    names = words.runs([run.folder for run in runs.values()])
    answers = {
        name: task_plots.wave_answers(learner, wave, STEPS.value)
        for name, learner in zip(
            [*names, "random weights"], learners.values(), strict=True
        )
    }
    task_plots.sine_wave(wave, answers, first.folder / "sine.png")
    print(f"Look at {first.folder}/sine.png")


def _open(folders):
    """Returns the runs by their folders' names, and the first's test waves."""
    from reptile_tf.data import sources
    from reptile_tf.data.sine import SineWaves
    from reptile_tf.experiments.run import Run

    runs = {run.folder.name: run for run in map(Run.open, folders)}
    made_by = [
        getattr(sources.get(run.preset.dataset), "make", None)
        for run in runs.values()
    ]
    if len(runs) < len(folders) or set(made_by) != {SineWaves}:
        raise ValueError(
            f"run_dir={folders} must be trainings on sine waves, each folder "
            "with a name of its own"
        )
    return runs, next(iter(runs.values())).tasks().test
