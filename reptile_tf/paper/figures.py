"""The figures of sections 4.1 and 4.2."""

import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reptile_tf.experiments import figure_style, words
from reptile_tf.paper.manifolds import Circles

_Path = str | os.PathLike


def remainders(entries: Sequence[Mapping[str, Any]], path: _Path) -> None:
    """Draws what section 4.1's expansion leaves, against the step size.

    Args:
        entries: `reptile_tf.paper.expansion.Expansion`s as dicts.
        path: of the picture, a PNG.
    """
    with figure_style.figure(path, height=2.2) as [axis]:
        names = dict.fromkeys(e["algorithm"] for e in entries)
        for i, name in enumerate(names):
            own = [e for e in entries if e["algorithm"] == name]
            alphas = np.array([e["alpha"] for e in own])
            left = [e["remainder"] for e in own]
            look = figure_style.line(i) | {"label": words.algorithm(name)}
            axis.loglog(alphas, left, **look)
        square = left[0] * (alphas / alphas[0]) ** 2
        axis.loglog(alphas, square, color="0.5", lw=0.8, label="slope 2")
        axis.set(xlabel="inner step size alpha", ylabel="norm of the remainder")
        figure_style.legend([axis])


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
    with figure_style.figure(path, height=2.7) as [axis]:
        angle = np.linspace(0, 2 * np.pi, 500)
        circle = np.stack([np.cos(angle), np.sin(angle)], -1)
        for i, radius in enumerate(circles.radii):
            curve = circles.centres[i] + radius * circle
            look = figure_style.line(i) | {"marker": "", "lw": 1.6}
            axis.plot(*curve.T, **look, label=f"$W^*_{i + 1}$")
        for before, end in zip(phis[:-1], adapted, strict=True):
            steps = np.stack([before, end])
            axis.plot(*steps.T, color="0.8", lw=0.5, zorder=0)
        axis.plot(*adapted.T, ".", color="0.6", ms=2.5, label=r"$\tilde W$")
        axis.plot(*phis.T, "k.-", lw=0.5, ms=2.5, label=r"$\phi$")
        axis.plot(*phis[0], "ko", mfc="white", label=r"start of $\phi$")
        label = "least mean squared distance"
        [cross] = axis.plot(*nearest, "+", ms=9, mew=1.5, label=label, zorder=3)
        cross.set_color(figure_style.COLORS[6])
        seen = np.concatenate([phis, adapted])
        low, high = seen.min(0) - 0.6, seen.max(0) + 0.6
        axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        axis.set(xlabel="$w_1$", ylabel="$w_2$", aspect="equal")
        figure_style.legend([axis])


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
    with figure_style.figure(path, 2) as (left, right):
        for i, (name, rows) in enumerate(measures.items()):
            columns = {key: [row[key] for row in rows] for key in rows[0]}
            iterations = columns["outer_iteration"]
            look = figure_style.line(i) | {"label": name}
            left.errorbar(
                *(iterations, columns["distance"], columns["ci95"]),
                capsize=2,
                elinewidth=0.8,
                **look,
            )
            right.plot(iterations, columns["loss"], **look)
        for axis in (left, right):
            # Iteration 0 has a place too, left of the logarithmic part.
            axis.set_xscale("symlog", linthresh=1)
            axis.set_xlabel("outer iteration")
        left.set_ylim(bottom=0)
        left.set_ylabel("distance")
        tasks = next(iter(measures.values()))[0].get("num_tasks")
        on = f", {tasks} waves" if tasks else ""
        figure_style.title(left, rf"$|\phi - W|$, 95% intervals{on}")
        right.set(yscale="log", ylabel="loss")
        figure_style.title(right, "Loss of $W$ on the support set")
        figure_style.legend([left, right])


def redraw(results: pathlib.Path) -> None:
    """Draws anew what of both sections is kept as numbers."""
    if (kept := results / "expansion" / "expansion.json").exists():
        entries = json.loads(kept.read_text())["expansions"]
        remainders(entries, kept.with_name("expansion.png"))
    if (kept := results / "manifolds" / "manifolds.json").exists():
        measures = json.loads(kept.read_text())["sine"]
        solution_distance(measures, kept.with_name("distances.png"))
