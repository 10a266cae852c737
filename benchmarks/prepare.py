"""What contestants need before they start: an environment, and data."""

import pathlib
import subprocess
import venv

import numpy as np

from reptile_tf.data.labelled_examples import LabelledExamples
from reptile_tf.data.sources import load_classes, omniglot


def torch_python() -> pathlib.Path:
    """Returns the interpreter of PyTorch's own environment, made if needed.

    On Linux, PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu gets the
    build for CPUs, a fraction of the download; it computes the same here.
    """
    folder = pathlib.Path(__file__).resolve().parent / ".venv-torch"
    python = folder / "bin" / "python"
    check = [python, "-c", "import numpy, torch"]
    if not python.exists() or subprocess.run(check).returncode:
        print("Installing PyTorch into", folder)
        venv.create(folder, with_pip=True)
        subprocess.run(
            [python, "-m", "pip", "install", "torch==2.13.0", "numpy"],
            check=True,
        )
    return python


def write_data(path, data_dir=None) -> str:
    """Writes training and test images for all contestants; says which.

    Args:
        path: of the `.npz` file.
        data_dir: TFDS's data_dir with Omniglot; random images of the same
            shape and number if None.
    """
    if data_dir:
        train, _, test = load_classes("omniglot", data_dir)
        parts = [train, test]
    else:
        draw = np.random.RandomState(0)
        parts = [
            LabelledExamples(
                255 * draw.randint(0, 2, (20 * n, 28, 28, 1), np.uint8),
                np.arange(n + 1) * 20,
            )
            for n in (4 * omniglot.TRAINING_CHARACTERS, 423)
        ]
    arrays = {}
    for name, part in zip(("train", "test"), parts, strict=True):
        arrays[f"{name}_images"] = part.examples
        arrays[f"{name}_offsets"] = part.offsets
    np.savez(path, **arrays)
    return "Omniglot" if data_dir else "random images of Omniglot's shape"
