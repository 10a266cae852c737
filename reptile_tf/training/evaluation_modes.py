"""Which statistics batch normalization uses for the queries.

It changes accuracies by points, so every accuracy carries its mode's name. For
a model without batch normalization the modes are the same.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from reptile_tf.models.functional import FunctionalModel
from reptile_tf.models.shapes import output_shape
from reptile_tf.training.settings import EVALUATION_MODES
from reptile_tf.utils.validation import require_choice


def transductive(
    model: FunctionalModel,
    weights: tf.Tensor,
    support_x: Any,
    query_x: Any,
) -> Any:
    """The whole query set in one pass, normalized by its own statistics.

    The paper's "Reptile + Transduction": queries share information.
    """
    del support_x
    return model.by_batch(weights, query_x)


def support_and_query(
    model: FunctionalModel,
    weights: tf.Tensor,
    support_x: Any,
    query_x: Any,
) -> Any:
    """One pass for each query, over the support set and that query.

    The paper's way without transduction (section 5.1).
    """

    def one(query):
        batch = tf.nest.map_structure(
            lambda x, q: tf.concat([x, q[tf.newaxis]], 0), support_x, query
        )
        outputs = model.by_batch(weights, batch)
        return tf.nest.map_structure(lambda o: o[-1], outputs)

    if not model.has_batch_norm:
        return model.by_batch(weights, query_x)
    return tf.map_fn(
        one,
        query_x,
        fn_output_signature=tf.nest.map_structure(
            lambda shape: tf.TensorSpec(shape, model.dtype),
            output_shape(model.model, query_x),
        ),
        parallel_iterations=1,
    )


def support(
    model: FunctionalModel,
    weights: tf.Tensor,
    support_x: Any,
    query_x: Any,
) -> Any:
    """Statistics of the support set alone: what a deployed learner does.

    Queries have no influence on one another, and none on the statistics.
    """
    statistics = model.statistics(weights, support_x)
    return model.by_statistics(weights, statistics, query_x)


_FUNCTIONS = {
    mode.__name__: mode for mode in (transductive, support_and_query, support)
}
MODES = {name: _FUNCTIONS[name] for name in EVALUATION_MODES}


def chosen(
    modes: Sequence[str] | None, model: FunctionalModel
) -> tuple[str, ...]:
    """Returns the names of the modes to evaluate in.

    Args:
        modes: that were asked for. If None all, or only "support" for a model
            without batch normalization, for which they are the same.
        model: that is evaluated.

    Raises:
        ValueError: a name is unknown.
    """
    if modes is None:
        return EVALUATION_MODES if model.has_batch_norm else ("support",)
    names = (modes,) if isinstance(modes, str) else tuple(modes)
    for name in names:
        require_choice(EVALUATION_MODES, mode=name)
    return names
