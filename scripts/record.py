"""Keeps a run in results/ and writes the pages' tables from results/.

Example:
    python scripts/record.py --run_dir=runs/o55 --name=omniglot_5shot_5way
    python scripts/record.py  # the tables alone
"""

import pathlib

from absl import flags

from reptile_tf.cli import flags as command_line
from reptile_tf.experiments import archive as results
from reptile_tf.training.saving import whole_file

RUN_DIR = flags.DEFINE_string("run_dir", None, "An evaluated run to keep.")
NAME = flags.DEFINE_string("name", None, "Its name in results/.")
RESULTS = flags.DEFINE_string("results", "results", "Where results are kept.")
PAGE = flags.DEFINE_multi_string(
    "page",
    ["README.md", "docs/experiments.md", "saved_models/README.md"],
    "Markdown pages whose tables are made anew.",
)


def main(_):
    kept = pathlib.Path(RESULTS.value)
    if RUN_DIR.value is not None:
        if NAME.value is None:
            raise ValueError("--run_dir needs --name, the result's name")
        results.keep(pathlib.Path(RUN_DIR.value), kept / NAME.value)
    for page in map(pathlib.Path, PAGE.value):
        text = results.fill(page.read_text(), kept)
        with whole_file(page) as part:
            part.write_text(text)


if __name__ == "__main__":
    command_line.run(main)
