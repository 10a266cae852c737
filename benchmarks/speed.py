"""Compares the package's speed with hand-written loops of other libraries.

Example:
    python benchmarks/speed.py --data_dir=$HOME/tensorflow_datasets
    python benchmarks/speed.py --preset=mini_imagenet_1shot_5way \
        --rounds=10 --slice=1 --eval_rounds=5 --eval_slice=2

Contestants take turns in short slices, in an order shuffled every round, so
that whatever else the machine does hits all of them alike.
"""

import dataclasses
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import prepare
import product
import report
from absl import app, flags
from contestants import OURS, PRODUCTS, RIVALS
from worker import Worker

from reptile_tf.cli import flags as shared_flags
from reptile_tf.experiments import arithmetic
from reptile_tf.experiments.presets import PRESETS
from reptile_tf.utils.files import write_json

HERE = pathlib.Path(__file__).resolve().parent
DEFAULT = "omniglot_5shot_5way"
PRESET = flags.DEFINE_enum(
    "preset",
    DEFAULT,
    [DEFAULT, "mini_imagenet_1shot_5way", "mini_imagenet_5shot_5way"],
    "The experiment whose outer iterations are measured.",
)
ROUNDS = flags.DEFINE_integer("rounds", 40, "Rounds of training slices.", 1)
SLICE = flags.DEFINE_integer("slice", 3, "Outer iterations of a slice.", 1)
EVAL_ROUNDS = flags.DEFINE_integer("eval_rounds", 10, "Of evaluation.", 1)
EVAL_SLICE = flags.DEFINE_integer("eval_slice", 10, "Tasks of a slice.", 2)
DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "TFDS's data_dir with the preset's data set; random images if unset.",
)
OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "File for the results; results/benchmarks/speed.json if unset, or "
    "speed_PRESET.json for another preset than the default.",
)
VECTORS = flags.DEFINE_enum(
    "vectors",
    None,
    ["AVX2"],
    "The widest vectors that contestants compute with, where the processor has "
    "wider ones. YNNPACK, a part of JAX, cannot be told so.",
)
shared_flags.define_threads()

# How each library is told to compute with AVX2: oneDNN, which is in TensorFlow
# and PyTorch; PyTorch itself; MKL, which is in PyTorch; and JAX.
WITH_AVX2 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
}


def interleave(turns, rounds: int) -> dict:
    """Lets workers take turns.

    Args:
        turns: name -> (worker, command, warm-up, count): the iterations to
            make unmeasured, as caches are another's by then, and measured.
        rounds: how often each has its turn.

    Returns:
        name -> the worker's answers.
    """
    names, order = list(turns), random.Random(0)
    answers = {name: [] for name in turns}
    for worker, command, _, count in turns.values():  # compiles
        worker.run(command, count)
    for done in range(rounds):
        print(f"\rround {done + 1} of {rounds}", end="", flush=True)
        order.shuffle(names)
        for name in names:
            worker, command, warm_up, count = turns[name]
            if warm_up:
                worker.run(command, warm_up)
            answers[name].append(worker.run(command, count))
    print()
    return answers


def training_peak_mb() -> int:
    """Returns the peak resident memory of `reptile-tf train`."""
    script = HERE.parent / "scripts" / "train.py"
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, script, f"--preset={PRESET.value}"),
            *(f"--data_dir={DATA_DIR.value}", f"--run_dir={folder}/run"),
            *("--outer_iterations=50", "--eval_every=50"),
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{script} ended with code {process.returncode}")
    return round(usage.ru_maxrss / 1024)


def start(settings_file) -> dict:
    """Starts all contestants: name -> worker."""
    rivals_python = prepare.rivals_python()
    workers = {}
    everybody = [OURS, *RIVALS.values(), PRODUCTS]
    for name, contestant in (c for group in everybody for c in group.items()):
        print("Starting", name)
        python = rivals_python if contestant.of_rivals else sys.executable
        workers[name] = Worker(
            [python, HERE / contestant.script, settings_file],
            contestant.settings,
            contestant.environment,
        )
    return workers


def measure(workers: dict) -> dict:
    """Returns what is reported of the contestants."""
    rivals = [name for group in RIVALS.values() for name in group]
    turns = {n: (workers[n], "train", 1, SLICE.value) for n in (*OURS, *rivals)}
    turns["sampling"] = workers["ours, serial"], "sample", 1, 10
    turns |= {n: (workers[n], "multiply", 1, 4) for n in PRODUCTS}
    answers = interleave(turns, ROUNDS.value)
    training = {n: report.summarize(a) for n, a in answers.items()}
    peak = answers["ours, serial"][-1]["peak_mb"]
    turns = {  # which does not depend on the meta-batch's mode
        name: (workers[name], "evaluate", 0, EVAL_SLICE.value)
        for name in ("ours, serial", *rivals)
    }
    answers = interleave(turns, EVAL_ROUNDS.value)
    evaluation = {n: report.summarize(a) for n, a in answers.items()}
    products = {name: training.pop(name) for name in PRODUCTS}
    return {
        "outer_iteration": training,
        "evaluation_task": evaluation,
        "product": products,
        "times_faster": {
            "training": [
                report.times_faster(training, ours, group)
                for group in RIVALS.values()
                for ours in OURS
            ],
            "evaluation": [
                report.times_faster(evaluation, "ours, serial", group)
                for group in RIVALS.values()
            ],
        },
        "arithmetic": limit(training, products),
        "sampling_share": report.ratio(training, "sampling", "ours, serial"),
        "peak_mb": {"a worker that trained": round(peak)},
    }


def limit(training: dict, products: dict) -> dict:
    """Returns the arithmetic of an iteration, beside a large product's."""
    return report.arithmetic(
        training,
        products,
        arithmetic.outer_iteration(PRESETS[PRESET.value]) / 1e9,
        product.GFLOP,
        OURS,
    )


def compete(data_file, threads: dict) -> dict:
    """Returns what the contestants told about themselves, and the numbers."""
    preset = dataclasses.asdict(PRESETS[PRESET.value])
    settings = pathlib.Path(data_file).with_name("settings.json")
    settings.write_text(
        json.dumps({"preset": preset, "data": data_file, **threads})
    )
    workers = start(settings)
    try:
        measured = measure(workers)
    finally:
        for worker in workers.values():
            worker.close()
    return {
        "contestants": {name: w.hello for name, w in workers.items()},
        **measured,
    }


def main(_):
    """Runs the benchmark."""
    names = ("rounds", "slice", "eval_rounds", "eval_slice")
    threads = {
        name: flags.FLAGS[name].value
        for name in ("intra_op_threads", "inter_op_threads")
    }
    machine = report.machine()
    if VECTORS.value:
        os.environ.update(WITH_AVX2)
        machine["widest_vectors"] = machine["vectors"]
        machine["vectors"] = VECTORS.value
    with tempfile.TemporaryDirectory() as folder:
        data_file = os.path.join(folder, "data.npz")
        data = prepare.write_data(
            data_file, DATA_DIR.value, PRESETS[PRESET.value].dataset
        )
        measured = compete(data_file, threads)
    results = {
        "preset": PRESET.value,
        "data": data,
        **{name: flags.FLAGS[name].value for name in names},
        **threads,
        "machine": machine,
        **measured,
    }
    if DATA_DIR.value:
        results["peak_mb"]["scripts/train.py"] = training_peak_mb()
    default = PRESET.value == DEFAULT
    name = "speed.json" if default else f"speed_{PRESET.value}.json"
    folder = HERE.parent / "results" / "benchmarks"
    write_json(OUTPUT.value or str(folder / name), results)
    print(report.text(results))


if __name__ == "__main__":
    app.run(main)
