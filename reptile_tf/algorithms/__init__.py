"""Reptile and its relatives: one file each, and their names here."""

import fractions

from reptile_tf.algorithms.algorithm import Algorithm, Lesson
from reptile_tf.algorithms.fomaml import FOMAML
from reptile_tf.algorithms.gradient_combination import GradientCombination
from reptile_tf.algorithms.inner_loop import (
    InnerLoop,
    adapt,
    adapt_to_support,
    mini_batches,
)
from reptile_tf.algorithms.maml import ANIL, MAML
from reptile_tf.algorithms.reptile import Reptile

__all__ = [
    "ANIL",
    "FOMAML",
    "MAML",
    "NAMED",
    "Algorithm",
    "GradientCombination",
    "InnerLoop",
    "Lesson",
    "Reptile",
    "adapt",
    "adapt_to_support",
    "from_name",
    "mini_batches",
]

NAMED: dict[str, Algorithm] = {
    str(each): each
    for each in (
        Reptile(),
        FOMAML(),
        FOMAML("shared"),
        FOMAML("separate"),
        MAML(),
        ANIL(),
    )
}


def from_name(name: str) -> Algorithm:
    """Returns the algorithm of which `str` is `name`.

    Args:
        name: a key of `NAMED`, or the weights of a `GradientCombination`,
            which may be fractions: "0,0,1" or "1/2,1/2".

    Raises:
        ValueError: it is neither.
    """
    if name in NAMED:
        return NAMED[name]
    try:
        weights = [float(fractions.Fraction(w)) for w in name.split(",")]
    except (ValueError, ZeroDivisionError):
        raise ValueError(
            f"algorithm must be one of {', '.join(NAMED)}, or weights of "
            f"g1 to gk such as 1/2,1/2; received {name!r}"
        ) from None
    return GradientCombination(tuple(weights))
