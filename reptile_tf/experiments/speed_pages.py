"""The tables of docs/performance.md, made of what benchmarks measured."""

import json
import pathlib
from typing import Any

from reptile_tf.experiments import arithmetic
from reptile_tf.experiments.markdown import table_of
from reptile_tf.experiments.presets import PRESETS


def _read(results: pathlib.Path, name: str) -> dict[str, Any]:
    """Returns what a benchmark wrote; nothing if it is not there."""
    path = results / "benchmarks" / name
    return json.loads(path.read_text()) if path.exists() else {}


def _speeds(results: pathlib.Path) -> list[dict[str, Any]]:
    """Returns what was measured of each preset."""
    paths = sorted((results / "benchmarks").glob("speed*.json"))
    found = [json.loads(path.read_text()) for path in paths]
    return [one for one in found if "arithmetic" in one]


def _processor(measured: dict[str, Any]) -> str:
    told = measured["machine"]
    return f"{told['cpu']}, {told['vectors']}"


def _machine(measured: dict[str, Any]) -> str:
    return f"{_processor(measured)}, {measured['machine']['cores']} cores"


def speed(results: pathlib.Path) -> list[str]:
    """Returns what an outer iteration and a task of evaluation take."""
    rows = []
    for measured in _speeds(results):
        evaluation = measured["evaluation_task"]
        for name, own in measured["outer_iteration"].items():
            if name == "sampling":
                continue
            each = evaluation.get(name)
            rows.append(
                [
                    measured["preset"],
                    _processor(measured),
                    name,
                    f"{own['median_ms']:,.1f}",
                    f"{own['min_ms']:,.1f}",
                    f"{each['median_ms']:,.1f}" if each else "",
                ]
            )
    head = "Preset, Processor, Contestant, ms an outer iteration, at best"
    return table_of([*head.split(", "), "ms a task of evaluation"], rows)


def times_faster(results: pathlib.Path) -> list[str]:
    """Returns how many times faster we are than the best of each kind."""
    rows = [
        [
            measured["preset"],
            _processor(measured),
            what,
            ratio["ours"],
            ratio["rival"],
            f"{ratio['median_of_ms_ratios']:.2f}",
            f"{ratio['ratio_of_min_ms']:.2f}",
        ]
        for measured in _speeds(results)
        for what, ratios in measured["times_faster"].items()
        for ratio in ratios
    ]
    head = "Preset, Processor, Of, Ours, The best rival of its kind"
    head += ", Times faster, at best"
    return table_of(head.split(", "), rows)


def shares(results: pathlib.Path) -> list[str]:
    """Returns how near we come to what the processor can do."""
    rows = []
    for measured in _speeds(results):
        limit = measured["arithmetic"]
        product, preset = limit["product_gflop_per_s"], measured["preset"]
        found = [
            (
                "training",
                *(name, limit["gflop_of_an_outer_iteration"]),
                *(own["gflop_per_s"], own["share_of_the_product"]),
            )
            for name, own in limit.items()
            if isinstance(own, dict)
        ]
        gflop = arithmetic.evaluation_task(PRESETS[preset]) / 1e9
        for name, own in measured["evaluation_task"].items():
            if name.startswith("ours"):
                rate = gflop / own["median_ms"] * 1000
                found.append(("evaluation", name, gflop, rate, rate / product))
        rows += [
            [
                *(preset, of, name, f"{gflop:.2f}", f"{rate:.0f}"),
                *(f"{product:.0f}", f"{share:.3f}", _machine(measured)),
            ]
            for of, name, gflop, rate, share in found
        ]
    head = "Preset, Of, Ours, GFLOP, GFLOP/s, of the product, Share, Processor"
    return table_of(head.split(", "), rows)


def profile(results: pathlib.Path) -> list[str]:
    """Returns which operations an iteration's time goes into."""
    presets = _read(results, "profile.json").get("presets", {})
    if not presets:
        return []
    totals = {
        name: sum(found["ms_of_operations"].values())
        for name, found in presets.items()
    }
    kinds = next(iter(presets.values()))["ms_of_operations"]
    rows = []
    for kind in kinds:
        cells = []
        for name, found in presets.items():
            ms = found["ms_of_operations"][kind]
            cells.append(f"{ms:.1f} ms, {ms / totals[name]:.0%}")
        rows.append([kind, *cells])
    return table_of(["Operations", *presets], rows)


def memory(results: pathlib.Path) -> list[str]:
    """Returns the peak memory of each algorithm against inner steps."""
    by_steps = _read(results, "meta_gradients.json").get("steps", {})
    if not by_steps:
        return []
    first, last = list(by_steps)[0], list(by_steps)[-1]
    rows = []
    for name in by_steps[first]:
        peaks = [found[name]["peak_mb"] for found in by_steps.values()]
        each = (peaks[-1] - peaks[0]) / (int(last) - int(first))
        rows.append([name, *(f"{peak:.0f}" for peak in peaks), f"{each:.1f}"])
    head = [f"k = {steps}" for steps in by_steps]
    return table_of(["Peak memory, MB", *head, "One more step"], rows)


def start(results: pathlib.Path) -> list[str]:
    """Returns how soon a training begins."""
    measured = _read(results, "start.json")
    rows = [
        [
            name,
            f"{found['seconds']:.1f}",
            f"{measured['seconds_to_import_tensorflow']:.1f}",
            f"{found['times_the_import']:.2f}",
            _machine(measured),
        ]
        for name, found in measured.get("presets", {}).items()
    ]
    head = "Preset, Seconds, of importing TensorFlow, Times as long, Processor"
    return table_of(head.split(", "), rows) if rows else []


def serving(results: pathlib.Path) -> list[str]:
    """Returns how many answers clients get, of the server and without it."""
    measured = _read(results, "serving.json")
    clients = measured.get("clients", {})
    rows, one = [], None
    for name, found in clients.items():
        number, _, in_the_model = name.partition(" ")
        rate = found["requests_per_second"]
        one = rate if number == "1" else one
        rows.append(
            [
                "the model itself" if in_the_model else "the server",
                *(number, f"{rate:.1f}", f"{rate / one:.2f}"),
                *(f"{found[ms]:.0f}" for ms in ("p50_ms", "p95_ms")),
                _machine(measured),
            ]
        )
    head = "Asked, Clients, Answers a second, Times those of one, median ms"
    head += ", 95% within ms, Processor"
    return table_of(head.split(", "), rows) if rows else []


def workers(results: pathlib.Path) -> list[str]:
    """Returns how much faster two processes are than one."""
    measured = _read(results, "workers.json")
    if not measured:
        return []
    one, two = measured["median_ms"]["1"], measured["median_ms"]["2"]
    row = [
        f"{measured['meta_batch']}",
        *(f"{ms:.0f}" for ms in (one, two)),
        f"{measured['times_faster']:.2f}",
        f"{measured['model']['times_faster']['2']:.2f}",
        _machine(measured),
    ]
    head = "Tasks, ms an outer iteration of one process, of two, Times faster"
    head += ", by the model, Processor"
    return table_of(head.split(", "), [row])


def mixed_precision(results: pathlib.Path) -> list[str]:
    """Returns what floats of 16 bits do to accuracy."""
    measured = _read(results, "mixed_precision.json")
    rows = [
        [
            name,
            f"{measured['outer_iterations']:,}",
            score["mode"],
            f"{score['accuracy']:.2%} ± {score['ci95']:.2%}",
            f"{score['num_tasks']:,}",
        ]
        for name, scores in measured.get("scores", {}).items()
        for score in scores
    ]
    head = "Computed in, Outer iterations, Evaluation mode, Accuracy ± 95%"
    return table_of([*head.split(", "), "Tasks"], rows)


def attack(results: pathlib.Path) -> list[str]:
    """Returns what honest clients saw of a server that was attacked."""
    measured = _read(results, "attack.json")
    if not measured:
        return []
    attacked = measured["attacked"]
    phases = {
        "before": (measured["quiet"], measured["megabytes_before"]),
        f"attacked for {measured['minutes']:g} minutes": (
            attacked,
            max(attacked["megabytes"]),
        ),
        "after": (measured["quiet_after"], measured["megabytes_after"]),
    }
    rows = [
        [
            name,
            f"{found['requests']:,}",
            str(found["wrong_answers"]),
            f"{found['median_ms']:,.0f}",
            f"{found['p99_ms']:,.0f}",
            f"{found['requests_per_s']:.1f}",
            f"{megabytes:,}",
        ]
        for name, (found, megabytes) in phases.items()
    ]
    head = "The server is, Answers, of them wrong, median ms, 99% within ms"
    return table_of([*head.split(", "), "answers a second", "its MB"], rows)


def page(results: pathlib.Path) -> list[str]:
    """Returns how soon the drawing page answers, and how often it is right."""
    measured = _read(results, "page.json")
    if not measured:
        return []
    right = f"{measured['shapes_recognized']} of {measured['shapes']}"
    row = [
        f"{measured['median_ms']:,.0f}",
        f"{measured['p90_ms']:,.0f}",
        f"{measured['requests']}",
        right,
        _machine(measured),
    ]
    head = "Median ms to an answer, 90% within ms, Answers, Shapes recognized"
    return table_of([*head.split(", "), "Processor"], [row])


TABLES = {
    "page": page,
    "attack": attack,
    "speed": speed,
    "times_faster": times_faster,
    "arithmetic": shares,
    "profile": profile,
    "memory": memory,
    "start": start,
    "workers": workers,
    "serving": serving,
    "mixed_precision": mixed_precision,
}
