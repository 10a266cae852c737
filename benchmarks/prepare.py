"""What contestants need before they start: an environment, and data."""

import pathlib
import subprocess
import venv

import numpy as np

from reptile_tf.data.labelled_examples import LabelledExamples
from reptile_tf.data.sources import load_classes, omniglot

# The images of a class that are taken: every contestant holds them in memory.
IMAGES = {"omniglot": 20, "mini_imagenet": 120}
# Training classes, test classes, and the shape of an image.
SHAPES = {
    "omniglot": (4 * omniglot.TRAINING_CHARACTERS, 423, (28, 28, 1)),
    "mini_imagenet": (64, 20, (84, 84, 3)),
}


def rivals_python() -> pathlib.Path:
    """Returns the interpreter of the rivals' own environment, made if needed.

    On Linux, PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu gets the
    build of PyTorch for CPUs, a fraction of the download; it computes the same
    here.
    """
    folder = pathlib.Path(__file__).resolve().parent / ".venv-rivals"
    python = folder / "bin" / "python"
    check = [python, "-c", "import jax, numpy, torch"]
    if not python.exists() or subprocess.run(check).returncode:
        print("Installing PyTorch and JAX into", folder)
        venv.create(folder, with_pip=True)
        subprocess.run(
            [python, "-m", "pip", "install", "torch==2.13.0", "jax", "numpy"],
            check=True,
        )
    return python


def write_data(path, data_dir=None, dataset: str = "omniglot") -> str:
    """Writes training and test images for all contestants; says which.

    Args:
        path: of the `.npz` file.
        data_dir: TFDS's data_dir with the data set; random images of the same
            shape and number if None.
        dataset: omniglot or mini_imagenet.
    """
    if data_dir:
        train, _, test = load_classes(dataset, data_dir)
        parts = [_first(classes, IMAGES[dataset]) for classes in (train, test)]
    else:
        parts = [_random(dataset, n) for n in SHAPES[dataset][:2]]
    arrays = {}
    for name, (images, offsets) in zip(("train", "test"), parts, strict=True):
        arrays[f"{name}_images"] = images
        arrays[f"{name}_offsets"] = offsets
    np.savez(path, **arrays)
    name = {"omniglot": "Omniglot", "mini_imagenet": "Mini-ImageNet"}[dataset]
    return name if data_dir else f"random images of {name}'s shape"


def _first(classes: LabelledExamples, most: int) -> tuple:
    """Returns the first images of each class, and the classes' offsets."""
    parts = [classes[c][:most] for c in range(classes.num_classes)]
    return np.concatenate(parts), np.cumsum([0, *map(len, parts)])


def _random(dataset: str, classes: int) -> tuple:
    """Returns images of noise, and the classes' offsets."""
    each, shape = IMAGES[dataset], SHAPES[dataset][2]
    draw = np.random.RandomState(classes)
    images = 255 * draw.randint(0, 2, (each * classes, *shape), np.uint8)
    return images, np.arange(classes + 1) * each
