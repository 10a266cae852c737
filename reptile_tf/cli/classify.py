r"""Classifies pictures of yours.

Example:
    reptile-tf classify --model=saved_models/omniglot_5shot_5way \
        --support=examples/characters/support examples/characters/query/*.png
    reptile-tf classify --model=mine.keras examples/characters/query/*.png

The model is an exported one, which is adapted to the pictures of --support
first, or a file that adapt wrote, which knows its classes already. A support
set is what adapt takes: a folder with a folder of pictures for each class, or
pictures and a table, --csv. Pictures are prepared exactly as in the training of
the model.
"""

import os
import pathlib
import sys
from collections.abc import Sequence

import numpy as np
from absl import flags

from reptile_tf.cli import flags as shared_flags
from reptile_tf.utils import paths

WORDS = (
    "Words that are no flags are the pictures to classify, or folders of them."
)
MODEL = shared_flags.define_model(
    " Or a FILE.keras that adapt wrote, which needs no --support."
)
SUPPORT = shared_flags.define_path(
    "support",
    None,
    "The pictures to learn from: folder:PATH, a folder with a folder for each "
    "class.",
    paths.of_pictures,
)
QUERY = shared_flags.define_path(
    "query", None, "A folder of pictures to classify; or name them as words."
)
_STEPS = 50  # where nothing else is known
STEPS = flags.DEFINE_integer(
    "steps",
    None,
    "The inner steps that an exported model adapts with; as many as in the "
    "model's evaluation if not given, or 50 where a server does not say them.",
    0,
)
shared_flags.define_folder_settings()


def main(words: Sequence[str]) -> None:
    """Classifies, and prints a table."""
    from reptile_tf.data import image_files
    from reptile_tf.data.sources import image_folder
    from reptile_tf.experiments import trained
    from reptile_tf.serving import client
    from reptile_tf.training.picture_classifier import PictureClassifier

    if MODEL.value.endswith((".tflite", ".onnx")):
        raise ValueError(
            f"model={MODEL.value} is for other programs; classify reads a "
            "FILE.keras that adapt wrote, a folder that export wrote and the "
            "URL of a model on a server"
        )
    given = [*words, *([QUERY.value] if QUERY.value else [])]
    queries = image_files.find_all(given)
    if MODEL.value.endswith(".keras"):
        if SUPPORT.value:
            raise ValueError(
                f"support={SUPPORT.value} has no use: {MODEL.value} knows its "
                "classes already"
            )
        classifier = PictureClassifier.load(MODEL.value)
        names = classifier.class_names
        answer = classifier.classify(queries)
    else:
        if not SUPPORT.value:
            raise ValueError(
                f"model={MODEL.value} has to learn its classes from pictures: "
                "give --support=folder:PATH, or adapt it once with reptile-tf "
                "adapt and give the file"
            )
        classes = image_folder.support_classes(
            SUPPORT.value,
            **shared_flags.folder_settings(),
        )
        names = list(classes)
        model = client.connect(MODEL.value)
        steps = STEPS.value
        if steps is None:
            steps = trained.own_steps(MODEL.value)
        if steps is None:
            steps = _STEPS
            print(
                f"{MODEL.value} does not say how many inner steps it was "
                f"evaluated with, so {steps} are taken; --steps chooses others",
                file=sys.stderr,
            )
        answer = client.classify(model, classes, queries, steps)
    _print(queries, names, answer)


def _print(
    queries: Sequence[pathlib.Path], names: Sequence[str], answer: np.ndarray
) -> None:
    # Of folders that all are in, nobody needs to be told.
    base = os.path.commonpath([path.absolute().parent for path in queries])
    shown = [os.path.relpath(path, base) for path in queries]
    width = max(map(len, shown))
    columns = [max(len(name), 6) for name in names]
    head = "  ".join(f"{n:>{w}}" for n, w in zip(names, columns, strict=True))
    print(f"{'picture':{width}}  {head}  answer")
    for picture, row in zip(shown, answer, strict=True):
        cells = zip(row, columns, strict=True)
        numbers = "  ".join(f"{value:{w}.1%}" for value, w in cells)
        print(f"{picture:{width}}  {numbers}  {names[row.argmax()]}")
