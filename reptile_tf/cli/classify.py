r"""Classifies pictures of yours.

Example:
    reptile-tf classify --model=saved_models/omniglot_5shot_5way \
        --support=examples/characters/support examples/characters/query/*.png
    reptile-tf classify --model=mine.keras examples/characters/query/*.png

The model is an exported one, which is adapted to the pictures of --support
first, or a file that adapt wrote, which knows its classes already. Pictures are
prepared exactly as in the training of the model.
"""

import os
import pathlib
from collections.abc import Sequence

import numpy as np
from absl import flags

from reptile_tf.cli import flags as shared_flags

WORDS = (
    "Words that are no flags are the pictures to classify, or folders of them."
)
MODEL = shared_flags.define_model(
    " Or a FILE.keras that adapt wrote, which needs no --support."
)
SUPPORT = flags.DEFINE_string(
    "support",
    None,
    "The pictures to learn from: folder:PATH, a folder with a folder for each "
    "class.",
)
QUERY = flags.DEFINE_string(
    "query", None, "A folder of pictures to classify; or name them as words."
)
STEPS = flags.DEFINE_integer(
    "steps", 50, "The inner steps that an exported model adapts with.", 0
)


def main(words: Sequence[str]) -> None:
    """Classifies, and prints a table."""
    from reptile_tf.data import image_files
    from reptile_tf.serving import client
    from reptile_tf.training.picture_classifier import PictureClassifier

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
        folder = SUPPORT.value.removeprefix("folder:")
        classes = image_files.find_classes(folder)
        names = list(classes)
        model = client.connect(MODEL.value)
        answer = client.classify(model, classes, queries, STEPS.value)
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
