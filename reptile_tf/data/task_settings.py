"""The settings of tasks: which data they are made of, and how large they are.

Like `reptile_tf.training.settings` it needs no TensorFlow.
"""

import dataclasses

from reptile_tf.utils import paths
from reptile_tf.utils.fields import require_valid, setting

# What the classes of a data set are divided into.
SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """What the tasks of an experiment are.

    Raises:
        ValueError: a setting is out of its range.
    """

    dataset: str = setting(
        text="The data set: folder:PATH for a folder of pictures, omniglot, "
        "mini_imagenet, glyphs, sine, or tfds:NAME for an image-classification "
        "set of TensorFlow Datasets; tfds:NAME[train+test] takes these of its "
        "parts alone.",
        path=paths.in_dataset,
    )
    validation_classes: int = setting(
        None,
        text="The number of classes held out of the training classes, for the "
        "accuracies along the way. With 0 they come from tasks of training "
        "classes, and are named so. If not given it is 0 for omniglot, as in "
        "the paper, and for other data sets that have none of their own a "
        "fifth of the training classes (of a folder with a test folder, at "
        "least as many as a task has ways).",
        least=0,
    )
    omniglot_split: str = setting(
        "characters",
        text="Omniglot's classes are split by characters (the paper's way, "
        "with the seed) or by its own alphabets.",
        choices=("characters", "alphabets"),
    )
    ways: int = setting(5, text="N, the classes of a task.", least=2)
    max_ways: int = setting(
        None,
        text="The most classes of a task, where they are to vary: tasks then "
        "have `ways` to so many classes, and shots that vary up to what a "
        "class holds, as Meta-Dataset samples them.",
        least=2,
    )
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
    augmentation: str = setting(
        "none",
        text="Whether the pictures of training tasks' support sets are flipped "
        "or cropped at random, or both.",
        choices=("none", "flip", "crop", "flip_and_crop"),
    )
    image_size: int = setting(
        84,
        text="The height and width, in pixels, that pictures are resized to: "
        "those of folders, and of TFDS's sets without a size of their own.",
        least=1,
    )
    channels: int = setting(
        3,
        text="The channels of a folder's pictures: 1 for grey, 3 for colours.",
        choices=(1, 3),
    )
    resize: str = setting(
        "crop",
        text="How a folder's pictures are brought to their size: their middle "
        "is cropped to a square first (crop), or they are squashed (squash).",
        choices=("crop", "squash"),
    )
    csv: str = setting(
        None,
        text="A table with the columns filename and label, separated by "
        "commas, tabs or semicolons, which says what the pictures of a folder "
        "without class folders are.",
        path=paths.local,
    )
    csv_columns: str = setting(
        None,
        text="The two columns' names in that table if they are others, such "
        "as FILE_NAME,CATEGORY.",
    )
    merge_splits: bool = setting(
        False,
        text="Whether a folder's training and test folders that hold the same "
        "classes are pooled, and the classes divided by seed.",
    )
    skip_unreadable: bool = setting(
        False,
        text="Whether a folder's pictures that cannot be read are left out; "
        "otherwise they stop the run before it trains.",
    )
    label_key: str = setting(
        "label", text="The name of the labels in a set of TFDS."
    )
    manual_dir: str = setting(
        None,
        text="The folder of Mini-ImageNet's files, which have to be "
        "downloaded by hand; downloads/manual in data_dir if not given.",
        path=paths.local,
    )
    allow_partial: bool = setting(
        False,
        text="Whether a Mini-ImageNet with missing pictures will do.",
    )

    def __post_init__(self) -> None:
        require_valid(self)
