"""Adapted models of pictures as files: ordinary Keras models, with names.

FILE.keras takes pictures as uint8 or float pixels from 0 to 255, and returns
the probability of each class. Any program can load it with Keras alone. One
entry more in the archive, pictures.json, holds the names of the classes and how
pictures become its input.

FILE.tflite and FILE.onnx are the same for other programs; their pixels are
float32. The names are in an archive with that entry at the end of the one, and
in the metadata of the other (`reptile_tf.models.formats`).
"""

import os
import textwrap
import zipfile
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from reptile_tf.data import image_files
from reptile_tf.data.preparation import Preparation
from reptile_tf.models import formats
from reptile_tf.training import keras_archive
from reptile_tf.utils import archives, json_file
from reptile_tf.utils.paths import local

_ENTRY = "pictures.json"
_BATCH = 32


class PictureClassifier(NamedTuple):
    """A model that classifies pictures.

    Attributes:
        model: pixels `[n, height, width, channels]`, 0 to 255, to
            probabilities `[n, classes]`.
        class_names: of the classes, in the order of the probabilities.
        preparation: how a picture becomes an input.
    """

    model: keras.Model
    class_names: list[str]
    preparation: Preparation

    def classify(self, paths: Sequence[str | os.PathLike]) -> np.ndarray:
        """Returns the probabilities `[n, classes]` of picture files.

        Raises:
            ValueError: a file is no picture that can be read.
        """
        pictures = image_files.load(paths, self.preparation)
        # Keras can be configured to cut `predict` short.
        batches = np.split(pictures, range(_BATCH, len(pictures), _BATCH))
        return np.concatenate([self.model.predict_on_batch(b) for b in batches])

    def save(self, path: str | os.PathLike) -> None:
        """Writes the file, whole or not at all.

        Args:
            path: of the file, which ends in `.keras`, `.tflite` or `.onnx`.

        Raises:
            ValueError: the format cannot hold the model; says why.
        """
        about = {
            "class_names": self.class_names,
            "preparation": self.preparation.as_dict(),
        }
        formats.write(self.model, path, about, _ENTRY)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "PictureClassifier":
        """Reads what `save` wrote.

        Raises:
            ValueError: it is no such file.
        """
        path = local("path", path)
        try:
            with zipfile.ZipFile(path) as archive:
                archives.require_stored(archive)
                about = json_file.loads(archives.read(archive, _ENTRY))
            model = keras_archive.load_model(path)
            preparation = Preparation.of_dict(about["preparation"])
            names = _class_names(about["class_names"])
            _require_between(model, preparation.shape, len(names))
            return cls(model, names, preparation)
        except FileNotFoundError as error:
            raise ValueError(f"there is no file {path}") from error
        # Whatever is wrong with a file, it is not what `save` wrote.
        except Exception as error:
            raise ValueError(
                f"{path} is no model that reptile-tf adapt wrote: "
                + textwrap.shorten(str(error), 300, placeholder=" ...")
            ) from error


def _class_names(names: Any) -> list[str]:
    if type(names) is not list or not all(type(name) is str for name in names):
        raise ValueError(f"class_names of {_ENTRY} must be a list of texts")
    return names


def _require_between(
    model: keras.Model, picture: tuple[int, int, int], classes: int
) -> None:
    """Refuses a model that takes or returns something else."""
    shapes = model.input_shape, model.output_shape
    if shapes != ((None, *picture), (None, classes)):
        raise ValueError(
            f"its model takes {shapes[0]} and returns {shapes[1]}; {_ENTRY} "
            f"says that it takes {(None, *picture)} and returns "
            f"{(None, classes)}"
        )


def of_adapted(
    model: keras.Model,
    class_names: Sequence[str],
    preparation: Preparation,
    logits: bool,
) -> PictureClassifier:
    """Returns an adapted model of images in [0, 1] as one of pictures.

    Args:
        model: that `MetaLearner.adapt` returned.
        class_names: of its outputs.
        preparation: how pictures became its inputs.
        logits: whether it returns logits, and not probabilities.
    """
    pixels = keras.Input(
        (preparation.height, preparation.width, preparation.channels),
        name="pixels",
        dtype="float32",
    )
    outputs = model(keras.layers.Rescaling(1 / 255, dtype="float32")(pixels))
    if logits:
        outputs = keras.layers.Softmax(name="probabilities", dtype="float32")(
            outputs
        )
    whole = keras.Model(pixels, outputs, name=model.name)
    return PictureClassifier(whole, list(class_names), preparation)
