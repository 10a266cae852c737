"""Measures which operations an outer iteration's time goes into.

Example:
    python benchmarks/op_profile.py

Writes profile.json: for each preset the milliseconds of processor time that
each kind of operation takes in an iteration of parallel mode, by TensorFlow's
profiler, on random images. `reptile-tf record` makes the table in
docs/performance.md of it.
"""

import collections
import dataclasses
import pathlib
import re
import statistics
import tempfile
import time

from reptile_tf.utils import machine

machine.configure_tensorflow()

import our_loop
import report
import tensorflow as tf
from absl import app, flags
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from reptile_tf.experiments import build
from reptile_tf.experiments.presets import PRESETS
from reptile_tf.utils.files import write_json

RESULTS = pathlib.Path(__file__).resolve().parents[1] / "results"
PRESET = flags.DEFINE_multi_enum(
    "preset",
    [
        "omniglot_5shot_5way",
        "mini_imagenet_1shot_5way",
        "mini_imagenet_5shot_5way",
    ],
    list(PRESETS),
    "The experiments whose iterations are looked at.",
)
ITERATIONS = flags.DEFINE_integer("iterations", 10, "To look at.", 1)
OUTPUT = flags.DEFINE_string(
    "output",
    str(RESULTS / "benchmarks" / "profile.json"),
    "File for the results.",
)

# The first kind whose pattern is found in an operation's name is its kind.
KINDS = {
    "convolutions": "Conv2D",
    "batch normalization": "BatchNorm",
    "max-pooling": "MaxPool",
    "matrix products (kernels' gradients, the last layer)": "MatMul",
    "patches, mini-batches and tasks gathered": "Gather|Pad|Slice|TopK|Random",
    "Adam, sums and differences of weights": "^(Sub|Mul|AddV2|AddN|RealDiv"
    "|Sqrt|Square|Pow|Maximum)$",
    "weights cut, joined and stacked": "Concat|Split|Reshape|TensorList|Pack",
    "ReLU, biases, loss": "Relu|Bias|Softmax|Xent|Sum|Mean",
}
OTHER = "other operations"


def kind(name: str) -> str:
    """Returns which kind an operation is of.

    Args:
        name: its type.
    """
    for found, pattern in KINDS.items():
        if re.search(pattern, name):
            return found
    return OTHER


def times(folder: str) -> collections.Counter:
    """Returns nanoseconds of each type of operation, without what is in it.

    An operation counts as often as it ran, with the median of its times: the
    profiler takes memory all the while, so that some of them are given pages
    that were never used, which takes longer than to compute.

    Args:
        folder: where TensorFlow's profiler has written.
    """
    [path] = pathlib.Path(folder).rglob("*.xplane.pb")
    space = xplane_pb2.XSpace()
    space.ParseFromString(path.read_bytes())
    spent = collections.defaultdict(list)  # name -> of each time it ran
    for plane in space.planes:
        names = plane.event_metadata
        for line in plane.lines:
            around: list[tuple[int, list, int]] = []  # outermost first
            order = sorted(
                line.events, key=lambda e: (e.offset_ps, -e.duration_ps)
            )
            for event in order:
                while around and around[-1][0] <= event.offset_ps:
                    around.pop()
                if around:
                    _, runs, place = around[-1]
                    runs[place] -= event.duration_ps / 1000
                runs = spent[names[event.metadata_id].name]
                end = event.offset_ps + event.duration_ps
                around.append((end, runs, len(runs)))
                runs.append(event.duration_ps / 1000)
    # What is an operation is named so: its name, a colon, its type.
    found: collections.Counter = collections.Counter()
    for name, runs in spent.items():
        if re.fullmatch(r"[\w./]+:_?[A-Z]\w+", name):
            op = name.rsplit(":", 1)[1].removeprefix("_")
            found[op] += statistics.median(runs) * len(runs)
    return found


def profile(name: str) -> dict:
    """Returns what is reported of a preset's iterations."""
    preset = dataclasses.replace(PRESETS[name], meta_batch_mode="parallel")
    tasks = our_loop.random_tasks(preset)
    learner = build.make_learner(preset, 0, tasks.input_shape)
    count = ITERATIONS.value

    def train():
        start = time.perf_counter(), time.process_time()
        learner.fit(tasks, learner.iteration + count, verbose=0)
        return [
            1000 * (stop - begun) / count
            for begun, stop in zip(
                start, (time.perf_counter(), time.process_time()), strict=True
            )
        ]

    train()
    wall, processor = train()
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        train()
        tf.profiler.experimental.stop()
        spent = times(folder)
    by_kind: collections.Counter = collections.Counter()
    for op, duration in spent.items():
        by_kind[kind(op)] += duration / 1e6 / count
    return {
        "ms": round(wall, 2),
        "cpu_ms": round(processor, 2),
        "ms_of_operations": {
            name: round(by_kind[name], 3) for name in (*KINDS, OTHER)
        },
        "types": {
            op: round(duration / 1e6 / count, 3)
            for op, duration in spent.most_common(25)
        },
    }


def main(_):
    """Runs the benchmark."""
    presets = {name: profile(name) for name in PRESET.value}
    write_json(
        OUTPUT.value,
        {
            "iterations": ITERATIONS.value,
            "machine": report.machine(),
            "presets": presets,
        },
    )
    for name, found in presets.items():
        print(f"{name}: {found['ms']} ms, {found['cpu_ms']} ms of processors")
        for each, ms in found["ms_of_operations"].items():
            print(f"  {ms:8.2f} ms  {each}")
    print("Wrote", OUTPUT.value)


if __name__ == "__main__":
    app.run(main)
