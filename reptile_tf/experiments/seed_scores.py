"""What evaluations found with several seeds: means, and two intervals of each.

The interval over tasks says what other tasks would change, with the learners as
they are. The one over seeds says what other seeds would: other initial weights,
training tasks and test tasks, and other test classes where a seed divides them.
"""

import math
import pathlib
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from reptile_tf.experiments.markdown import aligned_table_of
from reptile_tf.experiments.seeds_file import held, told
from reptile_tf.training.score import Score, read_entries

# What an entry of one seed says that is not true of all.
_OF_ONE = ("ci95", "seed")

_FILES = "evaluation_of_seeds*.json"


def file_of(split: str) -> str:
    """Returns the name of the file of an evaluation on a split."""
    return f"evaluation_of_seeds{'' if split == 'test' else '_' + split}.json"


def summary(
    evaluations: Sequence[Sequence[Mapping[str, Any]]],
) -> list[dict[str, Any]]:
    """Returns an entry for each mode, with the mean over seeds.

    Args:
        evaluations: what the evaluation.json of each seed says.

    Raises:
        ValueError: they are not alike.
    """
    entries = []
    for of_mode in zip(*evaluations, strict=True):
        scores = [Score.of_dict(entry) for entry in of_mode]
        if len({(s.mode, s.metric, s.num_tasks) for s in scores}) > 1:
            raise ValueError(
                "the seeds were evaluated in different modes, or on different "
                "numbers of tasks; evaluate them again"
            )
        values = [score.value for score in scores]
        metric = scores[0].metric
        entry = {"mode": scores[0].mode, metric: statistics.fmean(values)}
        entry |= {
            "ci95_over_seeds": _over_seeds(values),
            # Each seed has test tasks of its own, so that errors are
            # independent.
            "ci95_over_tasks": math.hypot(*(s.ci95 for s in scores))
            / len(scores),
        }
        shared = {k: v for k, v in of_mode[0].items() if k not in _OF_ONE}
        entry |= {k: v for k, v in shared.items() if k not in entry}
        entry["seeds"] = [one["seed"] for one in of_mode]
        entry["of_each"] = [
            {metric: score.value, "ci95": score.ci95} for score in scores
        ]
        entries.append(entry)
    return entries


def _over_seeds(values: Sequence[float]) -> float | None:
    """Returns half the width of Student's 95% interval; None of one value."""
    if len(values) < 2:
        return None
    error = statistics.stdev(values) / math.sqrt(len(values))
    return student(len(values) - 1) * error


def student(degrees: int) -> float:
    """Returns Student's t that 5% of draws are beyond, on either side.

    Args:
        degrees: of freedom, at least 1.
    """
    low, high = 0.0, 13.0  # that of 1 degree is the largest
    half = tf.constant(0.5, tf.float64)
    for _ in range(50):
        t = (low + high) / 2
        share = tf.constant(degrees / (degrees + t * t), tf.float64)
        beyond = float(tf.math.betainc(degrees * half, half, share))
        low, high = (t, high) if beyond > 0.05 else (low, t)
    return t


def read(path: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the entries of a file that `summary` was written to.

    Raises:
        ValueError: the file is damaged.
    """
    entries = read_entries(path)
    if not all("of_each" in entry for entry in entries):
        raise ValueError(f"{path} is damaged: remove it, and evaluate again")
    return entries


def of_all_seeds(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the files of a folder of seeds that are of all of its seeds.

    Others were written before seeds were added.

    Raises:
        ValueError: a file is damaged.
    """
    seeds = {*held(folder)}
    return [
        path
        for path in sorted(folder.glob(_FILES))
        if {*read(path)[0]["seeds"]} == seeds
    ]


def metric_of(entry: Mapping[str, Any]) -> str:
    """Returns the name of an entry's metric, which comes after its mode."""
    names = list(entry)
    return names[names.index("mode") + 1]


def table(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the lines of a Markdown table for a terminal."""
    metric = metric_of(entries[0])
    rows = []
    for entry in entries:
        mean = number(metric, entry[metric])
        if entry["ci95_over_seeds"] is not None:
            mean += f" +- {number(metric, entry['ci95_over_seeds'], 2)}"
        rows.append(
            [
                entry["mode"],
                mean,
                f"+- {number(metric, entry['ci95_over_tasks'], 2)}",
                f"{entry['num_tasks']:,}",
                told(entry["seeds"]),
            ]
        )
    name = metric.replace("_", " ").capitalize()
    head = ["Mode", f"{name} +- 95% (seeds)", "+- 95% (tasks)"]
    return aligned_table_of([*head, "Tasks", "Seeds"], rows)


def number(metric: str, value: float, digits: int = 4) -> str:
    """Returns a metric's value, or half the width of its interval, in words.

    Args:
        metric: its name; an accuracy is told in percent.
        value: the value.
        digits: that count, of another metric.
    """
    return f"{value:.2%}" if "accuracy" in metric else f"{value:.{digits}g}"
