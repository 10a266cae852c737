"""What people are told of a search, in words."""

import shlex
from collections import Counter

from reptile_tf.search.search_settings import SearchSettings
from reptile_tf.search.space import Space
from reptile_tf.search.trials import History, Result, Trial

# Settings for trainings so many times as long as a trial are to be doubted.
_MUCH_LONGER = 20


def opening(
    settings: SearchSettings, history: History, num_trials: int, size: int
) -> str:
    """Returns what is about to be done.

    Args:
        settings: of the search.
        history: what was tried and found before.
        num_trials: the trials of the whole search.
        size: the trials of a generation.
    """
    preset = settings.preset
    lines = [
        f"Searching {preset.dataset} by {settings.method}: {num_trials} trials "
        f"of {settings.trial_iterations:,} outer iterations, {size} to a "
        f"generation, for {settings.metric} on {settings.num_tasks} validation "
        f"tasks (mode {settings.mode})"
    ]
    for each in Space.parse(settings.space).ranges:
        lines.append(f"  {each}, beginning at {getattr(preset, each.name)}")
    done = len(history.results)
    if done >= num_trials:
        lines.append(
            f"{done} trials are done; a larger --num_trials would go on"
        )
    elif done:
        lines.append(f"{done} of {num_trials} trials are done")
    return "\n".join(lines)


def line(trial: Trial, result: Result) -> str:
    """Returns a trial and what became of it, in one line."""
    values = [f"{name} {value}" for name, value in trial.values.items()]
    return f"trial {trial.number}: {', '.join(values)}: {result}"


def summary(settings: SearchSettings, history: History, best_file: str) -> str:
    """Returns what came out of a search.

    Args:
        settings: of the search.
        history: what was tried and found.
        best_file: the path of best.json.
    """
    states = Counter(result.state for result in history.results.values())
    told = ", ".join(f"{states[state]} {state}" for state in states)
    count = len(history.results)
    lines = [f"{count} trial{'s' * (count != 1)}: {told}"]
    first, best = history.trials()[0], history.best()
    own = history.results.get(first.number)
    if own is not None:
        lines.append(f"The preset: {line(first, own)}")
    if best is None:
        return "\n".join([*lines, "No trial finished: narrow the space"])
    lines.append(f"The best:   {line(*best)}")
    for each in Space.parse(settings.space).ranges:
        value = best[0].values[each.name]
        if value in (each.low, each.high):
            lines.append(
                f"{each.name} {value} is at an end of its range; a wider range "
                "may hold better ones"
            )
    total = settings.preset.outer_iterations
    lines.append(
        f"To train with the best for {total:,} outer iterations: reptile-tf "
        f"train --config={shlex.quote(best_file)} --run_dir=..."
    )
    if total > _MUCH_LONGER * settings.trial_iterations:
        times = total // settings.trial_iterations
        lines.append(
            f"That is {times:,} times as long as a trial, so what was best for "
            "a trial may be worse there, or diverge: compare it with the preset"
        )
    return "\n".join(lines)
