"""Draws what a folder holds: a run, or a search.

Example:
    reptile-tf plot --run_dir=runs/search

Of a run it draws learning_curve.png, and of an evaluated folder of seeds
seeds.png. Of a search it draws best_so_far.png
(each trial, and the best so far), settings.png (each setting against the
accuracy), and, where CMA-ES searched, spread.png (sigma, and the ratio of the
longest to the shortest axis, by generation). It draws what there is so far, so
that it can be called while they are under way.
"""

import pathlib

from reptile_tf.cli import flags as shared_flags

RUN_DIR = shared_flags.define_run_dir("The folder of a run, or of a search.")
OUTPUT = shared_flags.define_path(
    "output",
    None,
    "The folder that the pictures are written to; that of --run_dir if not "
    "given.",
)


def main() -> None:
    """Draws."""
    from reptile_tf.experiments import archive, plots
    from reptile_tf.search import pictures, search_log

    folder = pathlib.Path(RUN_DIR.value)
    output = pathlib.Path(OUTPUT.value or folder)
    if (folder / search_log.NAME).exists():
        drawn = pictures.draw(folder, output)
    elif (folder / "history.csv").exists():
        drawn = [output / "learning_curve.png"]
        plots.learning_curve(folder / "history.csv", drawn[0])
    elif found := archive.draw_seeds(folder, output):
        drawn = found
    else:
        raise ValueError(
            f"run_dir={folder} holds neither a run with a history.csv nor a "
            f"search with a {search_log.NAME}"
        )
    for path in drawn:
        print(f"Wrote {path}.")
