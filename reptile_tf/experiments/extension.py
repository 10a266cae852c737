"""A run that goes on past the outer iterations that it was begun with."""

from typing import Any

import keras

from reptile_tf.training.learner import MetaLearner

_SCHEDULE = keras.optimizers.schedules.PolynomialDecay


# A step that falls to 0 along a line, as that of every run does.
_LINE = {"end_learning_rate": 0.0, "power": 1.0, "cycle": False}


def extend(
    learner: MetaLearner, held: dict[str, Any], iterations: int, folder: object
) -> list[dict[str, int]]:
    """Gives a learner the outer steps of a longer training, and says so.

    Nothing changes if its steps are those of a training of that length.

    Args:
        learner: that a run holds.
        held: what the run's config.json says.
        iterations: N, of the training that it is to be.
        folder: of the run, for the messages.

    Returns:
        The run's extensions, this one included: "at" which iteration it went
        on "to" how many, "from" how many. Its config.json keeps them.

    Raises:
        ValueError: the learner's step does not fall to 0 along a line, or the
            training would be shorter.
    """
    made, at = held.get("extensions", []), learner.iteration
    optimizer: Any = learner.meta_optimizer
    schedule = optimizer.get_config()["learning_rate"]
    config = schedule["config"] if isinstance(schedule, dict) else {}
    if not _LINE.items() <= config.items():
        if iterations == held.get("outer_iterations", iterations):
            return made
        raise ValueError(
            f"outer_iterations={iterations} cannot extend run_dir={folder}, "
            "whose outer step does not fall to 0 along a line; resume it with "
            "its own number, or use another run_dir"
        )
    before = config["decay_steps"]
    if before == iterations:
        return made
    if iterations < before:
        raise ValueError(
            f"outer_iterations={iterations} is less than the {before} that the "
            f"checkpoints in run_dir={folder} were to have; use {before} at "
            "least, or another run_dir"
        )
    longer = _SCHEDULE(**(config | {"decay_steps": iterations}))
    was, becomes = float(_SCHEDULE(**config)(at)), float(longer(at))
    optimizer.learning_rate = longer
    print(
        f"{folder}: goes on from iteration {at}, to {iterations} in all and "
        f"not to {before}; the outer step, which was to fall to 0 at {before}, "
        f"jumps there from {was:.3g} to {becomes:.3g} and falls to 0 at "
        f"{iterations}, so that this is not the same as a training of "
        f"{iterations} at once"
    )
    # One that was killed before its first checkpoint counts once.
    made = [each for each in made if each["at"] < at]
    return [*made, {"at": at, "from": before, "to": iterations}]
