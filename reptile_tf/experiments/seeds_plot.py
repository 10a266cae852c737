"""A picture of what evaluations found with several seeds."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from reptile_tf.experiments.plots import subplots, write_figure
from reptile_tf.experiments.seed_scores import metric_of
from reptile_tf.utils.extras import extra

with extra("plots"):
    from matplotlib.axes import Axes
    from matplotlib.ticker import PercentFormatter


def draw(entries: Sequence[Mapping[str, Any]], path: str | os.PathLike) -> None:
    """Draws the metric of each seed, and the mean, with their 95% intervals.

    Args:
        entries: of `reptile_tf.experiments.seed_scores.summary`, of which each
            gets a panel.
        path: of the picture, a PNG.
    """
    width = 1.8 + len(entries) * max(2.6, 0.35 * len(entries[0]["seeds"]))
    figure, axes = subplots(
        1, len(entries), figsize=(width, 3.6), sharey=True, squeeze=False
    )
    for axis, entry in zip(axes[0], entries, strict=True):
        _panel(axis, entry)
    name = metric_of(entries[0])
    axes[0, 0].set_ylabel(name.replace("_", " "))
    if "accuracy" in name:
        axes[0, 0].yaxis.set_major_formatter(PercentFormatter(1))
        axes[0, 0].set_ylim(top=min(1.0, axes[0, 0].get_ylim()[1]))
    axes[0, -1].legend(
        fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5)
    )
    write_figure(figure, path)


def _panel(axis: Axes, entry: Mapping[str, Any]) -> None:
    """Draws one mode of evaluation."""
    metric, seeds = metric_of(entry), entry["seeds"]
    places = range(len(seeds))
    tasks = f"{entry['num_tasks']:,} {entry['split']} tasks"
    axis.errorbar(
        places,
        [each[metric] for each in entry["of_each"]],
        [each["ci95"] for each in entry["of_each"]],
        fmt="o",
        capsize=3,
        label=f"a seed, {tasks}:\n95% over its tasks",
    )
    mean, ci95 = entry[metric], entry["ci95_over_seeds"]
    axis.axhline(mean, color="tab:orange", label="mean of the seeds")
    if ci95 is not None:
        axis.axhspan(
            mean - ci95,
            mean + ci95,
            color="tab:orange",
            alpha=0.15,
            linewidth=0,
            label="its 95% over seeds",
        )
    axis.set_xticks(places, list(map(str, seeds)))
    axis.set(title=entry["mode"], xlabel="seed", xlim=(-0.5, len(seeds) - 0.5))
    axis.grid(alpha=0.3, axis="y")
