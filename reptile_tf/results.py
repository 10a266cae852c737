"""Results kept in the repository: what is copied, and how tables show it."""

import json
import pathlib
import shutil

from reptile_tf import plots

KEPT = (
    *("config.json", "history.csv", "sine.json"),
    *("evaluation.json", "export_evaluation.json"),
)
PICTURES = ("sine.png", "task.png")


def keep(run_dir: pathlib.Path, folder: pathlib.Path):
    """Copies a run's settings, numbers, pictures and newest learner."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*KEPT, *PICTURES):
        if (run_dir / name).exists():
            shutil.copy(run_dir / name, folder / name)
    config = json.loads((folder / "config.json").read_text())
    for name in ("data_dir", "expected", "running_time"):  # no settings
        config.pop(name)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    newest = max((run_dir / "checkpoints").glob("iteration-*.zip"))
    shutil.copy(newest, folder / "learner.zip")
    plots.learning_curve(folder / "history.csv", folder / "learning_curve.png")


def rows(folder: pathlib.Path):
    """Yields a table's row for each evaluation of a result."""
    config = json.loads((folder / "config.json").read_text())
    for entry in json.loads((folder / "evaluation.json").read_text()):
        if "accuracy" not in entry:
            continue
        yield (
            f"| {folder.name} | {entry['ways']}-way {entry['shots']}-shot "
            f"| {entry['outer_iterations']:,} of {config['outer_iterations']:,}"
            f" | {entry['mode']} | {entry['accuracy']:.2%} "
            f"± {entry['ci95']:.2%} | {entry['tasks']:,} | {entry['seed']} |"
        )


def sine_rows(folder: pathlib.Path):
    """Yields a table's row for each measurement on sine waves."""
    for entry in json.loads((folder / "sine.json").read_text()):
        yield (
            f"| {entry['initialization']} | {entry['steps']} "
            f"| {entry['mean_squared_error']:.3f} ± {entry['ci95']:.3f} "
            f"| {entry['tasks']:,} |"
        )


def tables(results: pathlib.Path) -> str:
    """Returns the tables of everything kept, as Markdown."""
    lines = []
    for path in sorted(results.glob("*/evaluation.json")):
        lines += rows(path.parent)
    if lines:
        lines = [
            "| Run | Task | Outer iterations | Evaluation mode | Accuracy, "
            "95% interval | Tasks | Seed |",
            "|---|---|---|---|---|---|---|",
            *lines,
        ]
    for path in sorted(results.glob("*/sine.json")):
        lines += [
            "",
            "| Initialization | Inner steps | Mean squared error on new waves, "
            "95% interval | Waves |",
            "|---|---|---|---|",
            *sine_rows(path.parent),
        ]
    return "\n".join(lines) or "No run has been kept yet."
