"""The functions of a learner that write it, and make it again."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any, Self

from reptile_tf.data.preparation import Preparation
from reptile_tf.training import saving
from reptile_tf.training.own_objects import own_objects
from reptile_tf.utils.paths import local

_MOST = 1000  # steps, and examples, of a request


class Saveable:
    """What a `MetaLearner` writes, and is read from."""

    def export(
        self,
        path: str | os.PathLike,
        *,
        format: str = "saved_model",
        adapting: bool = False,
        steps: int | None = None,
        uint8_images: bool = False,
        pictures: Preparation | None = None,
        class_names: Sequence[str] = (),
        max_steps: int | None = None,
        max_examples: int | None = None,
    ) -> pathlib.Path:
        """Writes the learner, or its model, for other programs.

        "saved_model" is a SavedModel that adapts inside the server. It goes
        into `path`/VERSION, the layout of TF Serving, under the next number.
        `reptile_tf.serving.signatures` describes what can be asked of it; pip's
        extra [serve] has what this needs.

        "keras", "tflite" and "onnx" are one file, which holds the model with
        the initialization; "onnx" needs the extra [formats]. With `adapting`,
        a file of TFLite holds the learner itself, which adapts there
        (`reptile_tf.serving.tflite_learner`). docs/serving.md says more.

        All are written whole or not at all.

        Args:
            path: the folder of the model's versions, whose name is the model's
                name; or the file, which ends in .keras, .tflite or .onnx.
            format: "saved_model", "keras", "tflite" or "onnx".
            adapting: whether a file of TFLite is to adapt by itself; a
                SavedModel does in any case.
            steps: inner steps of such a file, at least 1; the setting
                `eval_inner_steps` if None.
            uint8_images: whether a SavedModel is to have signatures, too, that
                take raw uint8 images, which are divided by 255, as the data
                sets' are.
            pictures: how picture files become its inputs, for clients of a
                SavedModel and for `reptile-tf adapt`; None if they do not.
            class_names: of the classes that were trained on, to be told by a
                SavedModel.
            max_steps: the most inner steps that a request to a SavedModel may
                ask for; 1000 if None.
            max_examples: the most support examples, and the most query
                examples, that a request may hold; of an adapting file the most
                support examples, for each of which it grows. 1000 if None.

        Returns:
            The folder of the new version, or the file.

        Raises:
            ValueError: the format cannot hold the model, such as one that is
                subclassed, and so does not say what inputs it takes; or
                arguments are out of range, or do not go together.
        """
        # Serving is built on training; the arrow back is for users alone.
        from reptile_tf.serving import files

        learner: Any = self
        files.require(path, format, adapting, steps)
        files.require_served(
            format,
            uint8_images=uint8_images,
            pictures=pictures,
            class_names=class_names,
            max_steps=max_steps,
            max_examples=None if adapting else max_examples,
        )
        if max_examples is None:
            max_examples = _MOST
        if format != "saved_model":
            return files.export(
                *(learner, path),
                adapting=adapting,
                steps=steps,
                max_examples=max_examples,
            )
        from reptile_tf.serving import export

        return export.export(
            learner,
            path,
            uint8_images=uint8_images,
            pictures=pictures,
            class_names=class_names,
            max_steps=_MOST if max_steps is None else max_steps,
            max_examples=max_examples,
        )

    def save(self, path: str | os.PathLike) -> None:
        """Writes the learner to one file, whole or not at all.

        Args:
            path: of the file; by convention it ends in `.zip`.

        Raises:
            ValueError: a part of the learner cannot be saved, such as a loss
                that is a lambda; names it and what would do.
        """
        saving.save(self, path)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike,
        custom_objects: dict[str, Any] | None = None,
    ) -> Self:
        """Returns the learner that `save` wrote.

        Args:
            path: of the file.
            custom_objects: as of `keras.saving.load_model`; also names the
                classes of inner optimizers and algorithms of your own.

        Raises:
            DamagedFileError: it is not whole.
        """
        content = local("path", path).read_bytes()
        return saving.load(cls, content, custom_objects, path)

    def __reduce__(self) -> tuple:
        """Lets pickle and copy make the learner again, phi and all.

        Raises:
            ValueError: a part of it cannot be saved.
        """
        own = own_objects(self)
        return saving.load, (type(self), saving.to_bytes(self), own)
