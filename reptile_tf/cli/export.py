r"""Exports a run's newest learner, to adapt in a server, or as one file.

Example:
    reptile-tf export --run_dir=runs/o55 \
        --output=saved_models/omniglot_5shot_5way
    reptile-tf export --run_dir=runs/o55 --format=onnx --output=o55.onnx
    reptile-tf export --run_dir=runs/o55 --format=tflite --adapting \
        --output=o55.tflite

Writes OUTPUT/VERSION in TF Serving's layout, under a new number each time. The
other formats are one file, which holds the initialization, an ordinary model;
or, with --adapting, a learner that adapts inside TFLite. All are written whole
or not at all. docs/serving.md describes what can be asked of them.
"""

import dataclasses
import os
import pathlib
import re

from absl import flags

from reptile_tf.cli import flags as shared_flags
from reptile_tf.utils.validation import require_writable

RUN_DIR = shared_flags.define_run_dir()
OUTPUT = shared_flags.define_path(
    "output",
    None,
    "The folder of the model's versions, whose name becomes the model's name; "
    "or the file to write, which ends in .keras, .tflite or .onnx.",
    required=True,
)
FORMAT = flags.DEFINE_enum(
    "format",
    "saved_model",
    ["saved_model", "keras", "tflite", "onnx"],
    "What to write: a SavedModel that adapts in the server, or the "
    "initialization as a file of Keras, TFLite or ONNX.",
)
ADAPTING = flags.DEFINE_bool(
    "adapting",
    False,
    "Whether the file of TFLite adapts by itself to the examples that it is "
    "given, as a SavedModel does in any case.",
)
STEPS = flags.DEFINE_integer(
    "steps",
    None,
    "The inner steps of a file that adapts; as many as in the run's "
    "evaluation if not given.",
    1,
)
# TF Serving looks for a model under its name in a URL; and a folder's name that
# begins with a dot is hidden.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
MAX_STEPS = flags.DEFINE_integer(
    "max_steps",
    None,
    "The most inner steps that a request to a SavedModel may ask for; 1000 if "
    "not given.",
    1,
)
MAX_EXAMPLES = flags.DEFINE_integer(
    "max_examples",
    None,
    "The most support examples that a request may hold, and the most query "
    "examples; of a file that adapts the most support examples, for each of "
    "which it grows. 1000 if not given.",
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
    from reptile_tf.serving import files

    files.require(OUTPUT.value, FORMAT.value, ADAPTING.value, STEPS.value)
    if FORMAT.value != "saved_model":
        _write_file()
        return
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
        if pictures.ink not in (None, INK.value):
            raise ValueError(
                f"ink={INK.value} is not that of {run.preset.dataset}, which "
                f"is known to be {pictures.ink}; leave --ink out"
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


def _write_file() -> None:
    """Exports to a file of another format."""
    from reptile_tf.experiments.run import Run

    if INK.value is not None:
        raise ValueError(
            f"ink={INK.value} has no use with format={FORMAT.value}: the page "
            "asks a SavedModel"
        )
    if os.path.isdir(OUTPUT.value):
        raise ValueError(f"output={OUTPUT.value} is a folder; name a file")
    require_writable(output=pathlib.Path(OUTPUT.value).parent)
    written = (
        Run.open(RUN_DIR.value)
        .learner()
        .export(
            OUTPUT.value,
            format=FORMAT.value,
            adapting=ADAPTING.value,
            steps=STEPS.value,
            max_steps=MAX_STEPS.value,
            max_examples=MAX_EXAMPLES.value,
        )
    )
    print(f"Exported to {written}")


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
