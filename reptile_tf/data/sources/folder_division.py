"""Which classes of a folder are for training, validation and test."""

import itertools
from collections.abc import Mapping, Sized

import numpy as np

from reptile_tf.data.sources import folder_listing
from reptile_tf.data.sources.folder_listing import Classes
from reptile_tf.data.splits import divided
from reptile_tf.data.task_settings import TaskSettings


def divide(
    found: Mapping[str, Classes], seed: int, settings: TaskSettings
) -> dict[str, Classes]:
    """Returns training, validation (or not) and test classes.

    Args:
        found: the splits that the folder has, or "all".
        seed: of the shuffle of the classes, where they are divided here.
        settings: `ways`, `max_ways` and `validation_classes` count.

    Raises:
        ValueError: there are too few classes; says how many would do.
    """
    if "all" in found:
        every = found["all"]
        names = sorted(every)
        numbers = _numbers(len(names), seed, settings)
        parts = dict(zip(("train", "validation", "test"), numbers, strict=True))
        return {
            split: {names[c]: every[names[c]] for c in chosen}
            for split, chosen in parts.items()
            if len(chosen)
        }
    splits = dict(found)
    if "test" not in splits or "train" not in splits:
        raise ValueError(
            f"dataset={settings.dataset} has folders for "
            f"{', '.join(splits)}; there must be train and test"
        )
    if "validation" in splits:
        if settings.validation_classes is not None:
            raise ValueError(
                f"validation_classes={settings.validation_classes} cannot be "
                f"chosen: {settings.dataset} has a folder of its own for them"
            )
    elif settings.validation_classes != 0:
        splits |= _held_out(splits["train"], seed, settings)
    return splits


def _held_out(
    classes: Classes, seed: int, settings: TaskSettings
) -> dict[str, Classes]:
    """Holds validation classes out of a folder's training classes."""
    names, ways = sorted(classes), settings.max_ways or settings.ways
    held = settings.validation_classes or max(ways, round(len(names) / 5))
    if len(names) - held < ways:
        raise ValueError(
            f"{settings.dataset} has {len(names)} training classes, of which "
            f"{held} are held out for validation; ways={ways} needs {ways} to "
            f"learn from. {held + ways} would do, or a validation folder, or "
            "--validation_classes=0, to watch the training by its own classes"
        )
    order = np.random.RandomState(seed).permutation(names).tolist()
    parts = {"train": order[:-held], "validation": order[-held:]}
    return {
        split: {n: classes[n] for n in part} for split, part in parts.items()
    }


def _numbers(
    count: int, seed: int, settings: TaskSettings
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the classes of each split; refuses fewer than a task needs."""
    ways, held = settings.max_ways or settings.ways, settings.validation_classes

    def parts(count):
        return divided(count, seed, held)

    def least(count):  # the classes of the smallest split
        return min(len(part) for part in parts(count) if len(part))

    # Four fifths are not for testing, and one of them at least is learned from.
    fewest = max(3, -(-5 * ((held or 0) + 1) // 4))
    if count >= fewest and least(count) >= ways:
        return parts(count)
    enough = next(n for n in itertools.count(fewest) if least(n) >= ways)
    told = f"dataset={settings.dataset} has {count} classes"
    if count >= fewest:
        sizes = [str(len(part)) for part in parts(count)]
        told += f" ({', '.join(sizes)} for training, validation and test)"
    fewer = ", or fewer validation_classes" if held else ""
    raise ValueError(
        f"{told}, too few to meta-train on with ways={ways}, for which there "
        f"must be {enough}{fewer}. To teach these classes to a model that is "
        "trained already, use\n  reptile-tf adapt --model=RUN_OR_EXPORT "
        f"--support={settings.dataset} --output=FILE.keras"
    )


def require_enough(
    splits: Mapping[str, Mapping[str, Sized]], settings: TaskSettings
) -> None:
    """Refuses what has too few classes or pictures for the tasks.

    Args:
        splits: split -> class name -> its pictures.
        settings: what the tasks are to be.

    Raises:
        ValueError: names the settings to change, and what would do.
    """
    for split, classes in splits.items():
        if settings.max_ways is not None:  # one to see, and one to be asked
            ways = settings.max_ways
            folder_listing.require_enough(classes, ways, 1, 1, split)
            continue
        ways, shots = settings.ways, settings.shots
        if split == "train":
            folder_listing.require_enough(
                *(classes, ways, settings.training_shots),
                *(settings.query_shots, split),
            )
            split = "training"  # which are evaluated on, too
        folder_listing.require_enough(classes, ways, shots, 1, split)
