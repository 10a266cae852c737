"""Data sets that TFDS prepares: where they lie, and what is seen of it."""

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator

import tensorflow_datasets as tfds
from google.protobuf import json_format

from reptile_tf.utils import bars
from reptile_tf.utils.paths import of_tfds


def folder(data_dir: str | os.PathLike | None) -> str | None:
    """Returns a data_dir; refuses TFDS's default where that is no place."""
    known = of_tfds("data_dir", data_dir)
    if known is None and tfds.core.constants.DATA_DIR.startswith("~"):
        raise ValueError(
            "data_dir must be given, or TFDS_DATA_DIR: there is no home folder "
            "for TFDS's default"
        )
    return known


def existing(data_dir: str | os.PathLike | None) -> str | None:
    """Returns what `folder` does; refuses one that is named and not there."""
    known = folder(data_dir)
    if known is not None and not tfds.core.Path(known).is_dir():
        raise ValueError(
            f"data_dir={data_dir} is not a folder; name the one that holds "
            "TFDS's data sets, or make it, for TFDS to download to"
        )
    return known


@contextlib.contextmanager
def named_if_damaged(data_dir: object, name: str) -> Iterator[None]:
    """Says which data set it is whose description TFDS cannot read.

    Args:
        data_dir: the folder that TFDS looks into, None for its default.
        name: of the data set.

    Raises:
        ValueError: a file of it is cut, or another's.
    """
    try:
        yield
    except (json_format.ParseError, json.JSONDecodeError) as error:
        place = data_dir or tfds.core.constants.DATA_DIR
        raise ValueError(
            f"data_dir={place} is damaged: in its folder {name}, {error}; "
            "remove that folder and prepare it again"
        ) from error


def prepare(builder: tfds.core.DatasetBuilder) -> None:
    """Lets TFDS download and write a data set, if it is not there."""
    with quiet():
        builder.download_and_prepare()


@contextlib.contextmanager
def quiet(everywhere: bool = False) -> Iterator[None]:
    """Keeps what TFDS tells of its progress out of logs and pipes.

    Args:
        everywhere: whether also from terminals.
    """
    if bars.shown(sys.stdout) and bars.shown(sys.stderr) and not everywhere:
        yield
        return
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        yield
