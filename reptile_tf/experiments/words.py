"""What runs, algorithms and modes are called where people read of them."""

import math
import pathlib
from collections.abc import Sequence

from reptile_tf.algorithms import GradientCombination, from_name
from reptile_tf.experiments import config_file, seeds_file
from reptile_tf.experiments.preset import of_config

_ALGORITHMS = {
    "reptile": "Reptile",
    "maml": "MAML",
    "fomaml": "FOMAML",
    "fomaml_shared": "FOMAML, shared tail",
    "fomaml_separate": "FOMAML, separate tail",
    "anil": "ANIL",
}


def spoken(name: str) -> str:
    """Returns a name of the code, as of a mode or a setting, as words."""
    return name.replace("_", " ")


def algorithm(name: str) -> str:
    """Returns what an algorithm is called.

    >>> algorithm("1/2,1/2"), algorithm("0,0,1")
    ('Reptile, mean of 2', 'gradient 3 alone')

    Args:
        name: as of the setting `algorithm`.
    """
    known = from_name(name)
    if not isinstance(known, GradientCombination):
        return _ALGORITHMS.get(name, spoken(name))
    weights = known.weights
    used = [i for i, weight in enumerate(weights, 1) if weight]
    if len(used) == 1:
        return f"gradient {used[0]} alone"
    if set(weights) == {1.0}:
        return f"Reptile, sum of {len(weights)}"
    if len(set(weights)) == 1 and math.isclose(sum(weights), 1):
        return f"Reptile, mean of {len(weights)}"
    return f"gradients weighted {', '.join(f'{w:g}' for w in weights)}"


def runs(folders: Sequence[pathlib.Path]) -> list[str]:
    """Returns what runs are called beside one another.

    It says as little as tells them apart: their algorithms; or these and the
    tasks, the data, the length and the seed; else the names of their folders.

    Args:
        folders: of the runs, each with its config.json, or of seeds.

    Raises:
        ValueError: a config.json is not there, or damaged.
    """
    facts = list(zip(*map(_facts, folders), strict=True))
    names = [""] * len(folders)
    for fact in facts:
        pairs = zip(names, fact, strict=True)
        more = [", ".join(filter(None, pair)) for pair in pairs]
        if len(set(more)) > len(set(names)):
            names = more
    if len(folders) == 1:
        return list(facts[0])
    if len(set(names)) == len(names):
        return names
    names = [spoken(folder.resolve().name) for folder in folders]
    if len(set(names)) == len(names):
        return names
    return [str(folder) for folder in folders]


def _facts(folder: pathlib.Path) -> tuple[str, ...]:
    seeds = seeds_file.held(folder)
    first = seeds_file.run_folders(folder)[0]
    config = config_file.read(first / config_file.NAME)
    preset = of_config(config)
    return (
        algorithm(preset.algorithm),
        f"{preset.ways}-way {preset.shots}-shot",
        preset.dataset,
        f"{preset.outer_iterations:,} iterations",
        f"{len(seeds)} seeds" if len(seeds) > 1 else f"seed {config['seed']}",
    )
