"""Results kept in the repository: what is copied of a run."""

import json
import pathlib
import shutil

from reptile_tf.experiments import plots
from reptile_tf.utils.files import write_json

KEPT = (
    *("config.json", "history.csv", "sine.json"),
    *("evaluation.json", "export_evaluation.json"),
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
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*KEPT, *PICTURES):
        if (run_dir / name).exists():
            shutil.copy(run_dir / name, folder / name)
    config = json.loads((folder / "config.json").read_text())
    for name in ("data_dir", "expected", "running_time"):  # no settings
        config.pop(name, None)
    write_json(folder / "config.json", config)
    if learner:
        newest = max((run_dir / "checkpoints").glob("iteration-*.zip"))
        shutil.copy(newest, folder / "learner.zip")
    plots.learning_curve(folder / "history.csv", folder / "learning_curve.png")
