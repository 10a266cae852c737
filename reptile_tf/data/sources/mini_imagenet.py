"""mini-ImageNet: a hundred classes of six hundred pictures in colours.

Its pictures are ImageNet's, which no program may fetch; so TFDS prepares it
from files that the user has put into a folder.
"""

import os
import pathlib
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence

import tensorflow_datasets as tfds

from reptile_tf.data.sources import (
    mini_imagenet_files,
    tfds_images,
    tfds_preparation,
)
from reptile_tf.data.sources.mini_imagenet_files import SIZE, Example
from reptile_tf.data.splits import ClassSplits
from reptile_tf.data.task_settings import TaskSettings
from reptile_tf.utils import docstrings
from reptile_tf.utils.paths import local

# Ravi and Larochelle's split of the classes, by WordNet id.
SPLITS: Mapping[str, tuple[str, ...]] = {
    "train": tuple(
        """
        n01532829 n01558993 n01704323 n01749939 n01770081 n01843383 n01910747
        n02074367 n02089867 n02091831 n02101006 n02105505 n02108089 n02108551
        n02108915 n02111277 n02113712 n02120079 n02165456 n02457408 n02606052
        n02687172 n02747177 n02795169 n02823428 n02966193 n03017168 n03047690
        n03062245 n03207743 n03220513 n03337140 n03347037 n03400231 n03476684
        n03527444 n03676483 n03838899 n03854065 n03888605 n03908618 n03924679
        n03998194 n04067472 n04243546 n04251144 n04258138 n04275548 n04296562
        n04389033 n04435653 n04443257 n04509417 n04515003 n04596742 n04604644
        n04612504 n06794110 n07584110 n07697537 n07747607 n09246464 n13054560
        n13133613
        """.split()
    ),
    "validation": tuple(
        """
        n01855672 n02091244 n02114548 n02138441 n02174001 n02950826 n02971356
        n02981792 n03075370 n03417042 n03535780 n03584254 n03770439 n03773504
        n03980874 n09256479
        """.split()
    ),
    "test": tuple(
        """
        n01930112 n01981276 n02099601 n02110063 n02110341 n02116738 n02129165
        n02219486 n02443484 n02871525 n03127925 n03146219 n03272010 n03544143
        n03775546 n04146614 n04149813 n04418357 n04522168 n07613480
        """.split()
    ),
}
IMAGES = 600  # of each class

INSTRUCTIONS = """\
Put mini-ImageNet into that folder, in one of these forms:
(a) train.csv, val.csv and test.csv of Ravi and Larochelle (github.com/\
twitter-research/meta-learning-lstm, data/miniImagenet), with the header \
filename,label; and the pictures under the names in them, in the folder \
images/, or in images.zip, images.tar, images.tar.gz or images.tgz, or of each \
split in train.zip, val.zip and test.zip (or .tar, .tar.gz, .tgz).
(b) Without csv files: the folders train/, val/ (or validation/, valid/) and \
test/, or archives of the same names, with a folder for each class, named by \
its WordNet id, such as train/n01532829/.
(c) The pickles mini-imagenet-cache-train.pkl, mini-imagenet-cache-val.pkl and \
mini-imagenet-cache-test.pkl, with image_data and class_dict.
Pictures of any size will do: they are squashed to 84x84, and JPEG files of \
84x84 are kept as they are. Archives are not to be unpacked. A .tar.gz is \
unpacked to a temporary file while it is read, in the folder that TMPDIR \
names."""


class MiniImagenet(tfds.core.GeneratorBasedBuilder):
    """TFDS builder: mini-ImageNet, split as Ravi and Larochelle split it.

    The splits "train", "validation" and "test" have 64, 16 and 20 classes; no
    class is in two. Examples are in the order of the classes, and of the csv
    files within a class. Features:

    - image: uint8, shape (84, 84, 3);
    - label: int64; its name is the class's WordNet id, such as "n01532829".

    The configuration "whole" refuses to be less than 600 images of each class.
    "partial" is what there is of them, and leaves out a split of which there
    is nothing.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Initial release."}
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(
            name="whole", description="All 600 images of each class."
        ),
        tfds.core.BuilderConfig(
            name="partial", description="The images that there are."
        ),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = INSTRUCTIONS

    def _info(self):
        names = [name for classes in SPLITS.values() for name in classes]
        features = {
            # Without a format, since both JPEG and PNG bytes are kept.
            "image": tfds.features.Image(shape=(SIZE, SIZE, 3)),
            "label": tfds.features.ClassLabel(names=names),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=docstrings.of(sys.modules[__name__]),
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
            homepage="https://github.com/twitter-research/meta-learning-lstm",
            license="ImageNet's terms: for research, not for profit.",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        folder = _subfolder(pathlib.Path(dl_manager.manual_dir))
        found = mini_imagenet_files.find(folder, SPLITS)
        if not any(found.values()):
            raise ValueError(
                f"manual_dir={folder} holds no picture of mini-ImageNet. "
                f"{INSTRUCTIONS}"
            )
        if self.builder_config.name == "whole":
            _require_whole(folder, found)
        return {
            split: self._generate_examples(examples)
            for split, examples in found.items()
            if examples
        }

    def _generate_examples(self, examples: Sequence[Example]):
        for number, example in enumerate(examples):
            yield number, {"image": example.encoded(), "label": example.label}


def load(
    settings: TaskSettings, seed: int, data_dir: str | os.PathLike | None
) -> ClassSplits:
    """Returns the classes of the three splits.

    Args:
        settings: whose `manual_dir` and `allow_partial` count.
        seed: not used; the division is Ravi and Larochelle's.
        data_dir: TFDS's data_dir; TFDS's default if None.

    Raises:
        ValueError: as of `prepare`; or a split has no images.
    """
    del seed
    if settings.validation_classes is not None:
        raise ValueError(
            f"validation_classes={settings.validation_classes} cannot be "
            f"chosen: mini_imagenet has {len(SPLITS['validation'])} of its own"
        )
    builder = prepare(data_dir, settings.manual_dir, settings.allow_partial)
    empty = [split for split in SPLITS if split not in builder.info.splits]
    if empty:
        raise ValueError(
            f"mini_imagenet in {builder.data_path} has no images of "
            f"{', '.join(empty)}; add some, remove that folder, and prepare it "
            "again"
        )
    return ClassSplits(*(tfds_images.load(builder, [part]) for part in SPLITS))


def prepare(
    data_dir: str | os.PathLike | None = None,
    manual_dir: str | os.PathLike | None = None,
    allow_partial: bool = False,
) -> MiniImagenet:
    """Returns mini-ImageNet, prepared by TFDS.

    It is prepared once, which takes a minute or two; where it lies in
    `data_dir` already, nothing is written and `manual_dir` is not looked at.

    Args:
        data_dir: TFDS's data_dir; TFDS's default if None.
        manual_dir: the folder with the user's files, or one with a folder
            mini_imagenet that has them; TFDS's default if None, which is
            downloads/manual in `data_dir`.
        allow_partial: whether to go on with the images that there are, as a
            data set of its own, where some are missing.

    Raises:
        ValueError: the files are missing, or not mini-ImageNet's, or not to be
            read; or `data_dir` cannot be written to.
    """
    config = "partial" if allow_partial else "whole"
    data_dir = tfds_preparation.folder(data_dir)
    with tfds_preparation.named_if_damaged(data_dir, MiniImagenet.name):
        builder = MiniImagenet(data_dir=data_dir, config=config)
    if builder.is_prepared():
        return builder
    # It is written on this machine, and can be copied to where TFDS reads it.
    root = local("data_dir", builder.data_dir_root)
    if builder.data_path.exists():
        raise ValueError(
            f"data_dir={root} is half-written: {builder.data_path} does not "
            "say what it holds; remove that folder and prepare it again"
        )
    if manual_dir is None:
        manual_dir = root / "downloads" / "manual"
    folder = local("manual_dir", manual_dir)
    _require_something_in(folder)
    wanted = tfds.download.DownloadConfig(manual_dir=folder)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            pass
        print(f"Preparing mini-ImageNet in {root}, once", flush=True)
        with tfds_preparation.quiet():
            builder.download_and_prepare(download_config=wanted)
    except OSError as error:  # of reading, there are only ValueErrors
        if builder.data_path.exists():  # another process was faster
            return MiniImagenet(data_dir=data_dir, config=config)
        raise ValueError(
            f"data_dir={root} cannot be written to: {error}. Name a folder "
            "that can be, or one where mini_imagenet is prepared already"
        ) from error
    return builder


def _subfolder(folder: pathlib.Path) -> pathlib.Path:
    own = folder / "mini_imagenet"
    return own if own.is_dir() else folder


def _require_something_in(folder: pathlib.Path) -> None:
    place = _subfolder(folder)
    if place.is_dir() and any(place.iterdir()):
        return
    state = "is empty" if place.is_dir() else "is not a folder"
    raise ValueError(
        f"manual_dir={place} {state}; the files of mini-ImageNet, which no "
        f"program may fetch, are looked for there. {INSTRUCTIONS}"
    )


def _require_whole(
    folder: pathlib.Path, found: Mapping[str, Sequence[Example]]
) -> None:
    """Refuses all but 600 images of each class, and says which are not."""
    wrong = []
    for split, names in SPLITS.items():
        counts = Counter(example.label for example in found[split])
        short = [name for name in names if counts[name] != IMAGES]
        if not counts:
            wrong.append(f"{split}: nothing is there")
        elif short:
            told = [f"{name} has {counts[name]}" for name in short[:5]]
            if len(short) > 5:
                told.append(f"{len(short) - 5} more classes have not {IMAGES}")
            wrong.append(f"{split}: {', '.join(told)}")
    if wrong:
        raise ValueError(
            f"manual_dir={folder} does not hold the {IMAGES} images of each "
            f"class of mini-ImageNet. {'; '.join(wrong)}. Add what is missing, "
            f"or allow_partial to go on with what there is. {INSTRUCTIONS}"
        )
