"""How all figures look: one column wide, and legible there, also in grey."""

import contextlib
import io
import os
import pathlib
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from reptile_tf.utils.extras import extra
from reptile_tf.utils.files import whole_file

with extra("plots"):
    from matplotlib import style
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter

_Path = str | os.PathLike

COLUMN = 3.3  # the width of a column of a paper, in inches
FORMATS = "png", "pdf", "svg"

_STYLE: dict[str, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.title_fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 2.8,
    "legend.borderaxespad": 0.2,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.linewidth": 0.5,
    "grid.alpha": 0.3,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,  # as fonts that journals take and editors can edit
    "svg.hashsalt": "reptile_tf",  # or two drawings would differ
}
# Neither may a picture tell when, or with which version, it was drawn.
_METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
}

# Okabe and Ito's colours but their yellow, which is too light for a line.
# Neighbours are of different lightness, for whoever prints in grey.
COLORS = (
    *("#0072B2", "#E69F00", "#000000", "#CC79A7"),
    *("#009E73", "#56B4E9", "#D55E00"),
)
_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))
MARKERS = "osD^vPX<>*"


@contextlib.contextmanager
def sheet(
    path: _Path,
    width: float,
    height: float,
    layout: Literal["constrained"] | None = None,
) -> Iterator[Figure]:
    """Yields a new figure, which is written to `path` at the end.

    Nothing is shown on a screen: pyplot would choose a backend for the whole
    process, and inline figures would vanish from the user's notebook.

    Args:
        path: of the picture, whole or not at all; its suffix, one of
            `FORMATS`, says of which format.
        width: of the figure, in inches.
        height: of the figure, in inches.
        layout: as of `matplotlib.figure.Figure`.
    """
    # What a matplotlibrc of the user says is not of these figures.
    with style.context(["default", _STYLE]):
        drawn = Figure(figsize=(width, height), layout=layout)
        yield drawn
        kind, buffer = pathlib.Path(path).suffix[1:], io.BytesIO()
        drawn.savefig(buffer, format=kind, metadata=_METADATA.get(kind))
    with whole_file(path) as part:
        part.write_bytes(buffer.getvalue())


@contextlib.contextmanager
def figure(
    path: _Path,
    panels: int = 1,
    *,
    width: float = COLUMN,
    height: float = 1.8,
    least: float = 2.6,
    **settings: Any,
) -> Iterator[list[Axes]]:
    """Yields the axes of a new figure, which is written to `path` at the end.

    Args:
        path: as of `sheet`.
        panels: the number of axes.
        width: of the figure, in inches.
        height: of a panel, in inches.
        least: width of a panel, in inches; as many as have it are put beside
            one another.
        **settings: of `Figure.subplots`.
    """
    columns = max(1, min(panels, int(width / least)))
    rows = -(-panels // columns)
    with sheet(path, width, rows * height, "constrained") as drawn:
        axes = drawn.subplots(rows, columns, squeeze=False, **settings)
        for empty in axes.flat[panels:]:
            empty.remove()
        yield list(axes.flat[:panels])


def line(index: int, points: int = 1) -> dict[str, Any]:
    """Returns the look of one line among several, as settings of `plot`.

    Colours, dashes and markers repeat after different numbers of lines, so
    that no two of the first hundred are alike.

    Args:
        index: of the line, from 0.
        points: of the line; of many some get a marker, and each line others.
    """
    every = -(-points // 6)
    return {
        "color": COLORS[index % len(COLORS)],
        "linestyle": _DASHES[index % len(_DASHES)],
        "marker": MARKERS[index % len(MARKERS)],
        "markevery": (index % every, every),
        "clip_on": False,  # or a marker at the edge would be cut in half
    }


def band(
    axis: Axes, x: np.ndarray, low: np.ndarray, high: np.ndarray, color: str
) -> None:
    """Draws the intervals along a line, or that of one point.

    Args:
        axis: to draw on.
        x: of the points.
        low: ends of the intervals.
        high: their other ends.
        color: of the line.
    """
    if len(x) == 1:  # whose area would be empty
        axis.vlines(x, low, high, color=color, linewidth=1)
    else:
        axis.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)


def ends(
    values: Sequence[float] | np.ndarray,
    ci95: Sequence[float] | np.ndarray,
    metric: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns both ends of intervals; of an accuracy they are in [0, 1]."""
    values, ci95 = np.asarray(values), np.asarray(ci95)
    low, high = values - ci95, values + ci95
    if is_share(metric):
        low, high = np.clip(low, 0, 1), np.clip(high, 0, 1)
    return low, high


def is_share(metric: str) -> bool:
    """Returns whether a metric is one between 0 and 100%."""
    return "accuracy" in metric


def percent(axis: Axes, which: str = "y") -> None:
    """Has an axis say percent, and end at 0 and at 100%."""
    low, high = getattr(axis, f"get_{which}lim")()
    getattr(axis, f"set_{which}lim")(max(low, 0), min(high, 1))
    ticks = getattr(axis, f"{which}axis")
    ticks.set_major_formatter(PercentFormatter(1))
    ticks.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def counted(axis: Axes, label: str) -> None:
    """Has an x axis count from 0, in large numbers."""
    axis.set_xlabel(label)
    axis.set_xlim(left=0)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    most = 5 if axis.get_xlim()[1] < 1e6 else 4  # for their words have room
    axis.xaxis.set_major_locator(
        MaxNLocator(most, steps=[1, 2, 2.5, 5, 10], integer=True)
    )


def columns_of(axis: Axes) -> int:
    """Returns how many panels are beside one another."""
    spec = axis.get_subplotspec()
    return spec.get_gridspec().ncols if spec else 1


def title(axis: Axes, text: str) -> None:
    """Writes above a panel, in as many lines as its width takes."""
    drawn = axis.get_figure(root=True)
    assert drawn is not None
    room = drawn.get_figwidth() / columns_of(axis) - 0.5  # for the y axis
    axis.set_title("\n".join(textwrap.wrap(text, max(12, int(room * 16.5)))))


def legend(axes: Sequence[Axes], heading: str | None = None) -> None:
    """Puts one legend below the panels, where it covers nothing.

    The figure becomes higher by the legend, which has as many columns as there
    is room for.

    Args:
        axes: the panels; what has the same label in two of them is one entry.
        heading: of the legend.
    """
    entries: dict[str, Artist] = {}
    for axis in axes:
        handles, labels = axis.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
    if not entries:
        return
    drawn = axes[0].get_figure(root=True)
    assert drawn is not None
    canvas, width = FigureCanvasAgg(drawn), drawn.get_figwidth()
    for columns in range(min(len(entries), 4), 0, -1):
        made = drawn.legend(
            list(entries.values()),
            list(entries),
            loc="outside lower center",
            ncols=columns,
            title=heading and textwrap.fill(heading, int(15 * width)),
            columnspacing=1.2,
        )
        box = made.get_window_extent(canvas.get_renderer())
        if box.width <= drawn.bbox.width or columns == 1:
            break
        made.remove()
    drawn.set_figheight(drawn.get_figheight() + box.height / drawn.dpi)
