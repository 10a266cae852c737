"""Training, validation and test classes."""

import numpy as np
import pytest

from reptile_tf import LabelledExamples
from reptile_tf.data import splits


def classes(count):
    """Classes of two examples, each of which is its class's number."""
    return LabelledExamples(
        np.repeat(np.arange(count), 2), range(0, 2 * count + 1, 2)
    )


@pytest.mark.parametrize(
    "count, wanted, sizes",
    [
        (100, None, (64, 16, 20)),
        (30, None, (19, 5, 6)),
        (3, None, (1, 1, 1)),
        (10, 0, (8, 0, 2)),
        (10, 7, (1, 7, 2)),
    ],
)
def test_classes_are_divided_64_16_20(count, wanted, sizes):
    parts = splits.divided(count, 0, wanted)
    assert tuple(map(len, parts)) == sizes
    assert sorted(np.concatenate(parts)) == list(range(count))


def test_test_classes_do_not_depend_on_how_many_are_held_out():
    """And the seed moves them all."""
    one, other = (splits.divided(20, 3, held) for held in (0, 5))
    assert one[2].tolist() == other[2].tolist()
    assert one[0][:11].tolist() == other[0].tolist()
    assert splits.divided(20, 4)[2].tolist() != one[2].tolist()


def test_a_division_stays_what_it_was():
    """Other numbers here mean that no result can be had again."""
    assert [part.tolist() for part in splits.divided(10, 0)] == [
        [2, 8, 4, 9, 1, 6],
        [7, 3],
        [0, 5],
    ]


def test_classes_go_where_their_numbers_do():
    found = splits.divide(classes(10), 0)
    for part, numbers in zip(found, splits.divided(10, 0), strict=True):
        assert [part[c].tolist() for c in range(part.num_classes)] == [
            [n, n] for n in numbers
        ]
    assert splits.divide(classes(10), 0, 0).validation is None


def test_classes_are_held_out_of_the_last_training_classes():
    rest, test = classes(10).split(8, 0)
    train, validation, same = splits.hold_out(rest, test, 3)
    assert train.names + validation.names == rest.names and same is test
    assert splits.hold_out(rest, test, 0).validation is None


@pytest.mark.parametrize("held", [-1, 8, 9])
def test_as_many_held_out_as_there_are_is_refused(held):
    with pytest.raises(ValueError, match=f"validation_classes={held} .*0 to 7"):
        splits.divided(10, 0, held)


def test_too_few_classes_to_divide_are_refused():
    with pytest.raises(ValueError, match="2 classes cannot .* 3 at least"):
        splits.divided(2, 0)
