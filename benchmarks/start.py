"""Measures how soon a training begins, beside importing TensorFlow alone.

Example:
    python benchmarks/start.py --data_dir=$HOME/tensorflow_datasets

Commands take turns: `import tensorflow`, and `reptile-tf train` of some
presets, until the first outer iteration is done and saved. The first round is
not counted, as files come from the disk in it. Writes start.json.
"""

import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import report
from absl import app, flags

from reptile_tf.experiments.presets import PRESETS
from reptile_tf.utils.files import write_json

ROOT = pathlib.Path(__file__).resolve().parents[1]
PRESET = flags.DEFINE_multi_enum(
    "preset",
    ["omniglot_5shot_5way", "glyphs", "sine"],
    list(PRESETS),
    "The experiments that are begun.",
)
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Where TFDS keeps its data sets."
)
ROUNDS = flags.DEFINE_integer("rounds", 7, "The rounds that count.", 1)
OUTPUT = flags.DEFINE_string(
    "output",
    str(ROOT / "results" / "benchmarks" / "start.json"),
    "The file for the results.",
)
_LONGEST = 300.0  # seconds


def importing() -> float:
    """Returns the seconds of a process that imports TensorFlow."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", "import tensorflow"],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def beginning(preset: str) -> float:
    """Returns the seconds until a training has made its first iteration.

    Args:
        preset: the experiment.
    """
    folder = pathlib.Path(tempfile.mkdtemp()) / "run"
    command = [
        *(sys.executable, "-m", "reptile_tf", "train", f"--preset={preset}"),
        *(f"--run_dir={folder}", "--checkpoint_every=1"),
        *([f"--data_dir={DATA_DIR.value}"] if DATA_DIR.value else []),
    ]
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not list(folder.glob("checkpoints/*.zip")):
            if process.poll() is not None:
                raise RuntimeError(f"{command} ended by itself")
            if time.perf_counter() - start > _LONGEST:
                raise RuntimeError(f"{command} has not begun")
            time.sleep(0.005)
        return time.perf_counter() - start
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder.parent)


def main(_):
    """Runs the benchmark."""
    imports: list[float] = []
    begun: dict[str, list[float]] = {name: [] for name in PRESET.value}
    for _ in range(1 + ROUNDS.value):
        imports.append(importing())
        for name, seconds in begun.items():
            seconds.append(beginning(name))
    imports.pop(0)
    results = {
        "machine": report.machine(),
        "rounds": ROUNDS.value,
        "seconds_to_import_tensorflow": round(statistics.median(imports), 2),
        "presets": {
            name: {
                "seconds": round(statistics.median(seconds), 2),
                "times_the_import": round(
                    statistics.median(
                        one / other
                        for one, other in zip(seconds, imports, strict=True)
                    ),
                    2,
                ),
            }
            for name, (_, *seconds) in begun.items()
        },
    }
    write_json(OUTPUT.value, results)
    for name, found in results["presets"].items():
        print(
            f"{name}: {found['seconds']} s until the first iteration, "
            f"{found['times_the_import']} times the import of TensorFlow"
        )
    print("Wrote", OUTPUT.value)


if __name__ == "__main__":
    app.run(main)
