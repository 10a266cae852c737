r"""Draws what runs hold, or a search: each picture as wide as a column.

Example:
    reptile-tf plot runs/o55
    reptile-tf plot runs/o55 --task=3
    reptile-tf plot runs/o55 runs/o15 --format=pdf --output=figures
    reptile-tf plot runs/search

Of one run it draws learning_curve, the loss and the accuracies along the way;
with --task also task, what its learner answers in a test task. Of several it
draws learning_curves, the errors along the way, and comparison, the accuracies
that evaluate found, with their 95% intervals; a folder of run folders stands
for these. Of a folder of seeds it draws seeds, what evaluate found with each
and their mean, and the seeds beside one another. Of a search it draws
best_so_far (each trial, and the best so far), settings (each setting against
the accuracy), and, where CMA-ES searched, spread (sigma, and the ratio of the
longest to the shortest axis, by generation). It draws what there is so far, so
that it can be called while they are under way.
"""

import os
import pathlib
from collections.abc import Sequence

from absl import flags

from reptile_tf.cli import flags as shared_flags
from reptile_tf.utils import paths

WORDS = (
    "Words that are no flags are the RUN_DIRs: folders of runs, of results, or "
    "of a search."
)
RUN_DIR = shared_flags.define_paths(
    "run_dir",
    None,
    "The folder of a run, or of a search; the same as a word.",
)
OUTPUT = shared_flags.define_path(
    "output",
    None,
    "The folder that the pictures are written to; if not given it is that of "
    "the run, or the one that all runs are in.",
)
FORMAT = flags.DEFINE_enum(
    "format", "png", ["png", "pdf", "svg"], "What kind of files to write."
)
WIDTH = flags.DEFINE_float(
    "width",
    3.3,
    "The width of the pictures in inches; 3.3 is a column of a paper, 6.9 are "
    "two.",
    2.5,
    40.0,
)
NAME = flags.DEFINE_multi_string(
    "name",
    None,
    "What a run is called in the pictures; given once for each RUN_DIR, in "
    "their order. If not given, runs are called by what they differ in.",
)
TASK = flags.DEFINE_integer(
    "task", None, "The number of the test task to draw, of a single run.", 0
)


def main(words: Sequence[str]) -> None:
    """Draws."""
    given = [paths.local("run_dir", word) for word in words]
    given += map(pathlib.Path, RUN_DIR.value or ())
    if not given:
        raise ValueError("name what to draw, as in reptile-tf plot runs/o55")
    from reptile_tf.experiments import run_pictures

    folders = run_pictures.folders_of(given)
    one = len(folders) == 1
    if TASK.value is not None and not one:
        raise ValueError(
            f"task={TASK.value} is drawn of a single run; received "
            f"{len(folders)}"
        )
    # Of relative and absolute paths there is no common one.
    within = os.path.commonpath(map(os.path.abspath, given))
    output = pathlib.Path(OUTPUT.value or (folders[0] if one else within))
    drawn, left_out = _draw(folders, output)
    for line in left_out:
        print(line)
    if not drawn:
        raise ValueError(
            f"run_dir={', '.join(map(str, given))} holds nothing to draw yet; "
            "train to the end of an epoch, or evaluate"
        )
    for path in drawn:
        print(f"Wrote {path}.")


def _draw(
    folders: Sequence[pathlib.Path], output: pathlib.Path
) -> tuple[list[pathlib.Path], list[str]]:
    """Returns the pictures, and a line for each thing that was left out."""
    from reptile_tf.experiments import run_pictures
    from reptile_tf.search import pictures, search_log

    how = FORMAT.value, WIDTH.value
    if len(folders) > 1:
        return run_pictures.of_several(folders, output, *how, NAME.value)
    [folder] = folders
    if NAME.value:
        raise ValueError(
            f"name={', '.join(NAME.value)} is of several runs, drawn together; "
            f"received {folder} alone"
        )
    if (folder / search_log.NAME).exists():
        if TASK.value is not None:
            raise ValueError(
                f"task={TASK.value} is drawn of a run; {folder} is a search"
            )
        return pictures.draw(folder, output, *how), []
    return run_pictures.of_one(folder, output, *how, TASK.value)
