"""What an experiment is: its tasks, its learner and its outer loop."""

import dataclasses
import pathlib
from typing import Any

from reptile_tf.data.task_settings import TaskSettings
from reptile_tf.training.settings import Settings
from reptile_tf.utils import paths
from reptile_tf.utils.fields import setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preset(Settings, TaskSettings):
    """All settings of an experiment; a run folder's config.json holds them.

    It is data alone, so that commands can list presets and their settings
    without TensorFlow; `reptile_tf.experiments.build` makes the tasks and the
    learner of it.

    Attributes:
        source: the table or figure that the settings come from.
        expected: the accuracy to expect, and who says so.
        running_time: of the training, on two cores.

    Raises:
        ValueError: a setting is out of its range.
    """

    source: str = ""
    expected: str = ""
    running_time: str = ""
    network: str = setting(
        "omniglot_cnn",
        text="The network that learns.",
        choices=("omniglot_cnn", "mini_imagenet_cnn", "sine_mlp"),
    )
    mixed_precision: str = setting(
        None,
        text="Floats of 16 bits that the network computes with, in place of "
        "float32: bfloat16, or none if not given. phi and the moments remain "
        "float32.",
        choices=("bfloat16",),
    )
    algorithm: str = setting(
        "reptile",
        text="The algorithm: reptile, maml, fomaml, fomaml_shared, "
        "fomaml_separate, anil, or weights of the inner gradients g1 to gk, "
        "such as 1/2,1/2.",
    )
    inner_optimizer: str = setting(
        "adam",
        text="The optimizer of the inner steps: adam (with beta_1 = 0) or sgd.",
        choices=("adam", "sgd"),
    )
    learning_rate: float = setting(
        text="alpha, the learning rate of the inner steps.", above_zero=True
    )
    meta_optimizer: str = setting(
        "sgd",
        text="The optimizer that moves phi: sgd (the paper's) or adam.",
        choices=("sgd", "adam"),
    )
    outer_step_size: float = setting(
        text="eps, the meta-optimizer's step; it falls to 0 along a line.",
        above_zero=True,
    )
    outer_iterations: int = setting(
        text="N, the outer iterations of the whole training.", least=1
    )
    clip_norm: float = setting(
        0.0,
        text="The largest norm of a meta-gradient, above which it is scaled "
        "down; 0 for none.",
        least=0,
    )

    def task_size(self) -> dict[str, int]:
        """Returns the settings that say how large a test task is."""
        if self.max_ways is not None:
            return {"ways": self.ways, "max_ways": self.max_ways}
        return {"ways": self.ways, "shots": self.shots}

    def learner_settings(self) -> dict[str, Any]:
        """Returns the fields of `Settings`, by name."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(Settings)
        }


# Fields that describe a preset and are not settings of a run.
DESCRIPTIONS = ("source", "expected", "running_time")

SETTINGS = tuple(
    field
    for field in dataclasses.fields(Preset)
    if field.name not in DESCRIPTIONS
)

# What a file that was written before a field came to be means by its absence.
DEFAULTS = {
    field.name: field.default
    for field in SETTINGS
    if field.default is not dataclasses.MISSING
}


def with_whole_paths(preset: Preset) -> Preset:
    """Returns a preset whose data are found from any folder."""
    if preset.dataset.startswith("folder:"):
        folder = paths.of_pictures("dataset", preset.dataset).absolute()
        preset = dataclasses.replace(preset, dataset=f"folder:{folder}")
    if preset.csv is not None:
        table = pathlib.Path(preset.csv).absolute()
        preset = dataclasses.replace(preset, csv=str(table))
    return preset


def of_config(config: dict[str, Any]) -> Preset:
    """Returns the preset in a config.json, of whatever version.

    Args:
        config: the file's content; results keep less of it than runs.
    """
    config = renamed(config)
    names = [field.name for field in dataclasses.fields(Preset)]
    return Preset(**{name: config[name] for name in names if name in config})


# What settings were called until version 0.1, and until version 0.2.
FORMER_NAMES = {"meta_gradient": "algorithm", "split": "omniglot_split"}


def renamed(config: dict[str, Any]) -> dict[str, Any]:
    """Returns a config.json's content under the names of today."""
    config = dict(config)
    if "along_the_way" not in config:  # until version 0.2 there were none
        config.setdefault("validation_classes", 0)
    for old, new in FORMER_NAMES.items():
        if old in config:
            config[new] = config.pop(old)
    return config
