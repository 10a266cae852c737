"""Pictures of whatever becomes of trials."""

import pytest
from PIL import Image

from reptile_tf.experiments.presets import PRESETS
from reptile_tf.search import pictures, trials
from reptile_tf.search.search_settings import SearchSettings
from reptile_tf.search.trials import History, Report, Result
from reptile_tf.training.score import Score

SETTINGS = SearchSettings(
    preset=PRESETS["glyphs"], space=("inner_steps=int:2..9",)
)
ENDS = {
    trials.FINISHED: {"score": Score("support", "accuracy", 0.5, 0.1, 9)},
    trials.PRUNED: {"reports": (Report(9, 0.2, 0.1),)},
    trials.DIVERGED: {},
    trials.FAILED: {"reason": "out of memory"},
}


@pytest.mark.parametrize("states", [*([state] for state in ENDS), list(ENDS)])
def test_trials_that_end_in_any_way_are_drawn(tmp_path, states):
    entries = [{}]
    for i, _ in enumerate(states):
        trial = [i, i, {"inner_steps": i + 2}, []]
        entries.append({"trials": [trial], "spread": {}})
    for i, state in enumerate(states):
        entries.append(Result(i, state, 9, **ENDS[state]).entry())
    path = tmp_path / "a.png"
    for draw in (pictures.best_so_far, pictures.settings_and_scores):
        draw(SETTINGS, History(entries), path)
        with Image.open(path) as picture:
            assert picture.width > 200
