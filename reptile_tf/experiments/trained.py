"""Trained models of pictures, to adapt: run folders, and exported models."""

import os
import pathlib
import reprlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from reptile_tf.data import sources
from reptile_tf.data.preparation import Preparation
from reptile_tf.experiments.run import Run
from reptile_tf.training.learner import MetaLearner
from reptile_tf.training.outputs import Outputs
from reptile_tf.utils import json_file, paths


class Trained(NamedTuple):
    """A trained model of pictures.

    Attributes:
        learner: the meta-learner.
        preparation: how a picture becomes one of its inputs.
    """

    learner: MetaLearner
    preparation: Preparation

    @classmethod
    def open(cls, folder: str | os.PathLike) -> "Trained":
        """Returns the trained model of a folder.

        Args:
            folder: a run folder, or one that `MetaLearner.export` wrote: of a
                model's versions, whose newest is taken, or of a version.

        Raises:
            ValueError: it is neither, or no model of pictures.
        """
        folder = paths.local("model", folder)
        if (folder / "config.json").is_file():
            return _of_run(Run.open(folder))
        return _of_export(_newest(folder), folder)


def own_steps(model: str) -> int | None:
    """Returns the inner steps that an exported model was evaluated with.

    None if it does not say, as a server does not.

    Args:
        model: the folder that `MetaLearner.export` wrote, or a server's URL.

    Raises:
        ValueError: what it says is damaged.
    """
    extra = _newest(pathlib.Path(paths.or_server("model", model)))
    if not (extra / "learner.json").is_file():
        return None
    return _about(extra)["steps"]


def require_unseen(model: str, classes: Iterable[str]) -> None:
    """Refuses an exported model that was trained on classes to be tested on.

    Args:
        model: as of `own_steps`; a server says nothing of it.
        classes: the names of the test classes.

    Raises:
        ValueError: says how many of them it was trained on.
    """
    extra = _newest(pathlib.Path(paths.or_server("model", model)))
    if not (extra / "learner.json").is_file():
        return
    classes = set(classes)
    seen = classes.intersection(_about(extra).get("trained_on", ()))
    if seen:
        raise ValueError(
            f"model={model} was trained on {len(seen)} of the run's "
            f"{len(classes)} test classes, such as {min(seen)!r}, so it is an "
            "export of another run; give the export of this one"
        )


def _newest(folder: pathlib.Path) -> pathlib.Path:
    """Returns what an export's newest version holds besides the graph."""
    versions = [
        path.parents[1]
        for path in folder.glob("*/assets.extra/learner.json")
        if path.parents[1].name.isdecimal()
    ]
    newest = max(versions, key=lambda path: int(path.name), default=folder)
    return newest / "assets.extra"


def _about(extra: pathlib.Path) -> dict[str, Any]:
    """Returns what an export's learner.json says."""
    path = extra / "learner.json"
    try:
        about = json_file.read(path)
        _require_whole(about)
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged: {error}; export the run again"
        ) from error
    return about


def _require_whole(about: Any) -> None:
    """Refuses what no export says of itself."""
    if type(about) is not dict:
        raise ValueError("it must hold what is said by name")
    steps = about.get("steps")
    if type(steps) is not int or steps < 1:
        raise ValueError(
            "steps must be a whole number, at least 1; received "
            f"{reprlib.repr(steps)}"
        )
    names = about.get("trained_on", [])
    if type(names) is not list or not {type(x) for x in names} <= {str}:
        raise ValueError("trained_on must be a list of names")
    if type(about.get("no_learner", "")) is not str:
        raise ValueError("no_learner must be a text")
    if about.get("pictures") is not None:
        try:
            Preparation.of_dict(about["pictures"])
        except ValueError as error:
            raise ValueError(f"pictures: {error}") from error


def preparation_of(run: Run) -> Preparation | None:
    """Returns how a picture becomes an input of a run's model.

    None if its inputs are no pictures.
    """
    source = sources.get(run.preset.dataset)
    if not source.uint8_images:
        return None
    shape = run.learner().model.input_shape[1:]
    if len(shape) != 3 or shape[-1] not in (1, 3):
        return None
    height, width, channels = shape
    resize = source.resize(run.preset)
    return Preparation(height, width, channels, resize, source.ink)


def _of_run(run: Run) -> Trained:
    preparation = preparation_of(run)
    if preparation is None:
        raise ValueError(
            f"model={run.folder} was trained on {run.preset.dataset}, which "
            "has no pictures"
        )
    return _classifier(run.learner(), preparation, run.folder)


def _of_export(extra: pathlib.Path, folder: pathlib.Path) -> Trained:
    if not (extra / "learner.json").is_file():
        raise ValueError(
            f"model={folder} is neither a run folder, which has a config.json, "
            "nor a folder that reptile-tf export wrote"
        )
    about = _about(extra)
    if "no_learner" in about:
        raise ValueError(
            f"model={folder} holds no learner: {about['no_learner']}"
        )
    if not about.get("pictures") or not (extra / "learner.zip").is_file():
        raise ValueError(
            f"model={folder} is an export that does not say how it was trained "
            "on pictures; export the run again, or give the run folder"
        )
    return _classifier(
        MetaLearner.load(extra / "learner.zip"),
        Preparation.of_dict(about["pictures"]),
        folder,
    )


def _classifier(
    learner: MetaLearner, preparation: Preparation, folder: pathlib.Path
) -> Trained:
    if not Outputs.of(learner.loss).classifier:
        raise ValueError(f"model={folder} does not tell classes apart")
    return Trained(learner, preparation)
