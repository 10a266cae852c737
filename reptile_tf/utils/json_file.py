"""Files of JSON that may be cut, huge, or a stranger's."""

import json
import os
from typing import Any

from reptile_tf.utils.paths import local

# Settings, and the names of hundreds of thousands of classes, take less.
MOST_BYTES = 1 << 24


def read(path: str | os.PathLike, most: int = MOST_BYTES) -> Any:
    """Returns what a file of JSON holds.

    Args:
        path: of the file.
        most: bytes that it may have.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is no file, has too many bytes, or is no JSON; the text
            is to follow the file's name.
    """
    path = local("path", path)
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ValueError("it is no file")
    with path.open("rb") as file:
        return loads(file.read(most + 1), most)


def loads(content: bytes, most: int = MOST_BYTES) -> Any:
    """Returns what a text of JSON holds.

    Args:
        content: the text.
        most: bytes that it may have.

    Raises:
        ValueError: it has too many bytes, or is no JSON.
    """
    if len(content) > most:
        raise ValueError(f"it has more than {most:,} bytes, which are not read")
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("lists or objects lie in it too deep") from error
