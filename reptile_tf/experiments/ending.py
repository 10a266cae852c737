"""What a training leaves and tells when it ends."""

import os
import pathlib
import shlex

from reptile_tf.experiments import curves, seeds_file
from reptile_tf.experiments.epoch_log import NAME, has_epochs
from reptile_tf.training import score

PICTURE = "learning_curve.png"


def told(folder: str | os.PathLike, seconds: float) -> list[str]:
    """Draws the learning curve of a run that has ended; returns what to say.

    The lines have the last accuracies along the way with their 95% intervals,
    the time, where the picture is, and the next command to try.

    Args:
        folder: of the run, or of the runs of several seeds.
        seconds: that the command took.
    """
    lines = [f"This command took {duration(seconds)}."]
    runs = seeds_file.run_folders(pathlib.Path(folder))
    for run in runs:
        if has_epochs(run):
            lines += [f"{run.name}:"] if len(runs) > 1 else []
            lines += _accuracies(curves.read(run / NAME))
            lines.append(_drawn(run))
    command = f"reptile-tf evaluate --run_dir={shlex.quote(str(folder))}"
    return [*lines, f"Next: {command}"]


def _accuracies(found: curves.Curves) -> list[str]:
    scores = found.last_scores()
    if not scores:
        return []
    what = f"after {found.made[-1]:,.0f} outer iterations"
    return [f"On {found.tasks} {what}:", score.table(scores)]


def _drawn(run: pathlib.Path) -> str:
    """Draws the learning curve; returns a line that tells of it."""
    path = run / PICTURE
    try:
        from reptile_tf.experiments import plots
    except ModuleNotFoundError as error:
        return f"There is no {PICTURE}: {error}"
    plots.learning_curve(run / NAME, path)
    return f"Look at {path}"


def duration(seconds: float) -> str:
    """Returns a time in words.

    >>> duration(45.2), duration(200), duration(7510)
    ('45 s', '3 min 20 s', '2 h 5 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
