r"""Evaluates an exported model on a run's test tasks, as a client would.

Example:
    reptile-tf evaluate_export --run_dir=runs/o55 --num_tasks=500 \
        --model=saved_models/omniglot_5shot_5way

The tasks are those of `reptile-tf evaluate`. The run's own learner is
evaluated on the same tasks beside the exported model, and both results are
written to export_evaluation.json in the run folder. An export of another run,
which was trained on some of the test classes, is refused.
"""

from reptile_tf.cli import flags as shared_flags

RUN_DIR = shared_flags.define_run_dir()
MODEL = shared_flags.define_model()
NUM_TASKS = shared_flags.define_num_tasks(500, "test tasks")


def main() -> None:
    """Evaluates both."""
    from reptile_tf.experiments import trained
    from reptile_tf.experiments.run import Run
    from reptile_tf.serving import client
    from reptile_tf.training import score
    from reptile_tf.utils.files import write_json

    run = Run.open(RUN_DIR.value)
    trained.require_unseen(MODEL.value, run.class_sizes().get("test", ()))
    learner, model = run.learner(), client.connect(MODEL.value)
    tasks = run.tasks().test
    steps = run.preset.eval_inner_steps
    through_it = client.evaluate(model, tasks, NUM_TASKS.value, steps)
    modes = [score.mode for score in through_it]
    scores = {
        "export": through_it,
        "run": learner.evaluate(tasks, NUM_TASKS.value, modes=modes, verbose=1),
    }
    entries = [
        {"learner": name, **each.as_dict()}
        for name, found in scores.items()
        for each in found
    ]
    write_json(run.folder / "export_evaluation.json", entries)
    for name, found in scores.items():
        print(f"{name}:\n{score.table(found)}")
