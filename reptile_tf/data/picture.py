"""One picture, in any format that people have, as an array a model takes."""

import contextlib
import os
import pathlib
import stat
import warnings
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from absl import logging
from PIL import ExifTags, Image, UnidentifiedImageError

from reptile_tf.data.preparation import Preparation
from reptile_tf.utils.paths import PathError, local

# Those that Pillow may try: some of its others start programs.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")

# Of a picture that is unpacked whole, which takes up to 16 bytes for each.
MOST_PIXELS = 50_000_000
_MOST_BYTES = 1 << 29
_FAR = 8  # pixels between those that are taken, from which on lines get lost

# What makes a picture upright, by the number that its camera wrote.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnreadablePictureError(ValueError):
    """A file is no picture that can be read."""


def decode(
    picture: str | os.PathLike | IO[bytes], preparation: Preparation
) -> np.ndarray:
    """Returns a picture as uint8 `[height, width, channels]`.

    It is turned as its camera says; an animation is its first frame; and what
    is transparent is white, as paper is.

    Args:
        picture: path of a BMP, GIF, JPEG, PNG or WebP file, or the open file.
        preparation: how it becomes an array.

    Raises:
        UnreadablePictureError: it is no picture that can be read.
    """
    with without_warnings():
        return decode_in_thread(picture, preparation)


@contextlib.contextmanager
def without_warnings() -> Iterator[None]:
    """Silences Pillow, which warns of huge pictures and of broken notes.

    Python's warnings are a state of the process, not of a thread: one thread
    does this for all.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def decode_in_thread(
    picture: str | os.PathLike | IO[bytes], preparation: Preparation
) -> np.ndarray:
    """Does what `decode` does, inside of `without_warnings`."""
    try:
        with contextlib.ExitStack() as stack:
            if isinstance(picture, str | os.PathLike):
                path = local("picture", picture)
                _require_file(path)
                file: IO[bytes] = stack.enter_context(path.open("rb"))
            else:
                file = picture
            size = file.seek(0, os.SEEK_END)
            if not size:
                raise EOFError("it is empty")
            if size > _MOST_BYTES:
                raise ValueError(
                    f"it has {size:,} bytes; at most {_MOST_BYTES:,} are read"
                )
            image = stack.enter_context(Image.open(file, formats=FORMATS))
            return _prepared(image, preparation)
    # Each decoder has errors of its own, and for all of them the file is at
    # fault.
    except PathError:
        raise
    except Exception as error:
        if isinstance(error, UnidentifiedImageError):
            reason = f"it is none of {', '.join(FORMATS)}"
        else:
            reason = getattr(error, "strerror", None) or str(error)
        name = getattr(picture, "name", "the picture")
        if isinstance(picture, str | os.PathLike):
            name = os.fspath(picture)
        raise UnreadablePictureError(
            f"{name} cannot be read: {reason or type(error).__name__}"
        ) from error


def _require_file(path: pathlib.Path) -> None:
    """Refuses what would be waited for, such as a pipe."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ValueError("it is no file")


def require_pixels(image: Image.Image) -> None:
    """Refuses a picture that would take too much memory to unpack.

    Args:
        image: that was opened, and not unpacked yet. A JPEG file may have
            been told to be unpacked smaller.

    Raises:
        ValueError: it has no pixels, or more than 50 million.
    """
    pixels = image.width * image.height
    if not 0 < pixels <= MOST_PIXELS:
        raise ValueError(
            f"it has {image.width:,} x {image.height:,} pixels; pictures of 1 "
            f"to {MOST_PIXELS:,} pixels are read"
        )


def _prepared(image: Image.Image, preparation: Preparation) -> np.ndarray:
    height, width, channels = preparation.shape
    if preparation.resize != "nearest":
        # A JPEG file can be decoded at a half, a quarter or an eighth of its
        # size. At least twice the array's is left to average.
        side = 2 * max(height, width)
        image.draft(None, (side, side))
    require_pixels(image)
    image = upright(image, channels)
    if preparation.resize == "nearest":
        _warn_of_thin_lines(image, height, width)
        pixels = np.asarray(image)
        rows = _nearest(height, image.height)
        columns = _nearest(width, image.width)
        return pixels[rows][:, columns].reshape(preparation.shape)
    left, top = 0.0, 0.0
    if preparation.resize == "crop":
        left = max(0.0, image.width - image.height * width / height) / 2
        top = max(0.0, image.height - image.width * height / width) / 2
    box = left, top, image.width - left, image.height - top
    return area_means(image, height, width, box)


def _warn_of_thin_lines(image: Image.Image, height: int, width: int) -> None:
    apart = max(image.height / height, image.width / width)
    if apart > _FAR:
        logging.log_first_n(
            logging.WARNING,
            "A drawing of %d x %d pixels becomes one of %d x %d by single "
            "pixels, which lie %d apart: lines that are thinner break up. Draw "
            "with a pen that is at least as thick.",
            1,
            *(*image.size, width, height, round(apart)),
        )


def upright(image: Image.Image, channels: int) -> Image.Image:
    """Returns a whole picture of 8 bits, turned right and without transparency.

    Args:
        image: an open picture, in any form that Pillow reads.
        channels: 1 for grey, 3 for colours.
    """
    image.load()
    turn = _TURNS.get(orientation(image))
    image = _opaque(image).convert("L" if channels == 1 else "RGB")
    return image if turn is None else image.transpose(turn)


def area_means(
    image: Image.Image,
    height: int,
    width: int,
    box: tuple[float, float, float, float] | None = None,
) -> np.ndarray:
    """Returns an image in another size, each pixel the mean of its area.

    A pixel that lies in two areas counts in each as far as it lies there;
    Pillow's own box filter would count it in one of them.

    Args:
        image: of 8 bits, in grey or colours.
        height: of the result.
        width: of the result.
        box: the part to take: left, top, right and bottom; all if None.

    Returns:
        uint8 `[height, width, channels]`.
    """
    left, top, right, bottom = box or (0.0, 0.0, *map(float, image.size))
    # Of a picture that is much larger, Pillow takes means of whole pixels.
    factor = int(min((right - left) / width, (bottom - top) / height) / 4)
    if factor > 1:
        image = image.reduce(factor)
        left, top, right, bottom = (
            edge / factor for edge in (left, top, right, bottom)
        )
    pixels = np.asarray(image, np.float32)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    rows = _overlaps(height, top, bottom, pixels.shape[0])
    columns = _overlaps(width, left, right, pixels.shape[1])
    means = rows @ pixels.reshape(len(pixels), -1)
    means = columns @ means.reshape(height, *pixels.shape[1:])
    return np.rint(means).astype(np.uint8)


def _overlaps(size: int, start: float, stop: float, side: int) -> np.ndarray:
    """Returns the share of each of `side` pixels in each of `size` areas.

    The areas divide what lies between `start` and `stop`; float32
    `[size, side]`, whose rows have the sum 1.
    """
    edges = np.linspace(start, stop, size + 1)[:, np.newaxis]
    pixels = np.arange(side)
    shared = np.minimum(edges[1:], pixels + 1) - np.maximum(edges[:-1], pixels)
    shared = np.maximum(shared, 0)
    return (shared / shared.sum(1, keepdims=True)).astype(np.float32)


def _nearest(size: int, side: int) -> np.ndarray:
    """Returns what `reptile_tf.data.images.nearest` takes, without TensorFlow.

    For a single picture, and in many threads, NumPy is faster.
    """
    return ((np.arange(size) + 0.5) / size * side).astype(np.int64)


def orientation(image: Image.Image) -> Any:
    """Returns the number that says how the camera was held, or nothing."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # the camera's notes are broken, the picture need not be
        return None


def _opaque(image: Image.Image) -> Image.Image:
    """Returns an image of 8 bits without transparency, on white paper."""
    if image.mode == "I" or image.mode.startswith("I;"):  # grey of 16 bits
        values = np.asarray(image).astype(np.int32)
        grey = (values + 128) // 257
        grey[values == image.info.get("transparency")] = 255
        return Image.fromarray(grey.astype(np.uint8))
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    paper = Image.new("RGBA", image.size, "white")
    paper.alpha_composite(image.convert("RGBA"))
    return paper
