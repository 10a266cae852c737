"""Compares the package's speed with plain loops of PyTorch and Keras.

Example:
    python benchmarks/speed.py --data_dir=$HOME/tensorflow_datasets

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
import report
from absl import app, flags
from worker import Worker

from reptile_tf.cli import flags as shared_flags
from reptile_tf.experiments.presets import PRESETS
from reptile_tf.utils.files import write_json

HERE = pathlib.Path(__file__).resolve().parent
PRESET = "omniglot_5shot_5way"
ROUNDS = flags.DEFINE_integer("rounds", 40, "Rounds of training slices.", 1)
SLICE = flags.DEFINE_integer("slice", 3, "Outer iterations of a slice.", 1)
EVAL_ROUNDS = flags.DEFINE_integer("eval_rounds", 10, "Of evaluation.", 1)
EVAL_SLICE = flags.DEFINE_integer("eval_slice", 10, "Tasks of a slice.", 2)
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "TFDS's data_dir with Omniglot; random images if unset."
)
OUTPUT = flags.DEFINE_string(
    "output",
    str(HERE.parent / "results" / "benchmarks" / "speed.json"),
    "File for the results.",
)
shared_flags.define_threads()

# Variants of a rival are its possible settings; the best one counts.
RIVALS = {
    "pytorch, default threads": ("torch_loop.py", {"threads": 0}),
    "pytorch, 1 thread": ("torch_loop.py", {"threads": 1}),
    "keras, default": ("keras_loop.py", {"jit_compile": "auto"}),
    "keras, without XLA": ("keras_loop.py", {"jit_compile": False}),
}
OURS = {
    f"ours, {mode}": ("ours.py", {"meta_batch_mode": mode})
    for mode in ("serial", "parallel")
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
    """Returns the peak resident memory of `reptile-tf train` on Omniglot."""
    script = HERE.parent / "scripts" / "train.py"
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, script, f"--preset={PRESET}"),
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
    torch = prepare.torch_python()
    workers = {}
    for name, (script, own) in (OURS | RIVALS).items():
        print("Starting", name)
        python = torch if script == "torch_loop.py" else sys.executable
        workers[name] = Worker([python, HERE / script, settings_file], own)
    return workers


def measure(workers: dict) -> dict:
    """Returns what is reported of the contestants."""
    torch, keras = (
        [name for name in RIVALS if name.startswith(rival)]
        for rival in ("pytorch", "keras")
    )
    turns = {n: (w, "train", 1, SLICE.value) for n, w in workers.items()}
    turns["sampling"] = workers["ours, serial"], "sample", 1, 10
    answers = interleave(turns, ROUNDS.value)
    training = {n: report.summarize(a) for n, a in answers.items()}
    peak = answers["ours, serial"][-1]["peak_mb"]
    turns = {
        name: (workers[name], "evaluate", 0, EVAL_SLICE.value)
        for name in ("ours, serial", *torch)
    }
    answers = interleave(turns, EVAL_ROUNDS.value)
    evaluation = {n: report.summarize(a) for n, a in answers.items()}
    return {
        "outer_iteration": training,
        "evaluation_task": evaluation,
        "times_faster": {
            "training": [
                report.times_faster(training, ours, rivals)
                for rivals in (torch, keras)
                for ours in OURS
            ],
            "evaluation": [
                report.times_faster(evaluation, "ours, serial", torch)
            ],
        },
        "sampling_share": report.ratio(training, "sampling", "ours, serial"),
        "peak_mb": {"a worker that trained": round(peak)},
    }


def main(_):
    """Runs the benchmark."""
    preset = dataclasses.asdict(PRESETS[PRESET])
    names = ("rounds", "slice", "eval_rounds", "eval_slice")
    threads = {
        name: flags.FLAGS[name].value
        for name in ("intra_op_threads", "inter_op_threads")
    }
    with tempfile.TemporaryDirectory() as folder:
        data_file = os.path.join(folder, "data.npz")
        data = prepare.write_data(data_file, DATA_DIR.value)
        settings = pathlib.Path(folder, "settings.json")
        settings.write_text(
            json.dumps({"preset": preset, "data": data_file, **threads})
        )
        workers = start(settings)
        try:
            measured = measure(workers)
        finally:
            for worker in workers.values():
                worker.close()
    results = {
        "preset": PRESET,
        "data": data,
        **{name: flags.FLAGS[name].value for name in names},
        **threads,
        "machine": report.machine(),
        "contestants": {name: w.hello for name, w in workers.items()},
        **measured,
    }
    if DATA_DIR.value:
        results["peak_mb"]["scripts/train.py"] = training_peak_mb()
    write_json(OUTPUT.value, results)
    print(report.text(results))


if __name__ == "__main__":
    app.run(main)
