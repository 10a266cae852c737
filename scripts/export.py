r"""Exports a run's newest learner as a SavedModel that adapts in the server.

Example:
    python scripts/export.py --run_dir=runs/o55 \
        --output=saved_models/omniglot_5shot_5way

Writes OUTPUT/VERSION in TF Serving's layout, under a new number each time,
whole or not at all. `reptile_tf.serving.export` describes the signatures.
"""

from absl import flags

from reptile_tf.cli import flags as command_line
from reptile_tf.experiments.run import Run

RUN_DIR = flags.DEFINE_string("run_dir", None, "Folder that train.py wrote.")
OUTPUT = flags.DEFINE_string(
    "output", None, "Folder of the model's versions; its name is the model's."
)
MAX_STEPS = flags.DEFINE_integer(
    "max_steps", 1000, "Most inner steps that a request may ask for.", 1
)
MAX_EXAMPLES = flags.DEFINE_integer(
    "max_examples", 1000, "Most support, and most query, examples of one.", 1
)
flags.mark_flags_as_required(["run_dir", "output"])
command_line.define_thread_flags()


def main(_):
    command_line.configure_threads()
    run = Run.open(RUN_DIR.value)
    version = run.learner().export(
        OUTPUT.value,
        # Waves are numbers; all other data sets hold images as uint8.
        uint8_images=run.preset.dataset != "sine",
        max_steps=MAX_STEPS.value,
        max_examples=MAX_EXAMPLES.value,
    )
    print(f"Exported to {version}")


if __name__ == "__main__":
    command_line.run(main)
