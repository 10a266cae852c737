"""The figures of sections 4.1 and 4.2."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reptile_tf.experiments.plots import subplots, write_figure
from reptile_tf.paper.manifolds import Circles

_Path = str | os.PathLike


def remainders(entries: Sequence[Mapping[str, Any]], path: _Path) -> None:
    """Draws what section 4.1's expansion leaves, against the step size.

    Args:
        entries: `reptile_tf.paper.expansion.Expansion`s as dicts.
        path: of the picture, a PNG.
    """
    figure, axis = subplots(figsize=(5, 4))
    for name in dict.fromkeys(e["algorithm"] for e in entries):
        own = [e for e in entries if e["algorithm"] == name]
        alphas = np.array([e["alpha"] for e in own])
        left = [e["remainder"] for e in own]
        axis.loglog(alphas, left, "o-", label=name)
    axis.loglog(
        alphas, left[0] * (alphas / alphas[0]) ** 2, "k:", label="slope 2"
    )
    axis.set(xlabel="inner step size alpha", ylabel="norm of the remainder")
    axis.legend()
    write_figure(figure, path)


def plane_iterates(
    circles: Circles,
    phis: np.ndarray,
    adapted: np.ndarray,
    nearest: np.ndarray,
    path: _Path,
) -> None:
    """Draws Figure 2: phi between the solutions of two tasks, or more.

    Args:
        circles: a `reptile_tf.paper.manifolds.Circles`.
        phis: the iterates of phi, `[N + 1, 2]`.
        adapted: W~ of each iteration, `[N, 2]`.
        nearest: the point that minimizes the mean squared distance, `[2]`.
        path: of the picture, a PNG.
    """
    figure, axis = subplots(figsize=(6.5, 6.5))
    angle = np.linspace(0, 2 * np.pi, 500)
    circle = np.stack([np.cos(angle), np.sin(angle)], -1)
    for i, radius in enumerate(circles.radii):
        curve = circles.centres[i] + radius * circle
        axis.plot(*curve.T, color=f"C{i}", label=f"$W^*_{i + 1}$", lw=2)
    for before, end in zip(phis[:-1], adapted, strict=True):
        axis.plot(*np.stack([before, end]).T, color="0.8", lw=0.8, zorder=0)
    axis.plot(*adapted.T, ".", color="0.6", ms=4, label=r"$\tilde W$")
    axis.plot(*phis.T, "k.-", lw=0.8, ms=4, label=r"$\phi$")
    axis.plot(*phis[0], "ko", mfc="white", label=r"start of $\phi$")
    label = "least mean squared distance"
    axis.plot(*nearest, "r+", ms=14, mew=1.5, label=label, zorder=3)
    seen = np.concatenate([phis, adapted])
    low, high = seen.min(0) - 0.6, seen.max(0) + 0.6
    axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    axis.set(xlabel="$w_1$", ylabel="$w_2$")
    axis.legend(fontsize=8)
    write_figure(figure, path)


def solution_distance(
    measures: Mapping[str, Sequence[Mapping[str, float]]], path: _Path
) -> None:
    """Draws the distance from phi to the tasks' solutions during training.

    Args:
        measures: by name, for each outer iteration a dictionary with
            outer_iteration, distance, ci95 (half the interval's width) and
            loss.
        path: of the picture, a PNG.
    """
    figure, (left, right) = subplots(1, 2, figsize=(9, 3.8))
    for name, rows in measures.items():
        columns = {key: [row[key] for row in rows] for key in rows[0]}
        iterations = columns["outer_iteration"]
        left.errorbar(
            iterations,
            columns["distance"],
            columns["ci95"],
            marker=".",
            capsize=2,
            label=name,
        )
        right.plot(iterations, columns["loss"], marker=".", label=name)
    for axis in (left, right):
        # Iteration 0 has a place too, left of the logarithmic part.
        axis.set_xscale("symlog", linthresh=1)
        axis.set_xlabel("outer iteration")
        axis.grid(alpha=0.3)
    left.set_ylim(bottom=0)
    left.set(title=r"$|\phi - W|$, 95% intervals", ylabel="distance")
    right.set(title="Loss of $W$ on the support set", yscale="log")
    left.legend(fontsize=8)
    write_figure(figure, path)
