"""The settings of a learner: each is spelled here, and nowhere else.

The learner takes them as arguments, a preset inherits them, a command shows
them as flags, and a saved learner's file holds them. Nothing here needs
TensorFlow, so that a command can list its flags without it.
"""

import dataclasses

from reptile_tf.utils.fields import (
    attributes_text,
    require_valid,
    setting,
    whole_number,
)
from reptile_tf.utils.validation import require_at_least

# How a meta-batch is trained on; see `reptile_tf.algorithms.meta_batch`.
META_BATCH_MODES = ("serial", "parallel")
# How the losses of a mini-batch's examples become the loss of a step.
LOSS_REDUCTIONS = ("sum", "mean")
# What a training does with a task whose inner loop diverges.
ON_DIVERGENCE = ("stop", "skip")
# Which statistics batch normalization uses for the queries of an evaluation;
# see `reptile_tf.training.evaluation_modes`.
EVALUATION_MODES = ("transductive", "support_and_query", "support")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """How a learner trains and adapts, in the paper's terms.

    What evaluation does not say of itself (None) is as in training when the
    settings are made; it is a number of its own from then on.

    >>> from reptile_tf.training.settings import Settings
    >>> Settings(inner_steps=5, eval_inner_steps=50).meta_batch_size
    5

    Raises:
        ValueError: a setting is out of its range.
    """

    inner_steps: int = setting(
        5, text="k, the inner steps on a training task.", least=1
    )
    inner_batch_size: int = setting(
        10, text="The support examples of an inner step in training.", least=1
    )
    meta_batch_size: int = setting(
        5,
        text="n, the tasks of an outer iteration; 1 makes Algorithm 1.",
        least=1,
    )
    meta_batch_mode: str = setting(
        "serial",
        text="Whether the inner optimizer's state runs through the tasks of a "
        "meta-batch one after another (serial, the paper's way) or each task "
        "starts from the state before the meta-batch (parallel, faster).",
        choices=META_BATCH_MODES,
    )
    loss_reduction: str = setting(
        "sum",
        text="Whether the loss of an inner step is the sum of its examples' "
        "losses (the paper's way) or their mean.",
        choices=LOSS_REDUCTIONS,
    )
    on_divergence: str = setting(
        "stop",
        text="Whether training stops with an error at a task whose loss, "
        "weights or optimizer state become infinite or NaN (stop), or leaves "
        "the task out of its meta-batch and counts it in skipped_tasks (skip).",
        choices=ON_DIVERGENCE,
    )
    eval_inner_steps: int = setting(
        None,
        text="The inner steps on a task in evaluation.",
        least=1,
    )
    eval_inner_batch_size: int = setting(
        None,
        text="The support examples of an inner step in evaluation. They may "
        "exceed the support set: a mini-batch then holds examples more than "
        "once, as in the paper's Table 5.",
        least=1,
    )

    jit_compile: bool = setting(
        False,
        text="Whether XLA compiles what a training does on a task. It pays on "
        "GPUs; on a CPU its convolutions are several times slower than "
        "TensorFlow's. Evaluations are not compiled by XLA.",
    )

    def __post_init__(self) -> None:
        """Takes over from training what evaluation does not say of itself."""
        for name in ("inner_steps", "inner_batch_size"):
            if getattr(self, f"eval_{name}") is None:
                object.__setattr__(self, f"eval_{name}", getattr(self, name))
        require_valid(self)

    def evaluation_steps(self, steps: int | None) -> int:
        """Returns the inner steps to adapt with.

        Args:
            steps: that were asked for, at least 0; `eval_inner_steps` if None.

        Raises:
            ValueError: it is no whole number from 0.
        """
        steps = self.eval_inner_steps if steps is None else steps
        steps = whole_number("steps", steps)
        require_at_least(0, steps=steps)
        return steps


def _refuse(self: Settings, name: str, value: object) -> None:
    raise dataclasses.FrozenInstanceError(
        f"{name} cannot be changed to {value!r}: a learner's settings are "
        "fixed when it is made. Make another learner of the same model: "
        f"MetaLearner(learner.model, {name}={value!r}, ...)"
    )


Settings.__doc__ = f"{Settings.__doc__}\n{attributes_text(Settings)}"
# A dataclass would say only that it is frozen, and not what to do.
Settings.__setattr__ = _refuse  # type: ignore[method-assign, assignment]
