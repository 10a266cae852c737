"""Pictures of a search, drawn from its log."""

import os
import pathlib
from collections.abc import Sequence

from reptile_tf.experiments import figure_style
from reptile_tf.experiments.words import spoken
from reptile_tf.search.search_log import SearchLog
from reptile_tf.search.search_settings import SearchSettings
from reptile_tf.search.space import Range, Space
from reptile_tf.search.trials import PRUNED, History, Result, Trial, better
from reptile_tf.utils.extras import extra

with extra("plots"):
    from matplotlib.axes import Axes
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

BEST, SETTINGS, SPREAD = "best_so_far", "settings", "spread"
_ORANGE, _RED = figure_style.COLORS[1], figure_style.COLORS[6]


def draw(
    search: str | os.PathLike,
    folder: str | os.PathLike,
    kind: str = "png",
    width: float = figure_style.COLUMN,
) -> list[pathlib.Path]:
    """Draws all pictures of a search, and returns their paths.

    Args:
        search: the search's folder.
        folder: where the pictures go.
        kind: of the files, one of `figure_style.FORMATS`.
        width: of the pictures, in inches.

    Raises:
        ValueError: there is no result yet, or the log is damaged.
    """
    entries = SearchLog(search).read()
    history = History(entries)
    if not history.results:
        raise ValueError(f"run_dir={search} has no trial with a result yet")
    settings, folder = SearchSettings.of(entries[0]), pathlib.Path(folder)
    drawn = [folder / f"{name}.{kind}" for name in (BEST, SETTINGS, SPREAD)]
    best_so_far(settings, history, drawn[0], width)
    settings_and_scores(settings, history, drawn[1], width)
    if not any(each.spread for each in history.generations[2:]):
        return drawn[:2]
    spread(history, drawn[2], width)
    return drawn


def best_so_far(
    settings: SearchSettings,
    history: History,
    path: str | os.PathLike,
    width: float = figure_style.COLUMN,
) -> None:
    """Draws each trial's score, and the best of those up to it.

    Args:
        settings: of the search.
        history: what was tried and found, at least one trial.
        path: of the picture, of a suffix in `figure_style.FORMATS`.
        width: of the picture, in inches.
    """
    done = history.done()
    numbers = [trial.number for trial, _ in done]
    with figure_style.figure(path, width=width, height=2.2) as [axis]:
        for each in history.generations[1::2]:
            ends = each.trials[0].number - 0.5, each.trials[-1].number + 0.5
            axis.axvspan(*ends, color="0.95", zorder=0)
        _scores(axis, settings, done, numbers)
        _best_line(axis, settings, done)
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
        axis.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        _finish(axis, settings)
        figure_style.legend([axis], _title(settings))


def _best_line(
    axis: Axes, settings: SearchSettings, done: list[tuple[Trial, Result]]
) -> None:
    """Draws the best of all trials up to each."""
    best: tuple[list[float], list[float]] = [], []
    for trial, result in done:
        if result.score is None:
            continue
        values = [*best[1][-1:], result.score.value]
        best[0].append(trial.number)
        best[1].append(max(values, key=lambda x: better(settings.metric, x)))
    if best[0]:
        end = done[-1][0].number + 0.5
        axis.step(
            [*best[0], end],
            [*best[1], best[1][-1]],
            where="post",
            color=_ORANGE,
            label="best so far",
        )


def settings_and_scores(
    settings: SearchSettings,
    history: History,
    path: str | os.PathLike,
    width: float = figure_style.COLUMN,
) -> None:
    """Draws each setting that was searched against the score.

    Args:
        settings: of the search.
        history: what was tried and found, at least one trial.
        path: of the picture, of a suffix in `figure_style.FORMATS`.
        width: of the picture, in inches.
    """
    ranges, done = Space.parse(settings.space).ranges, history.done()
    with figure_style.figure(
        path, len(ranges), width=width, height=1.5, least=1.5, sharey=True
    ) as axes:
        for axis, each in zip(axes, ranges, strict=True):
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
            spec = axis.get_subplotspec()
            if spec is not None and not spec.is_first_col():
                axis.set_ylabel("")
        figure_style.legend(axes, _title(settings))


def _lay_out(axis: Axes, each: Range) -> None:
    """Gives an axis a setting's whole range, also what was not tried of it."""
    axis.set_xlabel(spoken(each.name))
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
    axis.xaxis.set_major_locator(MaxNLocator(4, integer=whole))


def spread(
    history: History,
    path: str | os.PathLike,
    width: float = figure_style.COLUMN,
) -> None:
    """Draws how CMA-ES's distribution changed.

    Args:
        history: of a search by CMA-ES.
        path: of the picture, of a suffix in `figure_style.FORMATS`.
        width: of the picture, in inches.
    """
    numbers = range(1, len(history.generations))
    spreads = [each.spread for each in history.generations[1:]]
    with figure_style.figure(path, 2, width=width, height=1.5) as axes:
        for axis, name, title in (
            (axes[0], "sigma", "Sigma, as a fraction of each range"),
            (axes[1], "axis_ratio", "Longest axis over the shortest"),
        ):
            values = [each[name] for each in spreads]
            axis.plot(numbers, values, **figure_style.line(0))
            figure_style.title(axis, title)
            axis.set_xlabel("generation")
            axis.set_ylim(0, 1.15 * max(values))
            axis.xaxis.set_major_locator(MaxNLocator(10, integer=True))


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
        low, high = figure_style.ends(y, ci95, settings.metric)
        around = [y - low, high - y]
        axis.errorbar(x, y, around, fmt="none", elinewidth=0.6, ecolor="0.6")
        axis.scatter(
            x,
            y,
            9,
            generation,
            cmap="viridis_r",
            vmin=-0.4 * max(*generation, 1),  # its yellow is too light
            zorder=3,
            label="finished, with its 95% interval (later ones darker)",
        )
        best = max(finished, key=lambda each: better(settings.metric, each[1]))
        axis.plot(
            *best[:2],
            "o",
            markersize=7,
            markerfacecolor="none",
            color=_ORANGE,
            label="the best",
        )
    if pruned:
        axis.plot(
            *zip(*pruned, strict=True),
            "v",
            markersize=4,
            markerfacecolor="none",
            color="0.5",
            label="stopped early, as it was then",
        )
    if valueless:  # at the edge where the bad ones are
        edge = 0.03 if figure_style.is_share(settings.metric) else 0.97
        axis.plot(
            valueless,
            [edge] * len(valueless),
            "x",
            color=_RED,
            transform=axis.get_xaxis_transform(),
            label="diverged or failed, without a value",
        )


def _finish(axis: Axes, settings: SearchSettings) -> None:
    axis.set_ylabel(spoken(settings.metric))
    if figure_style.is_share(settings.metric):
        figure_style.percent(axis)


def _title(settings: SearchSettings) -> str:
    by = {"cma": "by CMA-ES", "random": "at random"}[settings.method]
    return (
        f"{settings.preset.dataset}, searched {by}: "
        f"{settings.num_tasks} validation tasks "
        f"(mode {spoken(settings.mode)}) after "
        f"{settings.trial_iterations:,} outer iterations"
    )
