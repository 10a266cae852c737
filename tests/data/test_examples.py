"""The examples: short enough to read, and they run and learn."""

import ast
import pathlib
import re
import runpy

import keras
import pytest

EXAMPLES = sorted((pathlib.Path(__file__).parents[2] / "examples").glob("*.py"))

# A mode, a metric, the mean over tasks with its 95% interval, and their number.
SCORE = re.compile(
    r"^\w+ \w+: ([\d.]+)%? \+- [\d.e+-]+%? \(95% interval, \d+ tasks\)$", re.M
)

# What the last score must be, with room for other machines' rounding.
LEARNED = {
    "multi_label": lambda first, last: last > 80,
    "pretrained_backbone": lambda first, last: last > 80,
    "sine_by_numpy": lambda first, last: last < first / 2,
    "tabular": lambda first, last: last > first + 8,
    "text": lambda first, last: last > 80,
}


def test_there_is_an_example_of_everything():
    assert {path.stem for path in EXAMPLES} == set(LEARNED)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_is_shorter_than_25_lines(path):
    text = path.read_text()
    docstring = ast.parse(text).body[0]
    assert isinstance(docstring.value.value, str)
    assert len(text.splitlines()) - docstring.end_lineno < 25


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_prints_what_it_learned(path, capsys):
    keras.utils.set_random_seed(0)
    runpy.run_path(str(path), run_name="__main__")
    printed = capsys.readouterr().out
    scores = [float(value) for value in SCORE.findall(printed)]
    assert LEARNED[path.stem](scores[0], scores[-1]), scores
    if path.stem == "pretrained_backbone":  # the adapted model's answers
        assert printed.rstrip().endswith("[0 1 2 3 4]")
