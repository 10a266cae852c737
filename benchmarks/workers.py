"""Measures how much faster a training gets with two processes, on two cores.

Example:
    python benchmarks/workers.py

Writes workers.json and workers.png: what an outer iteration of the 5-shot 5-way
Omniglot network takes in one process and in two that share its tasks, each with
a core of its own, over the loopback interface. Beside them the picture has the
line of a model, for more machines and a network of 10 Gb/s.
"""

import dataclasses
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import time

import report
from absl import app, flags

RESULTS = pathlib.Path(__file__).resolve().parents[1] / "results"
META_BATCH = flags.DEFINE_integer("meta_batch", 16, "The tasks shared.", 2)
ITERATIONS = flags.DEFINE_integer("iterations", 10, "Of a turn.", 1)
ROUNDS = flags.DEFINE_integer("rounds", 6, "Turns of each.", 1)
OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", str(RESULTS / "benchmarks"), "Folder for the results."
)
PART = flags.DEFINE_integer("part", None, "Which process this is; not by hand.")
PRESET = "omniglot_5shot_5way"
# Of the model: bytes a second of 10 Gb/s, and what is drawn.
BANDWIDTH = 1.25e9
WORKERS = (1, 2, 4, 8, 16, 32, 64)
TASKS = 64


def iterate() -> None:
    """Trains, as one of the processes; prints the milliseconds of each turn."""
    from reptile_tf.utils import machine

    os.sched_setaffinity(0, {PART.value})
    machine.configure_tensorflow(inter_op_threads=1)
    import tensorflow as tf

    strategy = None
    if "TF_CONFIG" in os.environ:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    import our_loop

    from reptile_tf.experiments import build
    from reptile_tf.experiments.presets import PRESETS

    preset = dataclasses.replace(
        PRESETS[PRESET],
        meta_batch_size=META_BATCH.value,
        meta_batch_mode="parallel",
    )
    tasks = our_loop.random_tasks(preset)
    learner = build.make_learner(preset, 0, tasks.input_shape)
    learner.fit(tasks, 3, verbose=0, strategy=strategy)
    turns = []
    for _ in range(ROUNDS.value):
        start = time.perf_counter()
        learner.fit(
            tasks,
            learner.iteration + ITERATIONS.value,
            iterations_per_epoch=learner.iteration + ITERATIONS.value,
            verbose=0,
            strategy=strategy,
        )
        turns.append(1000 * (time.perf_counter() - start) / ITERATIONS.value)
    state = tf.nest.flatten(learner.inner_state)
    print(
        json.dumps(
            {
                "ms": turns,
                "parameters": learner.functional.size,
                "state": sum(int(tf.size(t)) for t in state),
            }
        )
    )


def measure(processes: int) -> dict:
    """Returns what the first of so many processes printed."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(processes)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    started = []
    for part in range(processes):
        environment = dict(os.environ)
        if processes > 1:
            environment["TF_CONFIG"] = json.dumps(
                {
                    "cluster": {"worker": [f"localhost:{p}" for p in ports]},
                    "task": {"type": "worker", "index": part},
                }
            )
        command = [sys.executable, __file__, f"--part={part}"]
        command += [
            f"--{f.name}={f.value}" for f in (META_BATCH, ITERATIONS, ROUNDS)
        ]
        started.append(
            subprocess.Popen(
                command,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        )
    printed = [process.communicate()[0] for process in started]
    codes = [process.returncode for process in started]
    if any(codes):
        raise RuntimeError(f"processes ended with the codes {codes}")
    return json.loads(printed[0].splitlines()[-1])


def model(task_ms: float, row_bytes: float, workers: int) -> float:
    """Returns how many times faster so many workers are, in the model.

    Each makes its share of the tasks, and is sent the rows of the others.

    Args:
        task_ms: what a worker takes for a task.
        row_bytes: what is sent for it.
        workers: how many there are.
    """
    share = -(-TASKS // workers)
    sent = (TASKS - TASKS / workers) * row_bytes
    return TASKS * task_ms / (share * task_ms + 1000 * sent / BANDWIDTH)


def draw(results: dict, path) -> None:
    """Draws what was measured beside the model."""
    from matplotlib.ticker import NullLocator

    from reptile_tf.experiments import figure_style

    with figure_style.figure(path, height=2.2) as [axis]:
        axis.plot(WORKERS, WORKERS, ":", color="0.5", label="as many times")
        axis.plot(
            WORKERS,
            list(results["model"]["times_faster"].values()),
            **figure_style.line(1),
            label=f"a model, not measured: {TASKS} tasks, 10 Gb/s",
        )
        axis.plot(
            [1, 2],
            [1, results["times_faster"]],
            **figure_style.line(0),
            label=f"measured: {results['meta_batch']} tasks, two cores",
        )
        axis.set_xscale("log", base=2)
        axis.set_yscale("log", base=2)
        axis.set_xticks(WORKERS, [str(n) for n in WORKERS])
        axis.set_yticks(WORKERS, [str(n) for n in WORKERS])
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set(xlabel="processes", ylabel="times faster than one")
        figure_style.legend([axis])


def main(_):
    """Runs the benchmark, or its part."""
    if PART.value is not None:
        iterate()
        return
    from reptile_tf.utils.files import write_json

    found = {n: measure(n) for n in (1, 2)}
    ms = {n: statistics.median(one["ms"]) for n, one in found.items()}
    row_bytes = 4 * (found[1]["parameters"] + found[1]["state"])
    task_ms = ms[1] / META_BATCH.value
    results = {
        "preset": PRESET,
        "machine": report.machine(),
        "meta_batch": META_BATCH.value,
        "iterations": ITERATIONS.value,
        "turns_ms": {n: one["ms"] for n, one in found.items()},
        "median_ms": ms,
        "times_faster": ms[1] / ms[2],
        "bytes_of_a_task": row_bytes,
        "task_ms": task_ms,
        "model": {
            "tasks": TASKS,
            "bytes_per_second": BANDWIDTH,
            "times_faster": {n: model(task_ms, row_bytes, n) for n in WORKERS},
        },
    }
    folder = pathlib.Path(OUTPUT_DIR.value)
    write_json(folder / "workers.json", results)
    draw(results, folder / "workers.png")
    print(f"Two processes are {results['times_faster']:.2f} times as fast.")
    print("Wrote", folder / "workers.json", "and workers.png")


if __name__ == "__main__":
    app.run(main)
