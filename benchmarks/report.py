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


def arithmetic(
    training, products, gflop: float, product_gflop: float, ours
) -> dict:
    """Returns how near outer iterations come to what the processor can do.

    Args:
        training: results of outer iterations.
        products: results of a large product's variants; the fastest counts.
        gflop: floating-point operations of an outer iteration, in billions.
        product_gflop: those of the product.
        ours: names of those whose iterations are looked at.
    """
    best = min(products, key=lambda name: products[name]["median_ms"])
    rate = product_gflop / products[best]["median_ms"] * 1000
    report = {
        "gflop_of_an_outer_iteration": round(gflop, 3),
        "product": best,
        "product_gflop_per_s": round(rate, 1),
    }
    for name in ours:
        times = ratio(training | products, best, name)
        share = times["median_of_ms_ratios"] * gflop / product_gflop
        report[name] = {
            "gflop_per_s": round(gflop / training[name]["median_ms"] * 1000, 1),
            "share_of_the_product": round(share, 4),
        }
    return report


def machine() -> dict:
    """Returns what the numbers were measured on."""
    told = _processor()
    features = told.get("flags") or told.get("Features", "")
    return {
        "cpu": told.get("model name") or platform.processor(),
        "vectors": _vectors(features.split()),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def _processor() -> dict[str, str]:
    """Returns what Linux tells of the first processor, by name."""
    told = {}
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as file:
        for line in file:
            name, colon, value = line.partition(":")
            if not colon:
                break
            told[name.strip()] = value.strip()
    return told


def _vectors(flags) -> str:
    """Returns the widest vectors that a processor computes with."""
    kinds = {
        "avx512f": "AVX-512",
        "avx2": "AVX2",
        "avx": "AVX",
        "asimd": "NEON",
    }
    found = [kind for flag, kind in kinds.items() if flag in flags]
    return found[0] if found else "unknown"


def _arithmetic_text(report) -> list[str]:
    lines = [
        "GFLOP of an outer iteration: "
        f"{report['gflop_of_an_outer_iteration']:.2f}",
        f"  {report['product']}: {report['product_gflop_per_s']:.1f} GFLOP/s",
    ]
    for name, own in report.items():
        if isinstance(own, dict):
            lines.append(
                f"  {name}: {own['gflop_per_s']:.1f} GFLOP/s, "
                f"{own['share_of_the_product']:.0%} of the product's"
            )
    return lines


def text(results) -> str:
    """Returns the results as a table for people."""
    lines = []
    for part in ("outer_iteration", "evaluation_task"):
        title = f"ms per {part.replace('_', ' ')}"
        lines.append(f"{title:48}{'median':>9}{'least':>9}{'least CPU':>11}")
        for name, r in results[part].items():
            numbers = r["median_ms"], r["min_ms"], r["min_cpu_ms"]
            lines.append("  {:46}{:9.1f}{:9.1f}{:11.1f}".format(name, *numbers))
    lines.append("Times faster (median of the rounds; fastest slices)")
    for part, ratios in results["times_faster"].items():
        lines += [
            f"  {part}: {r['ours']}, than {r['rival']}: "
            f"{r['median_of_ms_ratios']:.2f}; {r['ratio_of_min_ms']:.2f}"
            for r in ratios
        ]
    lines += _arithmetic_text(results["arithmetic"])
    share = results["sampling_share"]["median_of_ms_ratios"]
    lines.append(f"Sampling and input: {share:.1%} of an outer iteration")
    for process, peak in results["peak_mb"].items():
        lines.append(f"Peak memory of {process}: {peak} MB")
    return "\n".join(lines)
