"""Results kept in the repository: what of a run, and pictures of them."""

import pathlib
import shutil

from reptile_tf.experiments import (
    config_file,
    plots,
    run_pictures,
    seed_scores,
    seeds_file,
)
from reptile_tf.experiments.epoch_log import has_epochs, read_history
from reptile_tf.experiments.presets import ALGORITHM_RUNS, FIGURE_3
from reptile_tf.utils.files import whole_file, write_json

KEPT = (
    *("config.json", "classes.json", "history.csv", "sine.json"),
    *("evaluation.json", "evaluation_validation.json"),
    *("evaluation_train.json", "export_evaluation.json"),
)
PICTURES = ("sine.png", "task.png")


def keep(
    run_dir: pathlib.Path, folder: pathlib.Path, learner: bool = True
) -> None:
    """Copies a run's settings, numbers and pictures.

    Args:
        run_dir: the run folder.
        folder: where to copy them.
        learner: whether to copy the newest learner too.

    Raises:
        ValueError: the run folder holds no whole run; or several seeds are
            kept there.
    """
    require_place(folder, several=False)
    config = config_file.read(run_dir / config_file.NAME)
    checkpoints = sorted((run_dir / "checkpoints").glob("iteration-*.zip"))
    if learner and not checkpoints:
        raise ValueError(f"run_dir={run_dir} has no checkpoint yet; train it")
    read_history(run_dir / "history.csv")
    for name in (*KEPT, *PICTURES):
        if (run_dir / name).exists():
            _copy(run_dir / name, folder / name)
    # These are no settings, but places and words.
    for name in ("data_dir", "manual_dir", "expected", "running_time"):
        config.pop(name, None)
    write_json(folder / "config.json", config)
    if learner:
        _copy(checkpoints[-1], folder / "learner.zip")
    plots.learning_curve(folder / "history.csv", folder / "learning_curve.png")


def keep_seeds(run_dir: pathlib.Path, folder: pathlib.Path) -> None:
    """Copies a folder of seeds: of each run what `keep` does, but the learner.

    Args:
        run_dir: the folder.
        folder: where to copy it.

    Raises:
        ValueError: not all of its seeds are evaluated, or it holds no whole
            run; or one run is kept there.
    """
    require_place(folder, several=True)
    evaluations = seed_scores.of_all_seeds(run_dir)
    if not evaluations:
        raise ValueError(
            f"run_dir={run_dir} is not evaluated yet with all of its seeds; "
            "evaluate it"
        )
    for run in seeds_file.run_folders(run_dir):
        keep(run, folder / run.name, learner=False)
    for path in (run_dir / seeds_file.NAME, *evaluations):
        _copy(path, folder / path.name)
    run_pictures.of_seeds(folder)


def require_place(
    folder: pathlib.Path, several: bool, flag: str = "--name"
) -> None:
    """Refuses to keep one run where several seeds are kept, and vice versa.

    Args:
        folder: where to keep.
        several: whether several seeds are to be kept.
        flag: that chooses the folder.

    Raises:
        ValueError: there is something of the other kind.
    """
    if several and (folder / config_file.NAME).exists():
        there, other = "one run", "several seeds"
    elif not several and seeds_file.held(folder):
        there, other = "several seeds", "one run"
    else:
        return
    raise ValueError(
        f"{folder} keeps {there}; use another {flag} to keep {other}"
    )


def _copy(path: pathlib.Path, to: pathlib.Path) -> None:
    with whole_file(to) as part:
        shutil.copyfile(path, part)


def redraw(results: pathlib.Path) -> None:
    """Draws the learning curves, and the comparisons, of all that is kept."""
    for history in results.rglob("history.csv"):
        under_way = history.with_name("checkpoints").exists()
        if under_way or not has_epochs(history.parent):
            continue  # it is no result yet
        plots.learning_curve(history, history.with_name("learning_curve.png"))
    for path in results.rglob(seeds_file.NAME):
        run_pictures.of_seeds(path.parent)
    if (figure3 := results / "figure3").is_dir():
        runs = [figure3 / name for name in FIGURE_3]
        run_pictures.curves_together(runs, figure3 / "figure3.png")
    if (algorithms := results / "algorithms").is_dir():
        run_pictures.curves_together(
            [algorithms / name for name in ALGORITHM_RUNS],
            algorithms / "algorithms.png",
            by_example_gradients=True,
        )
