"""What a run's history says: its loss, and its evaluations along the way."""

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from reptile_tf.experiments import config_file, seeds_file
from reptile_tf.experiments.epoch_log import NAME, read_history
from reptile_tf.training.score import Score
from reptile_tf.training.settings import EVALUATION_MODES


@dataclasses.dataclass(frozen=True)
class Curves:
    """The history of a run, an element for each of its epochs.

    Attributes:
        made: the outer iterations after each epoch.
        loss: the mean inner loss.
        metric: the name of what was measured; "" if nothing was.
        values: mode -> the metric.
        ci95: mode -> half the widths of its 95% intervals; nothing of the mean
            of several seeds.
        measured_on: what the evaluations were of, such as "validation classes".
        num_tasks: of each evaluation; None if the run does not say it.
        spread: of the mean of several seeds: mode -> the least and the largest
            of their values.
    """

    made: np.ndarray
    loss: np.ndarray
    metric: str
    values: Mapping[str, np.ndarray]
    ci95: Mapping[str, np.ndarray]
    measured_on: str
    num_tasks: int | None
    spread: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None

    @property
    def tasks(self) -> str:
        """What the evaluations were of, as "50 tasks of test classes"."""
        return tasks_of([self])

    def last_scores(self) -> list[Score]:
        """Returns what the last evaluation found; nothing if none is known."""
        if self.num_tasks is None:
            return []
        return [
            Score(
                mode,
                self.metric,
                float(values[-1]),
                float(self.ci95[mode][-1]),
                self.num_tasks,
            )
            for mode, values in self.values.items()
        ]


def tasks_of(runs: Iterable[Curves]) -> str:
    """Returns what the evaluations of runs were of.

    Args:
        runs: which may differ, as in "25 or 50 tasks of test classes".
    """
    numbers: dict[str, set[int]] = {}
    for run in runs:
        kind = run.measured_on
        kind = kind if kind.endswith("tasks") else f"tasks of {kind}"
        numbers.setdefault(kind, set()).update([run.num_tasks or 0])
    told = []
    for kind, counts in sorted(numbers.items()):
        known = " or ".join(f"{n:,}" for n in sorted(counts) if n)
        told.append(f"{known} {kind}".lstrip())
    return " or ".join(told)


def read(history: str | os.PathLike) -> Curves:
    """Returns what the history.csv of a run says.

    Args:
        history: path of the file, beside its config.json.

    Raises:
        ValueError: it has no epoch yet, or one of both is damaged.
    """
    columns = _columns(history)
    if "loss" not in columns:
        raise ValueError(
            f"{history} holds no epoch to draw; train on, to the end of the "
            "first epoch"
        )
    config = config_file.read(pathlib.Path(history).with_name("config.json"))
    validated = any(name.startswith("val_") for name in columns)
    prefix = "val" if validated else "train"
    measured = [m for m in EVALUATION_MODES if f"{prefix}_{m}_ci95" in columns]
    metric = _metric_of(measured[0], prefix, columns) if measured else ""
    return Curves(
        _iterations(config, columns["epoch"]),
        columns["loss"],
        metric,
        {m: columns[f"{prefix}_{m}_{metric}"] for m in measured},
        {m: columns[f"{prefix}_{m}_ci95"] for m in measured},
        # Until version 0.2 the accuracies along the way were of test classes.
        config.get("along_the_way", "test classes"),
        config.get("num_validation_tasks"),
    )


def read_all(folder: pathlib.Path) -> Curves:
    """Returns what the history of a run says, or the mean of several seeds.

    Args:
        folder: of the run, or of the seeds, which are taken as far as all of
            them have come.

    Raises:
        ValueError: as of `read`.
    """
    runs = [read(run / NAME) for run in seeds_file.run_folders(folder)]
    if len(runs) == 1:
        return runs[0]
    least = min(len(run.made) for run in runs)
    values = {
        mode: np.stack([run.values[mode][:least] for run in runs])
        for mode in runs[0].values
    }
    return dataclasses.replace(
        runs[0],
        made=runs[0].made[:least],
        loss=np.mean([run.loss[:least] for run in runs], 0),
        values={mode: each.mean(0) for mode, each in values.items()},
        ci95={},
        spread={m: (each.min(0), each.max(0)) for m, each in values.items()},
    )


def _iterations(config: Mapping[str, Any], epochs: np.ndarray) -> np.ndarray:
    """Returns the outer iterations that were made after each epoch."""
    total = config["outer_iterations"]
    # Runs of version 0.1 may not say how long their epochs were.
    length = config.get("eval_every", -(-total // len(epochs)))
    return np.minimum((epochs + 1) * length, total)


def _metric_of(
    mode: str, prefix: str, columns: Mapping[str, np.ndarray]
) -> str:
    """Returns the metric's name, told from columns of the like of val_*."""
    start = f"{prefix}_{mode}_"
    for name in columns:
        rest = name.removeprefix(start)
        # Another mode's name may go on where this one's ends.
        if rest not in (name, "ci95") and not rest.startswith("and_"):
            return rest
    raise ValueError(f"the history has no metric of mode {mode!r}")


def _columns(history: str | os.PathLike) -> dict[str, np.ndarray]:
    names, lines = read_history(history)
    if not lines:
        return {}
    columns = zip(*lines, strict=True)
    return {
        name: np.array(list(map(_number, cells)))
        for name, cells in zip(names, columns, strict=True)
    }


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:  # CSVLogger writes NA where an epoch has no value
        return np.nan
