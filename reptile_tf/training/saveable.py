"""The functions of a learner that write it, and make it again."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any, Self

from reptile_tf.data.preparation import Preparation
from reptile_tf.training import saving
from reptile_tf.training.own_objects import own_objects
from reptile_tf.utils.paths import local


class Saveable:
    """What a `MetaLearner` writes, and is read from."""

    def export(
        self,
        folder: str | os.PathLike,
        *,
        uint8_images: bool = False,
        pictures: Preparation | None = None,
        class_names: Sequence[str] = (),
        max_steps: int = 1000,
        max_examples: int = 1000,
    ) -> pathlib.Path:
        """Writes a SavedModel that adapts inside the server.

        It goes into `folder`/VERSION, the layout of TF Serving, under the next
        number, whole or not at all. `reptile_tf.serving.signatures` describes
        what can be asked of it; pip's extra [serve] has what this needs.

        Args:
            folder: of the model's versions; its name is the model's name.
            uint8_images: whether to add signatures that take raw uint8 images,
                which are divided by 255, as the data sets' are.
            pictures: how picture files become its inputs, for clients and for
                `reptile-tf adapt`; None if they do not.
            class_names: of the classes that were trained on, to be told.
            max_steps: the most inner steps that a request may ask for.
            max_examples: the most support examples, and the most query
                examples, that a request may hold.

        Returns:
            The folder of the new version.

        Raises:
            ValueError: the model is subclassed, and so does not say what
                inputs it takes; or a limit is below 1.
        """
        # Serving is built on training; the arrow back is for users alone.
        from reptile_tf.serving import export

        learner: Any = self
        return export.export(
            learner,
            folder,
            uint8_images=uint8_images,
            pictures=pictures,
            class_names=class_names,
            max_steps=max_steps,
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
