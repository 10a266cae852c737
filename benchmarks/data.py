"""Measures data sources: decoding, and sampling from each kind of source.

Example:
    python benchmarks/data.py

Decodes photos of 500x375 pixels as a folder of pictures is decoded. Then it
trains and samples on 60,000 pictures of 84x84 in three forms, each in a process
of its own: in memory, mapped from a file, and returned by a Python function.
The other experiments on Mini-ImageNet are measured with the mapped file alone.
The pictures are random. Writes data.json.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from reptile_tf.utils import machine

machine.configure_tensorflow()

import numpy as np
import our_loop
import report
from absl import app, flags
from PIL import Image
from worker import Timer

from reptile_tf.cli import flags as shared_flags
from reptile_tf.utils.files import write_json

SOURCES = ("memory", "mapped", "function")
# The sources that each experiment is measured with.
PRESETS = {
    "mini_imagenet_1shot_5way": SOURCES,
    "mini_imagenet_5shot_5way": ("mapped",),
    "mini_imagenet_1shot_5way_transductive": ("mapped",),
    "mini_imagenet_1shot_5way_maml": ("mapped",),
    "mini_imagenet_5shot_5way_maml": ("mapped",),
}
CLASSES, EACH, SHAPE = 100, 600, (84, 84, 3)
PHOTOS = flags.DEFINE_integer("photos", 400, "The photos to decode.", 1)
ROUNDS = flags.DEFINE_integer("rounds", 5, "The rounds of slices.", 1)
OUTPUT = flags.DEFINE_string(
    "output",
    str(
        pathlib.Path(__file__).resolve().parents[1]
        / "results/benchmarks/data.json"
    ),
    "The file for the results.",
)
WORKER = flags.DEFINE_enum(
    "worker", None, SOURCES, "The source to measure here; for the benchmark."
)
FILE = flags.DEFINE_string("file", None, "The raw file; for the benchmark.")
PRESET = flags.DEFINE_enum(
    "preset",
    next(iter(PRESETS)),
    list(PRESETS),
    "The experiment; for the benchmark.",
)
shared_flags.define_threads()


def decoding(folder: pathlib.Path) -> dict:
    """Returns the pictures that are decoded in a second, the best of three."""
    from reptile_tf.data import image_files

    random, paths = np.random.default_rng(0), []
    for number in range(PHOTOS.value):
        # Smooth, as photos are: noise takes longer to decode.
        small = random.integers(0, 256, (15, 20, 3), np.uint8)
        photo = Image.fromarray(small).resize((500, 375), Image.BICUBIC)
        paths.append(folder / f"{number}.jpg")
        photo.save(paths[-1], quality=90)
    rows = np.empty((len(paths), *SHAPE), np.uint8)
    preparation = image_files.Preparation(*SHAPE, "crop")
    rates = []
    for _ in range(3):
        start = time.perf_counter()
        image_files.decode_all(paths, preparation, rows)
        rates.append(len(paths) / (time.perf_counter() - start))
    return {"photos": len(paths), "pictures_per_second": round(max(rates))}


class AnonymousMemory(threading.Thread):
    """Watches this process's anonymous memory (RssAnon)."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak_mb = 0.0

    def run(self):
        """Reads it twenty times a second."""
        while True:
            for line in open("/proc/self/status"):
                if line.startswith("RssAnon:"):
                    self.peak_mb = max(
                        self.peak_mb, int(line.split()[1]) / 1024
                    )
            time.sleep(0.05)


def make_tasks(preset, source: str, path: str):
    """Returns training tasks of a source."""
    import reptile_tf as rt

    offsets = np.arange(0, CLASSES * EACH + 1, EACH)
    if source == "mapped":
        classes = rt.LabelledExamples.from_file(path, "uint8", SHAPE, offsets)
    elif source == "memory":
        rows = np.fromfile(path, np.uint8).reshape(-1, *SHAPE)
        classes = rt.LabelledExamples(rows, offsets)
    else:
        rows = np.memmap(path, np.uint8, "r", shape=(CLASSES * EACH, *SHAPE))

        def task(index):
            random = np.random.default_rng(index)
            chosen = random.choice(CLASSES, preset.ways, replace=False)
            shots, queries = preset.training_shots, preset.query_shots
            places = np.array(
                [random.choice(EACH, shots + queries, False) for _ in chosen]
            )
            places += EACH * chosen[:, np.newaxis]
            labels = np.arange(preset.ways)
            return (
                rows[places[:, :shots].ravel()],
                np.repeat(labels, shots),
                rows[places[:, shots:].ravel()],
                np.repeat(labels, queries),
            )

        return rt.tasks_from_function(task)
    return rt.Episodes(
        classes, preset.ways, preset.training_shots, preset.query_shots
    )


def work() -> None:
    """Measures one source, and prints JSON."""
    import tensorflow as tf

    from reptile_tf.experiments import build, presets

    machine.configure_tensorflow(
        flags.FLAGS.intra_op_threads, flags.FLAGS.inter_op_threads
    )
    memory = AnonymousMemory()
    memory.start()
    preset = presets.PRESETS[PRESET.value]
    tasks = make_tasks(preset, WORKER.value, FILE.value)
    learner = build.make_learner(preset, 0, SHAPE)
    sample = our_loop.sampler(learner, tasks)
    timer, index = Timer(), 0
    our_loop.train(learner, tasks, 2, timer)  # compiles
    sample(tf.constant(0, tf.int64))
    found = {"outer_iteration": [], "sampling": []}
    for _ in range(ROUNDS.value):
        our_loop.train(learner, tasks, 3, timer)
        found["outer_iteration"].append(timer.wall_ms / 3)
        timer.start()
        for _ in range(5):
            index += preset.meta_batch_size
            sample(tf.constant(index, tf.int64))
        timer.stop()
        found["sampling"].append(timer.wall_ms / 5)
    learner.evaluate(tasks, 2)  # memory is that of all of a training
    medians = {name: statistics.median(ms) for name, ms in found.items()}
    print(
        json.dumps(
            {f"{name}_ms": round(ms, 2) for name, ms in medians.items()}
            | {
                "sampling_share": round(
                    medians["sampling"] / medians["outer_iteration"], 4
                ),
                "peak_anonymous_mb": round(memory.peak_mb),
            }
        )
    )


def main(_):
    """Runs the benchmark."""
    if WORKER.value:
        work()
        return
    results = {"machine": report.machine(), "examples": CLASSES * EACH}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        results["decoding"] = decoding(folder)
        print("Decoding:", results["decoding"], flush=True)
        path = folder / "pictures.raw"
        random = np.random.default_rng(0)
        with path.open("wb") as file:
            for _ in range(CLASSES):
                file.write(random.bytes(EACH * int(np.prod(SHAPE))))
        results["sources"] = {}
        for preset, sources in PRESETS.items():
            results["sources"][preset] = {}
            for source in sources:
                answer = subprocess.run(
                    [
                        *(sys.executable, __file__, f"--worker={source}"),
                        *(f"--file={path}", f"--preset={preset}"),
                        f"--rounds={ROUNDS.value}",
                    ],
                    check=True,
                    stdout=subprocess.PIPE,
                    text=True,
                ).stdout
                found = json.loads(answer.splitlines()[-1])
                results["sources"][preset][source] = found
                print(f"{preset}, {source}:", found, flush=True)
    write_json(OUTPUT.value, results)


if __name__ == "__main__":
    app.run(main)
