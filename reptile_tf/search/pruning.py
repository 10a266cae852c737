"""When a trial is stopped early: the median rule.

A trial that is worse than half of the earlier ones were at the same iteration
of the same budget is hardly ever the best in the end (Golovin et al. 2017,
section 3.2.1). An accuracy on a few tasks is uncertain, so a trial is stopped
only where its whole 95% interval is worse than the median.
"""

import statistics
from collections.abc import Sequence

from reptile_tf.search.trials import Report, Result, better

# A median of fewer says little.
_FEWEST = 4


def hopeless(
    report: Report, earlier: Sequence[Result], metric: str
) -> str | None:
    """Returns why a trial cannot matter any more; None where it may.

    Args:
        report: how the trial is doing.
        earlier: the results of earlier trials of the same budget.
        metric: that the reports are of.
    """
    others = [
        each.value
        for result in earlier
        for each in result.reports
        if each.iteration == report.iteration
    ]
    if len(others) < _FEWEST:
        return None
    median = statistics.median(others)
    if better(metric, report.value) + report.ci95 >= better(metric, median):
        return None
    return (
        f"{_number(metric, report.value)} +- {_number(metric, report.ci95)} is "
        f"worse than {_number(metric, median)}, the median of "
        f"{len(others)} earlier trials at that iteration"
    )


def _number(metric: str, value: float) -> str:
    return f"{value:.2%}" if "accuracy" in metric else f"{value:.4g}"
