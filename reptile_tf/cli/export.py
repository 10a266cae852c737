r"""Exports a run's newest learner as a SavedModel that adapts in the server.

Example:
    reptile-tf export --run_dir=runs/o55 \
        --output=saved_models/omniglot_5shot_5way

Writes OUTPUT/VERSION in TF Serving's layout, under a new number each time,
whole or not at all. docs/serving.md describes what can be asked of it.
"""

import dataclasses
import pathlib
import re

from absl import flags

from reptile_tf.cli import flags as shared_flags
from reptile_tf.utils.validation import require_writable

RUN_DIR = shared_flags.define_run_dir()
OUTPUT = shared_flags.define_path(
    "output",
    None,
    "The folder of the model's versions; its name becomes the model's name.",
    required=True,
)
# TF Serving looks for a model under its name in a URL; and a folder's name that
# begins with a dot is hidden.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
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
INK = flags.DEFINE_enum(
    "ink",
    None,
    ["dark", "light"],
    "What the drawings look like that the run was trained on: dark ink on "
    "light paper, or light ink on dark paper. It lets people draw for the "
    "model on the page of reptile-tf page, where a model without it takes "
    "photos. It is known of omniglot and glyphs.",
)


def main() -> None:
    """Exports."""
    from reptile_tf.experiments import trained
    from reptile_tf.experiments.run import Run

    _require_name(OUTPUT.value)
    require_writable(output=OUTPUT.value)
    run = Run.open(RUN_DIR.value)
    pictures = trained.preparation_of(run)
    if INK.value is not None:
        if pictures is None:
            raise ValueError(
                f"ink={INK.value} has no use: the run was trained on "
                f"{run.preset.dataset}, which has no pictures"
            )
        pictures = dataclasses.replace(pictures, ink=INK.value)
    version = run.learner().export(
        OUTPUT.value,
        uint8_images=pictures is not None,
        pictures=pictures,
        class_names=list(run.class_sizes().get("train", ())),
        max_steps=MAX_STEPS.value,
        max_examples=MAX_EXAMPLES.value,
    )
    print(f"Exported to {version}")


def _require_name(output: str) -> None:
    """Refuses a folder whose name no server can serve a model under."""
    path = pathlib.PurePath(output)
    if _NAME.fullmatch(path.name):
        return
    would_do = re.sub("[^A-Za-z0-9_.-]+", "_", path.name).lstrip(".-")[:100]
    raise ValueError(
        f"output={output!r} does not end in a name that TF Serving can serve a "
        "model under: 1 to 100 of A-Z, a-z, 0-9, _, - and ., with neither of "
        f"the last two first; use {path.with_name(would_do or 'model')}"
        if path.name
        else f"output={output!r} does not name a folder, whose name becomes "
        "the model's; use one such as saved_models/mine"
    )
