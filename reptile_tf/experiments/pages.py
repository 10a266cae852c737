"""The tables of the documentation, made from the results that are kept."""

import functools
import itertools
import json
import math
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from reptile_tf.experiments import (
    config_file,
    paper_pages,
    seed_scores,
    seeds_file,
    speed_pages,
)
from reptile_tf.experiments.markdown import table_of
from reptile_tf.experiments.preset import DEFAULTS, SETTINGS, renamed
from reptile_tf.training.score import read_entries
from reptile_tf.training.settings import EVALUATION_MODES


def fill(page: str, results: pathlib.Path) -> str:
    """Returns a Markdown page with its tables made anew from what is kept.

    A table lies between the lines `<!-- NAME: made by reptile-tf record -->`
    and `<!-- end -->`, NAME being one of `TABLES`.
    """

    def table(match):
        start, name, end = match.groups()
        lines = TABLES[name](results) or ["Nothing has been kept yet."]
        return "\n".join([start, *lines, end])

    return _PLACE.sub(table, page)


_PLACE = re.compile(
    r"(<!-- (\w+): made by reptile-tf record -->)\n.*?(<!-- end -->)", re.DOTALL
)


def accuracies(results: pathlib.Path, name: str = "*") -> list[str]:
    """Returns a table with a line for each evaluation of each run kept.

    A folder of seeds has a line for each mean over its seeds.

    Args:
        results: where they are kept.
        name: of the one whose lines are wanted; all if not given.
    """
    rows = []
    for path in sorted(results.glob(f"{name}/evaluation*.json")):
        run = seeds_file.run_folders(path.parent)[0]
        config = config_file.read(run / "config.json")
        rows += [
            [
                path.parent.name,
                _task_size(entry),
                f"{entry['outer_iterations']:,} of "
                f"{config['outer_iterations']:,}",
                entry["split"],
                entry["mode"],
                _accuracy(entry),
                f"{entry['num_tasks']:,}",
                _seeds(entry),
            ]
            for entry in read_entries(path)
            if "accuracy" in entry
        ]
    head = "Run, Task, Outer iterations, Classes, Evaluation mode"
    return table_of(
        [*head.split(", "), "Accuracy ± 95%", "Tasks", "Seed"], rows
    )


def _accuracy(entry: Mapping[str, Any]) -> str:
    """Returns an accuracy with its interval; of several seeds with both."""
    if "ci95" in entry:
        return f"{entry['accuracy']:.2%} ± {entry['ci95']:.2%}"
    over_seeds = entry["ci95_over_seeds"]
    mean = f"{entry['accuracy']:.2%}"
    if over_seeds is not None:
        mean += f" ± {over_seeds:.2%} over seeds,"
    return f"{mean} ± {entry['ci95_over_tasks']:.2%} over tasks"


def _seeds(entry: dict) -> str:
    return seeds_file.told(entry.get("seeds", [entry.get("seed")]))


def _task_size(entry: dict) -> str:
    if "max_ways" in entry:
        return f"{entry['ways']} to {entry['max_ways']} ways, shots vary"
    return f"{entry['ways']}-way {entry['shots']}-shot"


def sine(results: pathlib.Path) -> list[str]:
    """Returns the mean squared errors on sine waves (Figure 1)."""
    path = results / "sine" / "sine.json"
    if not path.exists():
        return []
    entries = read_entries(path)
    rows: dict[str, dict[str, str]] = {}
    for entry in entries:
        row = rows.setdefault(entry["initialization"], {})
        value, ci95 = entry["mean_squared_error"], entry["ci95"]
        steps = entry["steps"]
        row[f"{steps} step{'s' * (steps != 1)}"] = f"{value:.2f} ± {ci95:.2f}"
    num_tasks = f"{entries[0]['num_tasks']:,}"
    head = f"Initialization (error ± 95%, {num_tasks} waves)"
    columns = next(iter(rows.values()))
    return table_of(
        [head, *columns], [[name, *row.values()] for name, row in rows.items()]
    )


def figure3(results: pathlib.Path) -> list[str]:
    """Returns the last accuracies of Figure 3's curves, best first."""
    rows, numbers = [], set()
    for path in results.glob("figure3/*/evaluation.json"):
        entries = read_entries(path)
        numbers |= {f"{entry['num_tasks']:,}" for entry in entries}
        rows.append([f"`{path.parent.name}`", *map(_accuracy, entries)])
    head = [f"Curve (accuracy ± 95%, {' or '.join(sorted(numbers))} tasks)"]
    rows.sort(key=lambda row: row[1], reverse=True)
    return table_of(head + list(EVALUATION_MODES), rows)


# What the paper's Figure 3 shows: the better curve, and the other one.
_ORDER = {
    "g1 alone fails": ("g2", "g1"),
    "three mini-batches beat two": ("g1+g2+g3", "g1+g2"),
    "four beat three": ("g1+g2+g3+g4", "g1+g2+g3"),
    "the sum of three beats the last": ("g1+g2+g3", "g3"),
    "the sum of four beats the last": ("g1+g2+g3+g4", "g4"),
    "two-step FOMAML is ahead of Reptile": ("g2", "g1+g2"),
}


def order(results: pathlib.Path) -> list[str]:
    """Returns which of Figure 3's orders come out, and by how much."""
    found = {}
    for path in results.glob("figure3/*/evaluation.json"):
        entries = read_entries(path)
        found[path.parent.name] = {e["mode"]: e for e in entries}
    modes = "transductive", "support_and_query"
    rows = []
    for claim, (better, other) in _ORDER.items():
        if not {better, other} <= found.keys():
            continue
        row = [claim, f"`{better}` - `{other}`"]
        for mode in modes:
            a, b = found[better][mode], found[other][mode]
            ahead = a["accuracy"] - b["accuracy"]
            ci95 = math.hypot(a["ci95"], b["ci95"])
            holds = "yes" if ahead > ci95 else "no"
            verdict = holds if abs(ahead) > ci95 else "cannot be told"
            row.append(f"{ahead:+.2%} ± {ci95:.2%}: {verdict}")
        rows.append(row)
    return table_of(["The paper's order", "Difference ± 95%", *modes], rows)


def algorithms(results: pathlib.Path) -> list[str]:
    """Returns MAML, FOMAML and Reptile beside each other, and their cost."""
    measured = results / "benchmarks" / "meta_gradients.json"
    costs = {}
    if measured.exists():
        costs = json.loads(measured.read_text()).get("algorithms", {})
    rows = []
    names = "evaluation.json", seed_scores.file_of("test")
    found = [results.glob(f"algorithms/*/{name}") for name in names]
    for path in sorted(itertools.chain(*found)):
        name, entries = path.parent.name, read_entries(path)
        cost = costs.get(name, {})
        rows.append(
            [name, f"{entries[0]['outer_iterations']:,}"]
            + list(map(_accuracy, entries))
            + [f"{entries[0]['num_tasks']:,}", _seeds(entries[0])]
            + [str(cost.get(key, "")) for key in ("median_ms", "peak_mb")]
        )
    head = ["Run (accuracy ± 95%)", "Outer iterations", *EVALUATION_MODES]
    return table_of(
        [*head, "Tasks", "Seed", "ms a training task", "Peak MB"], rows
    )


def exports(results: pathlib.Path) -> list[str]:
    """Returns how exported models do beside the runs they were made of."""
    rows = []
    for path in sorted(results.glob("*/export_evaluation.json")):
        entries = read_entries(path)
        for mode in dict.fromkeys(e["mode"] for e in entries):
            own = {e["learner"]: e for e in entries if e["mode"] == mode}
            rows.append(
                [path.parent.name, mode]
                + [
                    f"{own[x]['accuracy']:.2%} ± {own[x]['ci95']:.2%}"
                    for x in ("export", "run")
                ]
                + [f"{own['run']['num_tasks']:,}"]
            )
    head = "Run, Evaluation mode, Accuracy ± 95% of the export, of the run"
    return table_of([*head.split(", "), "Tasks, the same for both"], rows)


def searched_settings(results: pathlib.Path) -> list[str]:
    """Returns the settings that searches found, beside the preset's."""
    configs = {
        path.parents[1].name: DEFAULTS | renamed(config_file.read(path))
        for path in sorted(results.glob("search/finals/*/seed-0/config.json"))
    }
    differ = [
        field.name
        for field in SETTINGS
        if len({config.get(field.name) for config in configs.values()}) > 1
    ]
    rows = [
        [name, *(_number(config[key]) for key in differ)]
        for name, config in configs.items()
    ]
    return table_of(["Settings", *(f"`{key}`" for key in differ)], rows)


def _number(value: Any) -> str:
    return f"{value:g}" if type(value) in (int, float) else str(value)


def searched(results: pathlib.Path) -> list[str]:
    """Returns the accuracies of what searches found, over several seeds."""
    rows = []
    name = seed_scores.file_of("test")
    for path in sorted(results.glob(f"search/finals/*/{name}")):
        rows += [
            [
                path.parent.name,
                entry["mode"],
                _seeds(entry),
                ", ".join(map(_accuracy, entry["of_each"])),
                _accuracy(entry),
                f"{entry['num_tasks']:,}",
            ]
            for entry in seed_scores.read(path)
        ]
    head = "Settings, Evaluation mode, Seeds, Accuracy ± 95% of each seed"
    return table_of([*head.split(", "), "Mean ± 95%", "Tasks of each"], rows)


TABLES = {
    "beside_the_paper": functools.partial(
        paper_pages.beside_the_paper, told=_accuracy
    ),
    "searched": searched,
    "searched_settings": searched_settings,
    "accuracies": accuracies,
    "glyphs": functools.partial(accuracies, name="glyphs"),
    "sine": sine,
    "figure3": figure3,
    "order": order,
    "algorithms": algorithms,
    "exports": exports,
} | speed_pages.TABLES
