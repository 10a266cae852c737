"""How well an adapted learner answers: the evaluation modes and the interval.

A mode says which statistics batch normalization uses for the query set. It
changes accuracies by points, so every accuracy carries its mode's name. For a
model without batch normalization the modes are the same.
"""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from reptile_tf.models.functional import FunctionalModel, output_shape


def transductive(model: FunctionalModel, weights, support_x, query_x):
    """The whole query set in one pass, normalized by its own statistics.

    The paper's "Reptile + Transduction": queries share information.
    """
    del support_x
    return model.by_batch(weights, query_x)


def support_and_query(model: FunctionalModel, weights, support_x, query_x):
    """One pass for each query, over the support set and that query.

    The paper's way without transduction (section 5.1).
    """

    def one(query):
        batch = tf.concat([support_x, query[tf.newaxis]], 0)
        return model.by_batch(weights, batch)[-1]

    if not model.has_batch_norm:
        return model.by_batch(weights, query_x)
    shape = output_shape(model.model, query_x.shape[1:])
    return tf.map_fn(
        one,
        query_x,
        fn_output_signature=tf.TensorSpec(shape, model.dtype),
        parallel_iterations=1,
    )


def support(model: FunctionalModel, weights, support_x, query_x):
    """Statistics of the support set alone: what a deployed learner does.

    Queries have no influence on one another, and none on the statistics.
    """
    statistics = model.statistics(weights, support_x)
    return model.by_statistics(weights, statistics, query_x)


MODES = {
    mode.__name__: mode for mode in (transductive, support_and_query, support)
}


@dataclasses.dataclass(frozen=True)
class Score:
    """What an evaluation found; it prints as one line.

    Attributes:
        mode: name of the evaluation mode, a key of `MODES`.
        metric: name of the metric.
        value: mean over the tasks.
        ci95: half the width of the mean's 95% interval over tasks.
        tasks: number of tasks.
    """

    mode: str
    metric: str
    value: float
    ci95: float
    tasks: int

    @classmethod
    def of(cls, mode: str, metric: str, values) -> "Score":
        """Summarizes one value a task, `[tasks]`."""
        values = np.asarray(values, np.float64)
        if len(values) < 2:
            raise ValueError(
                f"an interval needs at least 2 tasks; received {len(values)}"
            )
        ci95 = 1.96 * values.std(ddof=1) / math.sqrt(len(values))
        return cls(mode, metric, values.mean().item(), ci95.item(), len(values))

    def as_dict(self) -> dict:
        """Returns mode, the value under its metric's name, ci95 and tasks."""
        return {
            "mode": self.mode,
            self.metric: self.value,
            "ci95": self.ci95,
            "tasks": self.tasks,
        }

    def __str__(self):
        if "accuracy" in self.metric:
            number = f"{self.value:.2%} +- {self.ci95:.2%}"
        else:
            number = f"{self.value:.4g} +- {self.ci95:.2g}"
        return (
            f"{self.mode} {self.metric}: {number} "
            f"(95% interval, {self.tasks} tasks)"
        )


def table(scores) -> str:
    """Returns the scores as aligned lines for people."""
    width = max(len(s.mode) for s in scores)
    return "\n".join(f"  {'':{width - len(s.mode)}}{s}" for s in scores)
