"""What is tried next: CMA-ES, as the paper has it, and random search.

A sampler draws points of the unit cube, a generation at a time, and is told
how they did. What it draws depends on nothing but what it was told before, so
that it is back where it was once the same is told again.
"""

import abc
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from reptile_tf.search.space import Space
from reptile_tf.utils.extras import extra

with extra("search"):
    import cmaes

# Of the whole range of each setting; CMA-ES finds its own from there.
_FIRST_SIGMA = 0.25
# Points that cannot be tried are drawn again, up to so many in all.
_MOST_DRAWS = 1000


class Drawn(NamedTuple):
    """What a sampler drew.

    Attributes:
        point: where it is in the unit cube, to be told again.
        values: the settings there, by name.
    """

    point: list[float]
    values: dict[str, float]


class Sampler(abc.ABC):
    """Draws points, and learns from what becomes of them.

    Args:
        space: the settings.
        start: float64 `[d]`, the point to begin at.
        seed: at least 0.

    Attributes:
        generation_size: the points of a generation.
    """

    def __init__(self, space: Space, start: np.ndarray, seed: int):
        self._space, self._seed = space, seed
        # What CMA-ES has for so many dimensions (Hansen 2016, eq. 48).
        self.generation_size = 4 + math.floor(3 * math.log(len(start)))

    def ask(
        self, generation: int, refusal: Callable[[dict], str | None]
    ) -> list[Drawn]:
        """Returns what is to be tried in a generation.

        Args:
            generation: its number, which the random numbers depend on.
            refusal: settings -> why they cannot be tried; None if they can.

        Raises:
            ValueError: hardly any point can be tried.
        """
        sequence = np.random.SeedSequence([self._seed, generation])
        self._reseed(int(sequence.generate_state(1)[0]))
        drawn: list[Drawn] = []
        reason = ""
        for _ in range(_MOST_DRAWS):
            shown, told = self._draw()
            values = self._space.values(shown.tolist())
            refused = refusal(values)
            if refused is None:
                drawn.append(Drawn(told.tolist(), values))
            if len(drawn) == self.generation_size:
                return drawn
            reason = refused or reason
        raise ValueError(
            f"of {_MOST_DRAWS} points of the space only {len(drawn)} can be "
            f"tried. The others cannot, as in: {reason}. Narrow the space"
        )

    @abc.abstractmethod
    def _reseed(self, seed: int) -> None:
        """Begins a stream of random numbers."""

    @abc.abstractmethod
    def _draw(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns one point, as it is tried and as it is told."""

    @abc.abstractmethod
    def tell(
        self, points: Sequence[Sequence[float]], costs: Sequence[float]
    ) -> None:
        """Learns from a generation.

        Args:
            points: that were drawn, `[generation_size, d]`.
            costs: of each, the smaller the better; infinity, not NaN, where
                there is none.
        """

    @abc.abstractmethod
    def spread(self) -> dict[str, float]:
        """Returns how the next points will be spread, by name."""


class RandomSampler(Sampler):
    """Draws all points alike: what a search has to beat."""

    def _reseed(self, seed: int) -> None:
        self._random = np.random.RandomState(seed)

    def _draw(self) -> tuple[np.ndarray, np.ndarray]:
        point = self._random.random_sample(len(self._space.ranges))
        return point, point

    def tell(
        self, points: Sequence[Sequence[float]], costs: Sequence[float]
    ) -> None:
        """Learns nothing."""

    def spread(self) -> dict[str, float]:
        """Returns nothing, as it never changes."""
        return {}


class CMASampler(Sampler):
    """CMA-ES, with a margin that keeps whole numbers from getting stuck.

    Hansen and Ostermeier (2001); the margin is that of Hamano et al. (2022).
    """

    def __init__(self, space: Space, start: np.ndarray, seed: int):
        super().__init__(space, start, seed)
        steps = np.array([each.step for each in space.ranges])
        self._reach = steps / 2  # a whole number is what is nearest to it
        self._cma = cmaes.CMAwM(
            mean=start.copy(),
            sigma=_FIRST_SIGMA,
            bounds=np.tile([0.0, 1.0], (len(start), 1)),
            steps=steps,
            population_size=self.generation_size,
        )

    def _reseed(self, seed: int) -> None:
        self._cma.reseed_rng(seed)

    def _draw(self) -> tuple[np.ndarray, np.ndarray]:
        # `cmaes` draws again what lies outside of the cube, but takes a whole
        # number from there for the nearest inside: where all of them are good
        # the mean then runs away, and sigma after it.
        low, high = -self._reach, 1 + self._reach
        for _ in range(_MOST_DRAWS):
            shown, told = self._cma.ask()
            if np.all((low <= told) & (told <= high)):
                break
        return shown, np.clip(told, low, high)

    def tell(
        self, points: Sequence[Sequence[float]], costs: Sequence[float]
    ) -> None:
        """Moves and shapes the distribution."""
        pairs = zip(map(np.array, points), costs, strict=True)
        self._cma.tell(list(pairs))

    def spread(self) -> dict[str, float]:
        """Returns sigma, and the longest axis over the shortest."""
        inner = self._cma._cma  # it has no public name for them
        axes = np.sqrt(np.linalg.eigvalsh(inner._C))
        return {
            "sigma": float(inner._sigma),
            "axis_ratio": float(axes[-1] / axes[0]),
        }


METHODS: dict[str, type[Sampler]] = {
    "cma": CMASampler,
    "random": RandomSampler,
}
