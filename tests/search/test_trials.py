"""How trials are ranked, and when one is stopped early."""

import math

import pytest

from reptile_tf.search import pruning, trials
from reptile_tf.search.trials import History, Report, Result, Trial, costs
from reptile_tf.training.score import Score


def finished(number, value, metric="accuracy", reports=()):
    score = Score("support", metric, value, 0.01, 50)
    return Result(number, trials.FINISHED, 100, score, tuple(reports))


def pruned(number, at):
    return Result(number, trials.PRUNED, at, None, (Report(at, 0.9, 0.0),))


def failed(number):
    return Result(number, trials.FAILED, 0, reason="out of memory")


def diverged(number):
    return Result(number, trials.DIVERGED, 0, reason="not finite")


def test_what_diverged_costs_infinity_and_what_was_stopped_more_than_others():
    results = [
        diverged(0),
        pruned(1, 25),
        finished(2, 0.2),
        pruned(3, 50),
        finished(4, 0.7),
        failed(5),
    ]
    assert costs(results) == [math.inf, 3, 1, 2, 0, math.inf]


def test_an_error_is_the_better_the_smaller_it_is():
    errors = [
        finished(i, float(x), "mean_squared_error") for i, x in enumerate("312")
    ]
    assert costs(errors) == [2, 0, 1]


def test_a_result_is_what_its_entry_says():
    for result in (
        finished(3, 0.5, reports=[Report(10, 0.25, 0.125)]),
        pruned(2, 25),
        diverged(1),
    ):
        assert Result.of(result.entry()) == result


def test_the_best_is_of_those_that_finished():
    drawn = [[i, min(i, 1), {"inner_steps": i}, []] for i in range(4)]
    entries = [
        {"settings": "first"},
        {"trials": drawn[:1], "spread": {}},
        finished(0, 0.5).entry(),
        {"trials": drawn[1:], "spread": {"sigma": 0.25}},
        pruned(1, 25).entry(),
        finished(3, 0.75).entry(),
    ]
    history = History(entries)
    trial, result = history.best()
    assert trial == Trial(3, 1, {"inner_steps": 3}, [])
    assert result.score.value == 0.75
    assert [each.number for each in history.open_trials(4)] == [2]
    assert history.open_trials(2) == []
    assert [each.trial for each in history.before(1)] == [0]
    assert History(entries[:2]).best() is None


EARLIER = [
    finished(i, 1.0, reports=[Report(25, value, 0.1), Report(50, 1.0, 0.0)])
    for i, value in enumerate([0.2, 0.4, 0.6, 0.8])
]


@pytest.mark.parametrize(
    "value, ci95, stopped",
    [
        (0.39, 0.1, True),  # 0.49 at most, below the median 0.5
        (0.39, 0.12, False),
        (0.5, 0.0, False),
        (0.9, 0.0, False),
    ],
)
def test_a_trial_is_stopped_if_all_of_its_interval_is_below_the_median(
    value, ci95, stopped
):
    reason = pruning.hopeless(Report(25, value, ci95), EARLIER, "accuracy")
    assert (reason is not None) == stopped
    if stopped:
        assert reason == (
            "39.00% +- 10.00% is worse than 50.00%, the median of 4 earlier "
            "trials at that iteration"
        )
    # Of an error the large values are the bad ones.
    report = Report(25, 1 - value, ci95)
    errors = [
        finished(i, 1.0, reports=[Report(25, value, 0.1)])
        for i, value in enumerate([0.8, 0.6, 0.4, 0.2])
    ]
    reason = pruning.hopeless(report, errors, "mean_squared_error")
    assert (reason is not None) == stopped


def test_a_median_of_few_says_nothing():
    report = Report(25, 0.0, 0.0)
    assert pruning.hopeless(report, EARLIER[:3], "accuracy") is None
    report = Report(30, 0.0, 0.0)  # where no other trial was looked at
    assert pruning.hopeless(report, EARLIER, "accuracy") is None
