"""A user's own pictures: files in folders, as arrays a model takes."""

import os
import pathlib
from collections.abc import Iterable

import numpy as np
from PIL import Image, UnidentifiedImageError

from reptile_tf.data.images import nearest

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")


def find(folder: str | os.PathLike) -> list[pathlib.Path]:
    """Returns the pictures in a folder and its folders, sorted by path.

    Raises:
        ValueError: there is no such folder, or no picture in it.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder")
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file()
    )
    if not paths:
        raise ValueError(
            f"{folder} holds no picture; pictures end in {', '.join(SUFFIXES)}"
        )
    return paths


def find_classes(folder: str | os.PathLike) -> dict[str, list[pathlib.Path]]:
    """Returns class name -> pictures, of a folder of class folders.

    Raises:
        ValueError: there is no such folder, or one without a class folder, or
            a class folder without a picture.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder")
    folders = sorted(
        p for p in folder.iterdir() if p.is_dir() and p.name[0] != "."
    )
    if not folders:
        raise ValueError(
            f"{folder} must hold a folder for each class, with its pictures"
        )
    return {path.name: find(path) for path in folders}


def load(
    paths: Iterable[str | os.PathLike], height: int, width: int, channels: int
) -> np.ndarray:
    """Returns pictures as uint8 `[n, height, width, channels]`.

    They are resized by nearest neighbour, as the data sets' images are.

    Args:
        paths: of the files.
        height: of the arrays.
        width: of the arrays.
        channels: 1 for grey, 3 for colours.

    Raises:
        ValueError: a file is no picture that can be read.
    """
    mode = {1: "L", 3: "RGB"}[channels]
    images = []
    for path in paths:
        try:
            with Image.open(path) as image:
                # What is transparent is paper.
                paper = Image.new("RGBA", image.size, "white")
                paper.alpha_composite(image.convert("RGBA"))
        except (OSError, UnidentifiedImageError) as error:
            raise ValueError(f"{path} cannot be read: {error}") from error
        pixels = np.asarray(paper.convert(mode)).reshape(
            (*paper.size[::-1], channels)
        )
        images.append(nearest(pixels, height, width))
    return np.stack(images)
