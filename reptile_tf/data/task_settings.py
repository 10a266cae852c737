"""The settings of tasks: which data they are made of, and how large they are.

Like `reptile_tf.training.settings` it needs no TensorFlow.
"""

import dataclasses

from reptile_tf.utils.fields import require_valid, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """What the tasks of an experiment are.

    Raises:
        ValueError: a setting is out of its range.
    """

    dataset: str = setting(
        text="The data set: omniglot, glyphs, sine, or tfds:NAME for an "
        "image-classification set of TensorFlow Datasets."
    )
    split: str = setting(
        "characters",
        text="Omniglot's classes are split by characters (the paper's way, "
        "with the seed) or by its own alphabets.",
        choices=("characters", "alphabets"),
    )
    ways: int = setting(5, text="N, the classes of a task.", least=2)
    shots: int = setting(
        5,
        text="K, the examples of each class in the support set of an "
        "evaluation's task. Sine waves have no classes: K points in all.",
        least=1,
    )
    training_shots: int = setting(
        text="The examples of each class in the support set of a training "
        "task.",
        least=1,
    )
    query_shots: int = setting(
        1,
        text="The examples of each class in the query set of a training task. "
        "Sine waves always have 50 points there.",
        least=0,
    )

    def __post_init__(self) -> None:
        require_valid(self)
