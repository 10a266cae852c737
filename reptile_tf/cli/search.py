r"""Searches settings of a preset by CMA-ES; the same command again resumes.

Example:
    reptile-tf search --preset=glyphs --run_dir=runs/search \
        --space=learning_rate=log:1e-4..1e-2 --space=inner_steps=int:2..16 \
        --space=outer_step_size=0.1..1 --trial_iterations=200 --num_trials=22

Each trial is a short training, evaluated on validation tasks, the same for
each; test classes are not read. The search begins at the preset's own values,
which are trial 0. The same command on another machine that shares the folder
helps with the search; a search that is there already goes on without --preset.

The folder gets search.jsonl (the log), trials/ (a run folder for each),
search.csv, and best.json, which train takes: train --config=best.json.
docs/search.md says how to choose a space and a budget.
"""

import dataclasses
import pathlib

from absl import flags

from reptile_tf.cli import flags as shared_flags
from reptile_tf.cli.main import stopped
from reptile_tf.experiments.presets import PRESETS
from reptile_tf.search.search_settings import FIELDS, SearchSettings
from reptile_tf.search.space import Space
from reptile_tf.utils import paths

PRESET = flags.DEFINE_enum(
    "preset",
    None,
    list(PRESETS),
    "The experiment whose settings are searched; that of the search in "
    "--run_dir if not given.",
)
RUN_DIR = shared_flags.define_run_dir("The search's folder, made if it is new.")
DATA_DIR = shared_flags.define_data_dir(
    "that of the search, or TFDS's own default,"
)
SEED = shared_flags.define_seed(
    "what is drawn, and of each trial's weights, split by class and tasks"
)
SPACE = shared_flags.define_paths(
    "space",
    None,
    "A setting to search and its range: NAME=LOW..HIGH, NAME=log:LOW..HIGH "
    "where equal factors are to be equally far apart, or NAME=int:LOW..HIGH "
    "for whole numbers; or a file with one of them a line. May be given "
    "several times. The settings of the paper's Tables 3 to 5 if not given.",
    paths.or_range,
)
NUM_TRIALS = flags.DEFINE_integer(
    "num_trials",
    None,
    "The number of trials, the preset's own among them; if not given as many "
    "as the search has, 41 of a new one.",
    1,
)
_NUM_TRIALS = 41
WORKERS = flags.DEFINE_integer(
    "workers",
    1,
    "The trials that this command makes at a time, in a process each.",
    1,
)
CHECKPOINT_EVERY = flags.DEFINE_integer(
    "checkpoint_every",
    500,
    "The outer iterations between two checkpoints of a trial.",
    1,
)
shared_flags.define_fields(FIELDS)
shared_flags.define_settings()


def main() -> None:
    """Searches, or goes on searching."""
    from reptile_tf.search import outcome, report, worker
    from reptile_tf.search.helper import helpers
    from reptile_tf.search.progress import Progress
    from reptile_tf.search.search import Search
    from reptile_tf.utils import machine

    if WORKERS.value > 1:
        machine.share(WORKERS.value)
    told = Search.told(RUN_DIR.value)
    num_trials = NUM_TRIALS.value or told["num_trials"] or _NUM_TRIALS
    data_dir = DATA_DIR.value or told["data_dir"]
    search = Search(RUN_DIR.value, _settings(), data_dir)
    search.begin(num_trials)
    given = num_trials, CHECKPOINT_EVERY.value
    progress = Progress(search, num_trials)
    size = search.generation_size()
    print(
        report.opening(search.settings, search.history(), num_trials, size),
        flush=True,
    )
    others = WORKERS.value - 1
    with helpers(others, search.folder, *given, search.data_dir):
        signal = worker.work(search, *given, progress)
    history = search.history()
    if signal is not None:
        print(f"{len(history.results)} of {num_trials} trials are done.")
        stopped(signal)
    best_file = search.folder / outcome.BEST
    print(report.summary(search.settings, history, str(best_file)))


def _settings() -> SearchSettings:
    """Returns the settings that were given, or those of the search there."""
    from reptile_tf.search import search_log
    from reptile_tf.search.search import Search

    given = shared_flags.given_fields(FIELDS)
    if SEED.present:
        given["seed"] = SEED.value
    if SPACE.value:
        given["space"] = [str(each) for each in Space.parse(SPACE.value).ranges]
    if PRESET.value is not None:
        return SearchSettings(preset=shared_flags.preset(PRESET.value), **given)
    if not pathlib.Path(RUN_DIR.value, search_log.NAME).exists():
        raise ValueError(
            f"run_dir={RUN_DIR.value} holds no search to go on with; give "
            "--preset to begin one, as in --preset=glyphs"
        )
    held = Search.open(RUN_DIR.value).settings
    preset = shared_flags.with_flags(held.preset)
    return dataclasses.replace(held, preset=preset, **given)
