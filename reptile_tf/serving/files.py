"""Writing a learner as one file, for programs that are no server."""

import os
import pathlib
from typing import Any

from reptile_tf.models import formats
from reptile_tf.serving import tflite_learner
from reptile_tf.training.learner import MetaLearner
from reptile_tf.utils.files import whole_file
from reptile_tf.utils.paths import local
from reptile_tf.utils.validation import require_at_least, require_choice

# A SavedModel is a folder, which `reptile_tf.serving.export` writes.
FORMATS = ("saved_model", *formats.ENDINGS)


def require(
    path: str | os.PathLike, format: str, adapting: bool, steps: int | None
) -> None:
    """Refuses what does not go together, before any work.

    Args:
        path: of the folder or file to write.
        format: one of `FORMATS`.
        adapting: whether it is to adapt by itself.
        steps: inner steps of a file that does.

    Raises:
        ValueError: names the argument and what would do.
    """
    require_choice(FORMATS, format=format)
    ending = formats.ENDINGS.get(format, "")
    found = formats.format_of(path)
    if ending and format != found:
        raise ValueError(
            f"format={format} needs a file that ends in {ending}; received "
            f"{os.fspath(path)}"
        )
    if not ending and found:
        raise ValueError(
            f"{os.fspath(path)} ends as a file of format={found} does; "
            "format=saved_model writes a folder of versions"
        )
    if adapting and format in ("keras", "onnx"):
        raise ValueError(
            f"adapting=True is for format=tflite: a file of format={format} "
            "computes a model, and no gradients to adapt it by; a SavedModel "
            "adapts in any case, and reptile-tf adapt writes an adapted model "
            "in this format"
        )
    if steps is not None and not (adapting and format == "tflite"):
        raise ValueError(
            f"steps={steps} is for format=tflite with adapting=True; a "
            "SavedModel is told the steps in each request"
        )
    formats.require_packages(format)


def require_served(format: str, **given: Any) -> None:
    """Refuses what only a SavedModel has a place for.

    Args:
        format: one of `FORMATS`.
        **given: the arguments that are for a SavedModel alone.

    Raises:
        ValueError: names the first that is given to another format.
    """
    for name, value in given.items():
        nothing = value is None or value is False or value == ()
        if not nothing and format != "saved_model":
            also = " and for adapting=True" if name == "max_examples" else ""
            raise ValueError(
                f"{name} is for format=saved_model{also}; received it with "
                f"format={format}, which has no place for it"
            )


def export(
    learner: MetaLearner,
    path: str | os.PathLike,
    *,
    adapting: bool,
    steps: int | None,
    max_examples: int,
) -> pathlib.Path:
    """Writes a file of the format that it ends in; see `MetaLearner.export`."""
    path = local("path", path)
    learner.functional.require_unchanged()
    if not adapting:
        functional = learner.functional
        model = functional.with_weights(
            functional.phi(), functional.own_statistics
        )
        formats.write(model, path)
        return path
    steps = learner.settings.evaluation_steps(steps)
    require_at_least(1, steps=steps, max_examples=max_examples)
    content = tflite_learner.as_tflite(learner, steps, max_examples)
    with whole_file(path) as part:
        part.write_bytes(content)
    return path
