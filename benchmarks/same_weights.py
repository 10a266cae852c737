r"""Whether two versions of the code train to the same weights, bit for bit.

Trains each experiment below for 20 outer iterations with the commands of the
checkout that it is run in, and writes a digest of everything that training
changes: phi, and the state of both optimizers. Run it in both checkouts, on
one machine, as another processor rounds otherwise:

    python benchmarks/same_weights.py --output=before.json
    python benchmarks/same_weights.py --output=after.json --expected=before.json

The first form can be run in an older checkout too, from a copy of this file;
--algorithm_flag is what that version calls --algorithm.
"""

import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import h5py
import numpy as np
from absl import app, flags

OUTPUT = flags.DEFINE_string("output", None, "File to write the digests to.")
EXPECTED = flags.DEFINE_string("expected", None, "File to compare them with.")
DATA_DIR = flags.DEFINE_string(
    "data_dir", "../shared/tfds", "TFDS's data_dir, which holds Omniglot."
)
ALGORITHM_FLAG = flags.DEFINE_string(
    "algorithm_flag", "algorithm", "Name of the flag for the algorithm."
)
flags.mark_flag_as_required("output")

# Name -> the preset, the algorithm if another than the preset's, more flags.
EXPERIMENTS = {
    "glyphs_serial": ("glyphs", None, ()),
    "glyphs_parallel": ("glyphs", None, ("--meta_batch_mode=parallel",)),
    "omniglot_5shot_5way": ("omniglot_5shot_5way", None, ()),
    "maml": ("omniglot_1shot_5way_maml", None, ()),
    "fomaml": ("omniglot_1shot_5way_maml", "fomaml", ()),
    "fomaml_shared": ("omniglot_1shot_5way_maml", "fomaml_shared", ()),
    "anil": ("omniglot_1shot_5way_maml", "anil", ()),
    "mean_g1+g2": ("omniglot_gradients", "1/2,1/2", ()),
    "sine": ("sine", None, ()),
}


def digest(checkpoint: pathlib.Path) -> str:
    """Returns a digest of the numbers in a saved learner."""
    found = hashlib.sha256()

    def add(name, value):
        if isinstance(value, h5py.Group):
            return
        array = value[()]
        found.update(f"{name}{array.dtype}{array.shape}".encode())
        found.update(array.tobytes())

    with zipfile.ZipFile(checkpoint) as learner:
        model = zipfile.ZipFile(io.BytesIO(learner.read("model.keras")))
        weights = io.BytesIO(model.read("model.weights.h5"))
        with h5py.File(weights) as file:
            file.visititems(add)
        with np.load(io.BytesIO(learner.read("state.npz"))) as state:
            for name in sorted(state):
                add(name, state[name])
    return found.hexdigest()


def main(_):
    """Trains all of them, and compares."""
    digests = {}
    for name, (preset, algorithm, more) in EXPERIMENTS.items():
        if algorithm is not None:
            more += (f"--{ALGORITHM_FLAG.value}={algorithm}",)
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [
                    *(sys.executable, "scripts/train.py"),
                    *(f"--preset={preset}", f"--run_dir={folder}"),
                    *("--outer_iterations=20", "--eval_every=20"),
                    *(f"--data_dir={DATA_DIR.value}", *more),
                ],
                check=True,
                capture_output=True,
            )
            [last] = pathlib.Path(folder).glob("checkpoints/*-00000020.zip")
            digests[name] = digest(last)
        print(name, digests[name], flush=True)
    pathlib.Path(OUTPUT.value).write_text(json.dumps(digests, indent=2) + "\n")
    if EXPECTED.value is not None:
        expected = json.loads(pathlib.Path(EXPECTED.value).read_text())
        different = [n for n in expected if digests.get(n) != expected[n]]
        if different:
            sys.exit(f"Other weights than expected: {', '.join(different)}")
        print(f"All {len(expected)} are the same, bit for bit.")


if __name__ == "__main__":
    app.run(main)
