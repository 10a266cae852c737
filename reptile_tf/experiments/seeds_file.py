"""A folder of run folders, one for each seed, and the file that names them.

seeds.json    the seeds
seed-0        the run folder of seed 0, and so on
"""

import os
import pathlib
from collections.abc import Sequence

from reptile_tf.experiments import config_file
from reptile_tf.utils import json_file
from reptile_tf.utils.files import write_json
from reptile_tf.utils.paths import local

NAME = "seeds.json"


def run_folder(folder: pathlib.Path, seed: int) -> pathlib.Path:
    """Returns the run folder of a seed."""
    return folder / f"seed-{seed}"


def run_folders(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the run folders of a folder of seeds; another one as it is."""
    seeds = held(folder)
    return [run_folder(folder, seed) for seed in seeds] if seeds else [folder]


def held(folder: str | os.PathLike) -> tuple[int, ...]:
    """Returns the seeds of a folder; none if it is no folder of seeds.

    Raises:
        ValueError: the file that names them is damaged.
    """
    path = local("run_dir", folder) / NAME
    if not path.exists():
        return ()
    try:
        seeds = json_file.read(path)["seeds"]
        if not seeds or not all(type(s) is int and s >= 0 for s in seeds):
            raise TypeError("seeds must be whole numbers, and one at least")
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path} is damaged: {error}; remove it, and train again with the "
            "same --seeds"
        ) from error
    return tuple(seeds)


def write(folder: pathlib.Path, seeds: Sequence[int]) -> None:
    """Names the seeds of a folder."""
    if held(folder) != tuple(seeds):
        write_json(folder / NAME, {"seeds": list(seeds)})


def chosen(
    folder: pathlib.Path, seeds: Sequence[int] | None
) -> tuple[int, ...] | None:
    """Returns the seeds to train with; None for one run without a folder.

    Args:
        folder: to train into.
        seeds: that were asked for; those of the folder if None.

    Raises:
        ValueError: the folder holds other seeds, or one run.
    """
    there = held(folder)
    if seeds is None:
        return there or None
    left_out = [seed for seed in there if seed not in seeds]
    if left_out:
        raise ValueError(
            f"run_dir={folder} holds runs with other seeds: "
            f"{told(there)}, of which seeds={told(seeds)} leaves out "
            f"{told(left_out)}; name all of them to resume them, and more to "
            "add more, or use another run_dir"
        )
    if (folder / config_file.NAME).exists():
        raise ValueError(
            f"run_dir={folder} holds one run, not a folder for each of the "
            f"seeds {told(seeds)}; leave out --seeds to resume it, or use "
            "another run_dir"
        )
    return tuple(seeds)


def require_none(folder: pathlib.Path) -> None:
    """Refuses a folder of seeds where a run folder is asked for.

    Raises:
        ValueError: names a run folder that would do.
    """
    if seeds := held(folder):
        raise ValueError(
            f"run_dir={folder} holds no run, but one for each of the seeds "
            f"{told(seeds)}; name one of these, such as "
            f"{run_folder(folder, seeds[0])}"
        )


def told(seeds: Sequence[int]) -> str:
    """Returns seeds in words: 0 to 2, or 0, 5, 7."""
    first, last = seeds[0], seeds[-1]
    if len(seeds) > 2 and list(seeds) == list(range(first, last + 1)):
        return f"{first} to {last}"
    return ", ".join(map(str, seeds))
