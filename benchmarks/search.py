"""Does a search pay? Searches, then trains what was found, with three seeds.

    python benchmarks/search.py --run_dir=runs/search --data_dir=DATA_DIR

Searches four settings of omniglot_1shot_5way by CMA-ES and at random, with 32
trials each besides the preset's own, on validation characters. Then it trains
what each found, and the paper's settings, as long as a trial, with three seeds,
and evaluates them on characters of alphabets that no search has read. The same
command again resumes. It ends with what `reptile-tf record` makes tables of, in
--keep. On two cores it takes about four hours.
"""

import dataclasses
import pathlib
import subprocess
import sys

from absl import app, flags

from reptile_tf.experiments import compare, config_file
from reptile_tf.experiments.preset import of_config
from reptile_tf.experiments.presets import PRESETS
from reptile_tf.search import keeping
from reptile_tf.utils import machine

RUN_DIR = flags.DEFINE_string("run_dir", "runs/search", "The folder of it all.")
KEEP = flags.DEFINE_string("keep", "results/search", "Where results are kept.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "TFDS's data_dir.")
WORKERS = flags.DEFINE_integer("workers", 2, "The trials at a time.")

ITERATIONS = 1500
SEEDS = 0, 1, 2
# The same test characters whatever the seed is, and in no search.
TASKS = {"omniglot_split": "alphabets", "validation_classes": 200}
SPACE = (
    "learning_rate=log:1e-4..1e-2",
    "inner_steps=int:2..20",
    "outer_step_size=0.1..1.5",
    "training_shots=int:2..19",
)


def search(method: str, folder: pathlib.Path) -> None:
    """Searches, or goes on searching."""
    words = [
        *(f"--method={method}", f"--run_dir={folder}", "--num_trials=33"),
        *("--preset=omniglot_1shot_5way", "--mode=support_and_query"),
        *(f"--trial_iterations={ITERATIONS}", "--eval_every=500"),
        *(f"--{name}={value}" for name, value in TASKS.items()),
        *(f"--space={each}" for each in SPACE),
        f"--workers={WORKERS.value}",
        *([f"--data_dir={DATA_DIR.value}"] if DATA_DIR.value else []),
    ]
    command = [sys.executable, "-m", "reptile_tf", "search", *words]
    subprocess.run(command, check=True)


def main(_) -> None:
    """Searches, trains, evaluates and keeps."""
    folder, kept = pathlib.Path(RUN_DIR.value), pathlib.Path(KEEP.value)
    paper = dataclasses.replace(PRESETS["omniglot_1shot_5way"], **TASKS)
    presets = {"paper": paper}
    for method in ("cma", "random"):
        search(method, folder / method)
        keeping.keep(folder / method, kept / method)
        found = config_file.read(folder / method / "best.json")
        presets[method] = of_config(found)
    machine.configure_tensorflow()
    experiments = {
        name: dataclasses.replace(preset, outer_iterations=ITERATIONS)
        for name, preset in presets.items()
    }
    finals = folder / "finals"
    signal = compare.complete(
        finals, experiments, SEEDS, DATA_DIR.value, 1000, eval_every=500
    )
    if signal is not None:
        sys.exit(128 + signal)
    compare.keep_finished(finals, experiments, kept / "finals")


if __name__ == "__main__":
    app.run(main)
