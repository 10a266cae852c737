"""A picture of what evaluations found with several seeds."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reptile_tf.experiments import figure_style
from reptile_tf.experiments.seed_scores import metric_of
from reptile_tf.experiments.words import spoken
from reptile_tf.utils.extras import extra

with extra("plots"):
    from matplotlib.axes import Axes


def draw(
    entries: Sequence[Mapping[str, Any]],
    path: str | os.PathLike,
    width: float = figure_style.COLUMN,
) -> None:
    """Draws the metric of each seed, and the mean, with their 95% intervals.

    Args:
        entries: of `reptile_tf.experiments.seed_scores.summary`, of which each
            gets a panel.
        path: of the picture, of a suffix in `figure_style.FORMATS`.
        width: of the picture, in inches.
    """
    name = metric_of(entries[0])
    with figure_style.figure(
        path, len(entries), width=width, height=1.4, sharey=True
    ) as axes:
        for axis, entry in zip(axes, entries, strict=True):
            _panel(axis, entry)
            axis.set_ylabel(spoken(name))
        if figure_style.is_share(name):
            figure_style.percent(axes[0])
        figure_style.legend(axes)


def _panel(axis: Axes, entry: Mapping[str, Any]) -> None:
    """Draws one mode of evaluation."""
    metric, seeds = metric_of(entry), entry["seeds"]
    places = range(len(seeds))
    values = np.array([each[metric] for each in entry["of_each"]])
    around = [each["ci95"] for each in entry["of_each"]]
    low, high = figure_style.ends(values, around, metric)
    tasks = f"{entry['num_tasks']:,} {entry['split']} tasks"
    axis.errorbar(
        places,
        values,
        [values - low, high - values],
        fmt="o",
        color=figure_style.COLORS[0],
        capsize=2,
        linewidth=1,
        label=f"a seed, {tasks}: 95% over its tasks",
    )
    mean, ci95 = entry[metric], entry["ci95_over_seeds"]
    orange = figure_style.COLORS[1]
    axis.axhline(mean, color=orange, linestyle="--", label="mean of the seeds")
    if ci95 is not None:
        low, high = figure_style.ends([mean], [ci95], metric)
        axis.axhspan(
            low[0],
            high[0],
            color=orange,
            alpha=0.15,
            linewidth=0,
            label="its 95% over seeds",
        )
    every = -(-len(seeds) // 15)  # as many numbers as there is room for
    axis.set_xticks(places[::every], list(map(str, seeds[::every])))
    axis.set(xlabel="seed", xlim=(-0.5, len(seeds) - 0.5))
    figure_style.title(axis, f"Mode {spoken(entry['mode'])}")
