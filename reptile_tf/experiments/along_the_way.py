"""How much a training is evaluated along the way, where nobody says it."""

import math
from typing import Any

from reptile_tf.data import sources
from reptile_tf.experiments.build import example_gradients
from reptile_tf.experiments.preset import Preset

EVALUATIONS = 50  # of a training that is long enough
TASKS = 50  # of each of them
# Training makes so many gradients for each of evaluation. At equal speed, 4
# would make evaluation a fifth of the time; its mini-batches may be smaller,
# though, and those are slower.
_SHARE = 5


def chosen(
    preset: Preset,
    eval_every: int | None,
    num_tasks: int | None,
    held: dict[str, Any],
) -> dict[str, int]:
    """Returns the settings `eval_every` and `num_validation_tasks`.

    A long training has 50 evaluations, of 50 tasks. A shorter one has fewer of
    them, so that they take about a fifth of its time at most; the shortest have
    one, at the end, of fewer tasks. Where it was said how often to evaluate, or
    the run began before it knew of tasks, each is of 50.

    Args:
        preset: the experiment.
        eval_every: the outer iterations, if they were asked for.
        num_tasks: the tasks, if they were asked for.
        held: the config.json of the run, which says what they were before;
            empty of a new one.
    """
    eval_every = eval_every or held.get("eval_every")
    num_tasks = num_tasks or held.get("num_validation_tasks")
    if eval_every is None:
        eval_every = _eval_every(preset, num_tasks or TASKS)
        num_tasks = num_tasks or _num_tasks(preset, eval_every)
    return {
        "eval_every": eval_every,
        "num_validation_tasks": num_tasks or TASKS,
    }


def _eval_every(preset: Preset, num_tasks: int) -> int:
    total = preset.outer_iterations
    least = _SHARE * num_tasks * _of_a_task(preset) / example_gradients(preset)
    return math.ceil(total / max(1, min(EVALUATIONS, int(total / least))))


def _num_tasks(preset: Preset, eval_every: int) -> int:
    made = eval_every * example_gradients(preset)
    return max(2, min(TASKS, int(made / _SHARE / _of_a_task(preset))))


def _of_a_task(preset: Preset) -> float:
    """Returns the cost of a task of evaluation, in gradients of an example.

    Predicting is a third of a gradient. In the mode support_and_query each
    query is predicted together with the support set.
    """
    support = preset.shots * (preset.max_ways or preset.ways)
    queries = sources.get(preset.dataset).query_size(preset)
    adapted = preset.eval_inner_steps * preset.eval_inner_batch_size
    return adapted + (queries * (support + 3) + support) / 3
