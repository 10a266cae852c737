"""The table of what runs reached, beside what the paper reports."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from reptile_tf.experiments import config_file, seeds_file
from reptile_tf.experiments.markdown import table_of
from reptile_tf.experiments.preset import (
    DEFAULTS,
    SETTINGS,
    Preset,
    renamed,
)
from reptile_tf.experiments.presets import PRESETS
from reptile_tf.training.score import read_entries

# Tables 1 and 2: (data set, ways, shots) -> algorithm -> mode -> per cent, with
# the paper's interval. MAML's are those that the paper takes from its authors.
_REPORTED = {
    ("omniglot", 5, 1): {
        "reptile": {
            "support_and_query": (95.32, 0.05),
            "transductive": (97.97, 0.08),
        },
        "maml": {"transductive": (98.7, 0.4)},
        "fomaml": {"transductive": (98.3, 0.5)},
    },
    ("omniglot", 5, 5): {
        "reptile": {
            "support_and_query": (98.87, 0.02),
            "transductive": (99.47, 0.04),
        },
        "maml": {"transductive": (99.9, 0.1)},
        "fomaml": {"transductive": (99.2, 0.2)},
    },
    ("omniglot", 20, 1): {
        "reptile": {
            "support_and_query": (88.27, 0.30),
            "transductive": (89.36, 0.20),
        },
        "maml": {"transductive": (95.8, 0.3)},
        "fomaml": {"transductive": (89.4, 0.5)},
    },
    ("omniglot", 20, 5): {
        "reptile": {
            "support_and_query": (97.07, 0.12),
            "transductive": (97.47, 0.10),
        },
        "maml": {"transductive": (98.9, 0.2)},
        "fomaml": {"transductive": (97.9, 0.1)},
    },
    ("mini_imagenet", 5, 1): {
        "reptile": {
            "support_and_query": (45.79, 0.44),
            "transductive": (48.21, 0.69),
        },
        "maml": {"transductive": (48.70, 1.84)},
        "fomaml": {"transductive": (48.07, 1.75)},
    },
    ("mini_imagenet", 5, 5): {
        "reptile": {
            "support_and_query": (61.98, 0.69),
            "transductive": (66.00, 0.62),
        },
        "maml": {"transductive": (63.11, 0.92)},
        "fomaml": {"transductive": (63.15, 0.91)},
    },
}


# Settings that may differ: how long the training was, how its numbers were
# computed, where its data were, and what of the training classes was held out.
_FREE = {
    *("outer_iterations", "meta_batch_mode", "jit_compile", "on_divergence"),
    *("manual_dir", "allow_partial", "validation_classes"),
}


def beside_the_paper(
    results: pathlib.Path, told: Callable[[Mapping[str, Any]], str]
) -> list[str]:
    """Returns a line for each accuracy on test tasks that the paper has, too.

    Args:
        results: where they are kept.
        told: an entry of an evaluation -> its accuracy with the interval.
    """
    rows = []
    for path in sorted(results.glob("*/evaluation*.json")):
        run = seeds_file.run_folders(path.parent)[0]
        config = DEFAULTS | renamed(config_file.read(run / "config.json"))
        for entry in read_entries(path):
            preset, reported = _preset(config), _reported(config, entry)
            if preset is None or reported is None:
                continue
            percent, interval = reported
            rows.append(
                [
                    path.parent.name,
                    entry["mode"],
                    f"{entry['outer_iterations']:,} of "
                    f"{preset.outer_iterations:,}",
                    told(entry),
                    f"{percent:.2f}% ± {interval:.2f}%",
                    f"{100 * entry['accuracy'] - percent:+.2f}",
                    f"{entry['num_tasks']:,}",
                    seeds_file.told(entry.get("seeds", [entry.get("seed")])),
                ]
            )
    head = "Run, Evaluation mode, Outer iterations of the paper's"
    more = "Accuracy ± 95%, In the paper, Difference in points, Tasks, Seed"
    return table_of([*head.split(", "), *more.split(", ")], rows)


def _reported(
    config: Mapping[str, Any], entry: Mapping[str, Any]
) -> tuple[float, float] | None:
    """Returns what the paper reports of a run's settings, mode and tasks."""
    if entry.get("split") != "test" or "accuracy" not in entry:
        return None
    mode = entry["mode"]
    task = config["dataset"], config["ways"], config["shots"]
    # What it reports of 1-shot 5-way tasks with transduction is of settings
    # that were searched for that, Table 5; what without is of others.
    tuned = "Table 5" in config["source"]
    alike = tuned == (mode == "transductive") or task[1:] != (5, 1)
    if config["algorithm"] == "reptile" and not alike:
        return None
    found = _REPORTED.get(task, {}).get(config["algorithm"], {})
    return found.get(mode)


def _preset(config: Mapping[str, Any]) -> Preset | None:
    """Returns the preset whose settings a run has, if there is one."""
    names = [field.name for field in SETTINGS if field.name not in _FREE]
    for preset in PRESETS.values():
        if all(getattr(preset, name) == config.get(name) for name in names):
            return preset
    return None
