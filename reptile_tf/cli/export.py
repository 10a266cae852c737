r"""Exports a run's newest learner as a SavedModel that adapts in the server.

Example:
    reptile-tf export --run_dir=runs/o55 \
        --output=saved_models/omniglot_5shot_5way

Writes OUTPUT/VERSION in TF Serving's layout, under a new number each time,
whole or not at all. docs/serving.md describes what can be asked of it.
"""

from absl import flags

from reptile_tf.cli import flags as shared_flags

RUN_DIR = shared_flags.define_run_dir()
OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "The folder of the model's versions; its name becomes the model's name.",
    required=True,
)
MAX_STEPS = flags.DEFINE_integer(
    "max_steps", 1000, "The most inner steps that a request may ask for.", 1
)
MAX_EXAMPLES = flags.DEFINE_integer(
    "max_examples",
    1000,
    "The most support examples that a request may hold, and the most query "
    "examples.",
    1,
)


def main() -> None:
    """Exports."""
    from reptile_tf.experiments import trained
    from reptile_tf.experiments.run import Run

    run = Run.open(RUN_DIR.value)
    pictures = trained.preparation_of(run)
    version = run.learner().export(
        OUTPUT.value,
        uint8_images=pictures is not None,
        pictures=pictures,
        class_names=list(run.class_sizes().get("train", ())),
        max_steps=MAX_STEPS.value,
        max_examples=MAX_EXAMPLES.value,
    )
    print(f"Exported to {version}")
