"""Reptile and its relatives: one file each, and their names here."""

import fractions
import re
import reprlib

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
        weights = tuple(map(_weight, name.split(",")))
    except (ValueError, ArithmeticError):
        raise ValueError(
            f"algorithm must be one of {', '.join(NAMED)}, or weights of "
            "g1 to gk such as 1/2,1/2, each a number of at most "
            f"{_LONGEST} characters that a float can hold; received "
            f"{reprlib.repr(name)}"
        ) from None
    return GradientCombination(weights)


# More digits than a float tells apart; and an exponent of three of them, as
# that of a fraction may take for ever to compute.
_LONGEST = 50
_EXPONENT = re.compile(r"[eE][+-]?[\d_]{4}")


def _weight(text: str) -> float:
    if len(text) > _LONGEST or _EXPONENT.search(text):
        raise ValueError
    return float(fractions.Fraction(text))
