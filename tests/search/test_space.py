"""What may be searched, and how a range is laid out."""

import dataclasses

import pytest

from reptile_tf.experiments.presets import PRESETS
from reptile_tf.search import space
from reptile_tf.search.space import Range, Space

GLYPHS = PRESETS["glyphs"]


@pytest.mark.parametrize(
    "text, places",
    [
        ("learning_rate=log:1e-4..1e-2", {0: 1e-4, 0.5: 1e-3, 1: 1e-2}),
        ("outer_step_size=0.5..1.5", {0: 0.5, 0.5: 1.0, 1: 1.5}),
        ("inner_steps=int:2..6", {0: 2, 0.12: 2, 0.13: 3, 0.5: 4, 1: 6}),
        ("inner_steps=2..6", {0: 2, 1: 6}),
        (" outer_step_size = 0..0.3 ", {0: 0, 1: 0.3}),
    ],
)
def test_a_range_goes_from_its_low_to_its_high_end(text, places):
    each = Range.parse(text)
    for place, value in places.items():
        assert each.value(place) == pytest.approx(value, rel=1e-12)
        assert isinstance(each.value(place), int) == (each.scale == "int")
    for place in (0, 1):
        assert each.place(each.value(place)) == pytest.approx(place)
    assert Range.parse(str(each)) == each


def test_values_have_four_digits_and_stay_inside():
    each = Range.parse("learning_rate=log:1.23456e-4..9.87654e-3")
    assert each.value(0) == 1.235e-4
    assert each.value(1) == 9.87654e-3  # and not 9.877e-3, outside
    assert each.value(0.5) == 1.104e-3
    narrow = Range.parse("learning_rate=0.019999..0.020001")
    assert len({narrow.value(i / 100) for i in range(101)}) == 101


@pytest.mark.parametrize(
    "text, message",
    [
        ("learning_rate", "of the form NAME=LOW..HIGH"),
        ("learning_rate=1e-3", "of the form NAME=LOW..HIGH"),
        ("learning_rate=log:1e-2..1e-3", "first number must be below"),
        ("learning_rate=log:0..1", "must begin above 0"),
        ("learning_rate=0..inf", "'inf' must be a number, from"),
        ("learning_rate=nan..1", "'nan' must be a number"),
        ("learning_rate=a..1", "'a' must be a number"),
        ("learning_rate=int:1..2", "write learning_rate=log:1..2"),
        ("inner_steps=log:1..9", "no other scale.* write inner_steps=1..9"),
        ("inner_steps=1.5..9", "'1.5' must be a whole number"),
        ("inner_steps=1..2..3", "'2..3' must be a whole number"),
        ("inner_steps=1..9999999999", "must be a whole number, from"),
        ("inner_steps=1.." + "9" * 5000, "must be a whole number, from"),
        ("outer_step_size=a:0..1", "on the scale log or none"),
        ("=1..2", "the settings that can be searched are training_shots,"),
        ("inner_steps=int:4..4", "first number must be below"),
        ("nothing=1..2", "the settings that can be searched are"),
        ("learning_rat=1..2", "did you mean learning_rate?"),
        ("algorithm=maml,anil", "not a number.*one search for each"),
        ("inner_optimizer=0..1", "--inner_optimizer=sgd"),
        ("augmentation=0..1", "--augmentation=flip_and_crop"),
        ("skip_unreadable=0..1", "not a number"),
        ("ways=int:2..5", "says what the tasks are"),
        ("shots=int:1..5", "says what the tasks are"),
        ("clip_norm=0..1", "is 0 for none"),
        ("learning_rate=log:1e-310..1", "must begin above 0, at 1e-12"),
        ("learning_rate=log:1e-3..1e308", "'1e308' must be a number"),
        ("inner_steps=int:1..1" + "0" * 400, "must be a whole number"),
        ("", "settings that can be searched are"),
        ("outer_iterations=int:1..9", "--trial_iterations says how long"),
    ],
)
def test_what_cannot_be_searched_is_refused_with_the_way(text, message):
    with pytest.raises(ValueError, match=message):
        Range.parse(text)


def test_a_space_is_ranges_of_different_settings(tmp_path):
    path = tmp_path / "space=mine.txt"
    path.write_text("\ufeff# small\nlearning_rate=log:1e-4..1e-2  # alpha\n\n")
    both = Space.parse([str(path), "inner_steps=int:2..16"])
    assert both.names == ["learning_rate", "inner_steps"]
    assert both.values([0.5, 1.0]) == {"learning_rate": 1e-3, "inner_steps": 16}
    with pytest.raises(ValueError, match="learning_rate is there twice"):
        Space.parse([str(path)] * 2)
    with pytest.raises(ValueError, match="at least"):
        Space([])
    with pytest.raises(ValueError, match="neither of the form.*No such file"):
        Space.parse([str(tmp_path / "none.txt")])


def test_the_start_is_at_the_presets_own_values():
    ranges = Space.parse(["inner_steps=int:1..9", "outer_step_size=0.2..1.2"])
    assert ranges.start(GLYPHS).tolist() == pytest.approx([0.5, 0.5])
    moved = dataclasses.replace(GLYPHS, inner_steps=9)
    assert ranges.start(moved).tolist() == pytest.approx([1.0, 0.5])
    outside = dataclasses.replace(GLYPHS, inner_steps=10)
    with pytest.raises(ValueError, match="int:1..9 leaves out 10: a search"):
        ranges.start(outside)
    with pytest.raises(ValueError, match="0..9: inner_steps must be at least"):
        Space.parse(["inner_steps=int:0..9"]).start(GLYPHS)


PAPERS = ("Table 3", "Table 4", "Table 5")


@pytest.mark.parametrize(
    "name", [n for n, p in PRESETS.items() if p.source in PAPERS]
)
def test_the_default_space_holds_the_papers_settings(name):
    preset, ours = PRESETS[name], Space.parse(space.PAPER)
    own = {each: getattr(preset, each) for each in ours.names}
    assert ours.values(ours.start(preset)) == pytest.approx(own)


def test_maml_needs_ranges_of_its_own():
    ours = Space.parse(space.PAPER)
    with pytest.raises(
        ValueError, match="learning_rate.* leaves out 0.4; inner_steps"
    ):
        ours.start(PRESETS["omniglot_5shot_5way_maml"])
