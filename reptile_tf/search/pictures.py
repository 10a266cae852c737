"""Pictures of a search, drawn from its log."""

import os
import pathlib
from collections.abc import Sequence

from reptile_tf.experiments.plots import subplots, write_figure
from reptile_tf.search.search_log import SearchLog
from reptile_tf.search.search_settings import SearchSettings
from reptile_tf.search.space import Range, Space
from reptile_tf.search.trials import PRUNED, History, Result, Trial, better
from reptile_tf.utils.extras import extra

with extra("plots"):
    from matplotlib.axes import Axes
    from matplotlib.ticker import (
        LogLocator,
        MaxNLocator,
        NullFormatter,
        PercentFormatter,
    )

BEST, SETTINGS, SPREAD = "best_so_far.png", "settings.png", "spread.png"


def draw(
    search: str | os.PathLike, folder: str | os.PathLike
) -> list[pathlib.Path]:
    """Draws all pictures of a search, and returns their paths.

    Args:
        search: the search's folder.
        folder: where the pictures go.

    Raises:
        ValueError: there is no result yet, or the log is damaged.
    """
    entries = SearchLog(search).read()
    history = History(entries)
    if not history.results:
        raise ValueError(f"run_dir={search} has no trial with a result yet")
    settings, folder = SearchSettings.of(entries[0]), pathlib.Path(folder)
    best_so_far(settings, history, folder / BEST)
    settings_and_scores(settings, history, folder / SETTINGS)
    drawn = [folder / BEST, folder / SETTINGS]
    if any(each.spread for each in history.generations[2:]):
        spread(history, folder / SPREAD)
        drawn.append(folder / SPREAD)
    return drawn


def best_so_far(
    settings: SearchSettings, history: History, path: str | os.PathLike
) -> None:
    """Draws each trial's score, and the best of those up to it.

    Args:
        settings: of the search.
        history: what was tried and found, at least one trial.
        path: of the picture, a PNG.
    """
    figure, axis = subplots(figsize=(8, 4))
    done = history.done()
    numbers = [trial.number for trial, _ in done]
    for each in history.generations[1::2]:
        ends = each.trials[0].number - 0.5, each.trials[-1].number + 0.5
        axis.axvspan(*ends, color="0.95", zorder=0)
    _scores(axis, settings, done, numbers)
    best: tuple[list[int], list[float]] = [], []
    for trial, result in done:
        if result.score is None:
            continue
        values = [*best[1][-1:], result.score.value]
        best[0].append(trial.number)
        best[1].append(max(values, key=lambda x: better(settings.metric, x)))
    if best[0]:
        end = numbers[-1] + 0.5
        axis.step(
            [*best[0], end],
            [*best[1], best[1][-1]],
            where="post",
            color="tab:orange",
            label="best so far",
        )
    own = history.results.get(0)
    if own is not None and own.score is not None:
        axis.axhline(
            own.score.value,
            color="0.4",
            linestyle=":",
            label="the preset (trial 0)",
        )
    axis.set_xlabel("trial (each stripe is a generation)")
    axis.set_xlim(-0.5, numbers[-1] + 0.5)
    axis.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    _finish(axis, settings)
    _legend(axis)
    axis.set_title(_title(settings), fontsize=10)
    write_figure(figure, path)


def settings_and_scores(
    settings: SearchSettings, history: History, path: str | os.PathLike
) -> None:
    """Draws each setting that was searched against the score.

    Args:
        settings: of the search.
        history: what was tried and found, at least one trial.
        path: of the picture, a PNG.
    """
    ranges, done = Space.parse(settings.space).ranges, history.done()
    columns = min(len(ranges), 4)
    rows = -(-len(ranges) // columns)
    figure, axes = subplots(
        rows,
        columns,
        sharey=True,
        squeeze=False,
        figsize=(1.5 + 2.9 * columns, 0.8 + 2.9 * rows),
    )
    for axis in axes.flat[len(ranges) :]:
        axis.axis("off")
    for axis, each in zip(axes.flat, ranges, strict=False):
        places = [trial.values[each.name] for trial, _ in done]
        _scores(axis, settings, done, places)
        axis.axvline(
            getattr(settings.preset, each.name),
            color="0.6",
            linestyle=":",
            label="the preset's value",
            zorder=0,
        )
        _finish(axis, settings)
        _lay_out(axis, each)
    for axis in axes[:, 1:].flat:
        axis.set_ylabel("")
    _legend(axes.flat[len(ranges) - 1])
    figure.suptitle(_title(settings), fontsize=10)
    write_figure(figure, path)


def _lay_out(axis: Axes, each: Range) -> None:
    """Gives an axis a setting's whole range, also what was not tried of it."""
    axis.set_xlabel(each.name)
    if each.scale == "log":
        few = (1.0, 2.0, 5.0) if each.high < 30 * each.low else (1.0,)
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=few))
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.xaxis.set_minor_formatter(NullFormatter())
        margin = (each.high / each.low) ** 0.04
        axis.set_xlim(each.low / margin, each.high * margin)
        return
    margin = 0.04 * (each.high - each.low)
    axis.set_xlim(each.low - margin, each.high + margin)
    whole = each.scale == "int"
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=whole))


def spread(history: History, path: str | os.PathLike) -> None:
    """Draws how CMA-ES's distribution changed.

    Args:
        history: of a search by CMA-ES.
        path: of the picture, a PNG.
    """
    figure, (left, right) = subplots(1, 2, figsize=(8, 3.4))
    numbers = range(1, len(history.generations))
    spreads = [each.spread for each in history.generations[1:]]
    for axis, name, title in (
        (left, "sigma", "Sigma, as a fraction of each range"),
        (right, "axis_ratio", "Longest axis over the shortest"),
    ):
        values = [each[name] for each in spreads]
        axis.plot(numbers, values, ".-")
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("generation")
        axis.set_ylim(0, 1.15 * max(values))
        axis.xaxis.set_major_locator(MaxNLocator(10, integer=True))
        axis.grid(alpha=0.3)
    figure.suptitle("The distribution that CMA-ES draws from", fontsize=10)
    write_figure(figure, path)


def _scores(
    axis: Axes,
    settings: SearchSettings,
    done: list[tuple[Trial, Result]],
    places: Sequence[float],
) -> None:
    """Draws what became of trials at the places of an axis."""
    finished, pruned, valueless = [], [], []
    for (trial, result), place in zip(done, places, strict=True):
        if result.score is not None:
            score = result.score
            finished.append((place, score.value, score.ci95, trial.generation))
        elif result.state == PRUNED:
            pruned.append((place, result.reports[-1].value))
        else:
            valueless.append(place)
    if finished:
        x, y, ci95, generation = zip(*finished, strict=True)
        axis.errorbar(x, y, ci95, fmt="none", elinewidth=0.8, ecolor="0.6")
        axis.scatter(
            x,
            y,
            20,
            generation,
            cmap="viridis_r",
            zorder=3,
            label="finished, with its 95% interval\n(the later, the darker)",
        )
        best = max(finished, key=lambda each: better(settings.metric, each[1]))
        axis.plot(
            *best[:2],
            "o",
            markersize=10,
            markerfacecolor="none",
            color="tab:orange",
            label="the best",
        )
    if pruned:
        axis.plot(
            *zip(*pruned, strict=True),
            "v",
            markersize=5,
            markerfacecolor="none",
            color="0.5",
            label="stopped early, as it was then",
        )
    if valueless:  # at the edge where the bad ones are
        edge = 0.03 if "accuracy" in settings.metric else 0.97
        axis.plot(
            valueless,
            [edge] * len(valueless),
            "x",
            color="tab:red",
            transform=axis.get_xaxis_transform(),
            label="diverged or failed, without a value",
        )


def _finish(axis: Axes, settings: SearchSettings) -> None:
    axis.set_ylabel(settings.metric.replace("_", " "))
    if "accuracy" in settings.metric:
        axis.yaxis.set_major_formatter(PercentFormatter(1))
    axis.grid(alpha=0.3)


def _legend(axis: Axes) -> None:
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))


def _title(settings: SearchSettings) -> str:
    by = {"cma": "by CMA-ES", "random": "at random"}[settings.method]
    return (
        f"{settings.preset.dataset}, searched {by}: "
        f"{settings.num_tasks} validation tasks (mode {settings.mode}) after "
        f"{settings.trial_iterations:,} outer iterations"
    )
