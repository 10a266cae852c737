"""From slices' times to the numbers and the table that are reported."""

import contextlib
import os
import platform
import statistics


def summarize(answers) -> dict:
    """Returns medians and minima over one contestant's slices."""
    summary = {}
    for key in ("ms", "cpu_ms"):
        values = [round(answer[key], 3) for answer in answers]
        summary[f"median_{key}"] = statistics.median(values)
        summary[f"min_{key}"] = min(values)
        summary[f"slices_{key}"] = values
    return summary


def ratio(results, a: str, b: str) -> dict:
    """Returns a's time divided by b's, for slices of the same rounds."""
    a, b = results[a], results[b]
    report = {}
    for key in ("ms", "cpu_ms"):
        rounds = zip(a[f"slices_{key}"], b[f"slices_{key}"], strict=True)
        of_rounds = statistics.median(x / y for x, y in rounds)
        of_minima = a[f"min_{key}"] / b[f"min_{key}"]
        report[f"median_of_{key}_ratios"] = round(of_rounds, 4)
        report[f"ratio_of_min_{key}"] = round(of_minima, 4)
    return report


def times_faster(results, ours: str, rivals) -> dict:
    """Returns how many times faster `ours` is than the best of `rivals`."""
    best = min(rivals, key=lambda name: results[name]["median_ms"])
    return {"ours": ours, "rival": best, **ratio(results, best, ours)}


def machine() -> dict:
    """Returns what the numbers were measured on."""
    model = platform.processor()
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as file:
        lines = [line for line in file if line.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def text(results) -> str:
    """Returns the results as a table for people."""
    lines = []
    for part in ("outer_iteration", "evaluation_task"):
        title = f"ms per {part.replace('_', ' ')}"
        lines.append(f"{title:28}{'median':>9}{'least':>9}{'least CPU':>11}")
        for name, r in results[part].items():
            numbers = r["median_ms"], r["min_ms"], r["min_cpu_ms"]
            lines.append("  {:26}{:9.1f}{:9.1f}{:11.1f}".format(name, *numbers))
    lines.append("Times faster (median of the rounds; fastest slices)")
    for part, ratios in results["times_faster"].items():
        lines += [
            f"  {part}: {r['ours']}, than {r['rival']}: "
            f"{r['median_of_ms_ratios']:.2f}; {r['ratio_of_min_ms']:.2f}"
            for r in ratios
        ]
    share = results["sampling_share"]["median_of_ms_ratios"]
    lines.append(f"Sampling and input: {share:.1%} of an outer iteration")
    for process, peak in results["peak_mb"].items():
        lines.append(f"Peak memory of {process}: {peak} MB")
    return "\n".join(lines)
