"""What a search leaves to others: best.json, and search.csv for tables."""

import csv
import dataclasses
import os
import pathlib

from reptile_tf.search.search_settings import SearchSettings
from reptile_tf.search.trials import History
from reptile_tf.utils.files import whole_file, write_json

BEST, TABLE = "best.json", "search.csv"


def write(
    folder: pathlib.Path,
    settings: SearchSettings,
    history: History,
    data_dir: str | os.PathLike | None,
) -> None:
    """Writes the best settings so far, and all trials, whole or not at all.

    Args:
        folder: of the search.
        settings: of the search.
        history: what was tried and found.
        data_dir: where the data are.
    """
    _write_table(folder / TABLE, settings, history)
    best = history.best()
    if best is None:
        return
    trial, result = best
    # As config.json of a run, so that `train` takes it: the preset's own
    # length, and what was found.
    preset = dataclasses.replace(
        settings.preset,
        **trial.values,
        source=f"reptile-tf search, trial {trial.number}",
        expected="",
        running_time="",
    )
    found = {
        **dataclasses.asdict(preset),
        "seed": settings.seed,
        "data_dir": None if data_dir is None else str(data_dir),
        "found": {
            "method": settings.method,
            "trial": trial.number,
            "trials": len(history.results),
            "trial_iterations": settings.trial_iterations,
            **(result.score.as_dict() if result.score else {}),
            "split": "validation",
        },
    }
    write_json(folder / BEST, found)


def _write_table(
    path: pathlib.Path, settings: SearchSettings, history: History
) -> None:
    """Writes a line for each trial that has a result."""
    rows = []
    for trial, result in history.done():
        # What did not finish has no score; a table says so by no number.
        score = result.score
        rows.append(
            {
                "trial": trial.number,
                "generation": trial.generation,
                "state": result.state,
                "iterations": result.iterations,
                **trial.values,
                settings.metric: "" if score is None else score.value,
                "ci95": "" if score is None else score.ci95,
                "mode": settings.mode,
                "num_tasks": "" if score is None else score.num_tasks,
            }
        )
    with whole_file(path) as part, part.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
