"""Keeps a run in results/ and writes the tables of README.md from results/.

Example:
    python scripts/record.py --run_dir=runs/o55 --name=omniglot_5shot_5way
    python scripts/record.py  # the tables alone
"""

import pathlib

from absl import flags

from reptile_tf import command_line, results
from reptile_tf.persistence import whole_file

RUN_DIR = flags.DEFINE_string("run_dir", None, "An evaluated run to keep.")
NAME = flags.DEFINE_string("name", None, "Its name in results/.")
RESULTS = flags.DEFINE_string("results", "results", "Where results are kept.")
README = flags.DEFINE_string("readme", "README.md", "Where the tables go.")

START, END = "<!-- results: made by scripts/record.py -->", "<!-- end -->"


def main(_):
    kept = pathlib.Path(RESULTS.value)
    if RUN_DIR.value is not None:
        if NAME.value is None:
            raise ValueError("--run_dir needs --name, the result's name")
        results.keep(pathlib.Path(RUN_DIR.value), kept / NAME.value)
    readme = pathlib.Path(README.value)
    before, rest = readme.read_text().split(START)
    after = rest.split(END, 1)[1]
    with whole_file(readme) as part:
        part.write_text(
            f"{before}{START}\n{results.tables(kept)}\n{END}{after}"
        )


if __name__ == "__main__":
    command_line.run(main)
