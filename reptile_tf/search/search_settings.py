"""The settings of a search: the first entry of its log."""

import dataclasses
import functools
from typing import Any

from reptile_tf.experiments.preset import (
    DEFAULTS,
    DESCRIPTIONS,
    Preset,
    of_config,
    renamed,
    with_whole_paths,
)
from reptile_tf.search import space
from reptile_tf.training.settings import EVALUATION_MODES
from reptile_tf.utils.fields import require_valid, setting

# Of the preset: places and words, which may be others on another machine.
_FREE = (*DESCRIPTIONS, "manual_dir")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """What a search is; all of its trials share it.

    Attributes:
        preset: the experiment whose settings are searched, in full length.
        seed: of the sampler, and of each trial's weights, split and tasks.
        space: the ranges, as texts.
    """

    preset: Preset
    seed: int = 0
    space: tuple[str, ...] = space.PAPER
    method: str = setting(
        "cma",
        text="What draws the settings to try: cma (CMA-ES, as in the paper) "
        "or random, which a search has to beat.",
        choices=("cma", "random"),
    )
    mode: str = setting(
        "support",
        text="The evaluation mode of the accuracy that is searched for.",
        choices=EVALUATION_MODES,
    )
    trial_iterations: int = setting(
        1000, text="The outer iterations of a trial.", least=1
    )
    num_tasks: int = setting(
        200,
        text="The validation tasks that a trial is evaluated on at its end; "
        "each trial has the same.",
        least=2,
    )
    prune: bool = setting(
        True,
        text="Whether a trial is stopped early where its accuracy, with its "
        "95% interval, lies below the median of earlier trials; --noprune "
        "turns it off.",
    )
    eval_every: int = setting(
        None,
        text="The outer iterations between two looks at how a trial is doing; "
        "a quarter of a trial if not given.",
        least=1,
    )
    num_validation_tasks: int = setting(
        50,
        text="The number of validation tasks of a look at a trial under way "
        "(see --eval_every).",
        least=2,
    )

    def __post_init__(self) -> None:
        # It may be gone on with from another folder.
        whole = with_whole_paths(self.preset)
        object.__setattr__(self, "preset", whole)
        if self.eval_every is None:
            every = -(-self.trial_iterations // 4)
            object.__setattr__(self, "eval_every", every)
        require_valid(self)
        if not 0 <= self.seed < 1 << 32:
            raise ValueError(
                f"seed must be 0 to 2**32 - 1; received {self.seed}"
            )

    @property
    def metric(self) -> str:
        """The name of the metric of the preset's tasks."""
        return _metric(self.preset.dataset)

    def trial(self, values: dict[str, Any]) -> Preset:
        """Returns the preset of a trial.

        Raises:
            ValueError: a value is out of its setting's range.
        """
        return dataclasses.replace(
            self.preset, **values, outer_iterations=self.trial_iterations
        )

    def entry(self) -> dict[str, Any]:
        """Returns them as an entry of a log."""
        return dataclasses.asdict(self) | {"space": list(self.space)}

    @classmethod
    def of(cls, entry: dict[str, Any]) -> "SearchSettings":
        """Returns the settings of an entry, which may say more besides.

        Raises:
            ValueError: it is not of settings.
        """
        if "preset" not in entry:
            raise ValueError(
                "the first line of the search's log does not hold its "
                "settings; put back a copy of the log, or search into another "
                "run_dir"
            )
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(
            **{name: entry[name] for name in names}
            | {
                "preset": of_config(entry["preset"]),
                "space": tuple(entry["space"]),
            }
        )

    def require_same(self, theirs: "SearchSettings", folder: object) -> None:
        """Refuses settings that contradict those of a search that is there.

        Args:
            theirs: the search's.
            folder: of the search, for the message.

        Raises:
            ValueError: names the settings, and what would do.
        """
        ours, others = self._compared(), theirs._compared()
        if ours["dataset"] != others["dataset"]:
            raise ValueError(
                f"run_dir={folder} holds a search of {others['dataset']}; use "
                f"another run_dir for one of {ours['dataset']}"
            )
        if ours["trial_iterations"] != others["trial_iterations"]:
            ours.pop("eval_every")  # which follows from it, if not given
        contradictions = [
            f"{name}={ours[name]} (the search has {others.get(name)})"
            for name in ours
            if ours[name] != others.get(name)
        ]
        if contradictions:
            raise ValueError(
                f"run_dir={folder} holds a search with other settings: "
                f"{', '.join(contradictions)}; leave out --preset and these "
                "settings to go on with it, or use another run_dir"
            )

    def _compared(self) -> dict[str, Any]:
        entry = self.entry()
        preset = DEFAULTS | renamed(entry.pop("preset"))
        entry["space"] = " ".join(entry["space"])
        kept = {k: v for k, v in preset.items() if k not in _FREE}
        return kept | entry


@functools.cache
def _metric(dataset: str) -> str:
    # Not at the top: a command's --help does without TensorFlow.
    import keras

    from reptile_tf.data import sources

    name = sources.get(dataset).metric
    return "accuracy" if name is None else keras.metrics.get(name).name


# Those that a command makes flags of.
FIELDS = tuple(
    field for field in dataclasses.fields(SearchSettings) if field.metadata
)
