"""Classification sets by name."""

from reptile_tf.data.classes import ClassImages
from reptile_tf.data.sources import omniglot
from reptile_tf.data.sources import tfds as tfds_images
from reptile_tf.data.sources.glyphs import Glyphs


def load_classes(
    name: str, data_dir=None, *, split: str = "characters", seed: int = 0
) -> tuple[ClassImages, ClassImages]:
    """Returns the training and the test classes of a data set.

    Args:
        name: "glyphs" (made here, from fonts), "omniglot", or "tfds:NAME" for
            an image-classification set of TFDS. Four fifths of the classes of
            the first and the last are for training.
        data_dir: TFDS's data_dir, TFDS's default if None; glyphs have none.
        split: Omniglot's: "characters" (seeded, the paper's) or "alphabets".
        seed: of the split by class.

    Raises:
        ValueError: the name is unknown, or the data are not there or not whole.
    """
    if name == "omniglot":
        return omniglot.load(data_dir, split, seed)
    if name == "glyphs":
        folder = tfds_images.cache_folder() / "tfds"
        return tfds_images.load_split(Glyphs(data_dir=folder), seed)
    if name.startswith("tfds:"):
        return tfds_images.load_named(
            name.removeprefix("tfds:"), data_dir, seed
        )
    raise ValueError(
        "dataset must be omniglot, glyphs, sine or tfds:NAME; received "
        f"{name!r}"
    )
