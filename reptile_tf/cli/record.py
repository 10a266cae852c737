"""Keeps a run's or a search's results; draws and tabulates all that is kept.

Example:
    reptile-tf record --run_dir=runs/o55 --name=omniglot_5shot_5way
    reptile-tf record  # makes the tables and pictures alone
"""

import pathlib
from collections.abc import Callable

from absl import flags

from reptile_tf.cli import flags as shared_flags

RUN_DIR = shared_flags.define_path(
    "run_dir", None, "The evaluated run, seeds, or search to keep."
)
NAME = flags.DEFINE_string("name", None, "The name to keep it under.")
RESULTS = shared_flags.define_path(
    "results", "results", "The folder where results are kept."
)
PAGE = shared_flags.define_paths(
    "page",
    [
        "README.md",
        "docs/experiments.md",
        "docs/performance.md",
        "docs/results.md",
        "docs/scaling.md",
        "docs/search.md",
        "docs/serving.md",
        "saved_models/README.md",
    ],
    "A Markdown page whose tables are written anew; may be given several "
    "times. By default they are this project's own, in its checkout.",
)


def main() -> None:
    """Keeps a run; makes the tables and pictures."""
    from reptile_tf.experiments import archive, pages, seeds_file
    from reptile_tf.paper import figures
    from reptile_tf.search import keeping, search_log
    from reptile_tf.utils.files import whole_file

    kept = pathlib.Path(RESULTS.value)
    documents = [pathlib.Path(page) for page in PAGE.value or ()]
    for page in documents:
        if not page.is_file():
            raise ValueError(
                f"page={page} is no file; call record in a checkout of "
                "reptile_tf, or name the pages whose tables it is to write"
            )
    if RUN_DIR.value is not None:
        if NAME.value is None:
            raise ValueError("--run_dir needs --name, the result's name")
        folder = pathlib.Path(RUN_DIR.value)
        keep: Callable[[pathlib.Path, pathlib.Path], None] = archive.keep
        if (folder / search_log.NAME).exists():
            keep = keeping.keep
        elif (folder / seeds_file.NAME).exists():
            keep = archive.keep_seeds
        keep(folder, kept / NAME.value)
    for page in documents:
        text = pages.fill(page.read_text(), kept)
        with whole_file(page) as part:
            part.write_text(text)
    archive.redraw(kept)
    figures.redraw(kept)
    keeping.redraw(kept)
