"""Images sorted by class."""

import numpy as np
import pytest

from reptile_tf.data.classes import ClassImages


def tagged(sizes):
    """Classes whose every pixel says which example of which class it is."""
    pixels = [10 * c + e for c, n in enumerate(sizes) for e in range(n)]
    images = np.array(pixels, np.uint8).reshape(-1, 1, 1, 1)
    return ClassImages(images, np.cumsum([0, *sizes]))


def pixels(classes):
    return [
        classes.images[a:b].ravel().tolist()
        for a, b in zip(classes.offsets, classes.offsets[1:], strict=False)
    ]


def test_from_labels_sorts_and_keeps_the_order_within_a_class():
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
    classes = ClassImages.from_labels(images, [7, 2, 7, 2, 2])
    assert pixels(classes) == [[1, 3, 4], [0, 2]]
    assert classes.num_classes == 2
    np.testing.assert_array_equal(classes.sizes, [3, 2])


def test_subset_takes_the_classes_in_the_order_given():
    assert pixels(tagged([1, 2, 3]).subset([2, 0])) == [[20, 21, 22], [0]]


def test_split_gives_every_class_to_one_part_by_seed():
    classes = tagged([2] * 10)
    first, rest = classes.split(7, seed=3)
    assert (first.num_classes, rest.num_classes) == (7, 3)
    assert sorted(pixels(first) + pixels(rest)) == pixels(classes)
    again, _ = classes.split(7, seed=3)
    other, _ = classes.split(7, seed=4)
    assert pixels(again) == pixels(first) != pixels(other)


def test_a_split_stays_what_it_was():
    """Other numbers here mean that no result can be had again."""
    first, _ = tagged([1] * 20).split(5, seed=0)
    assert [c[0] // 10 for c in pixels(first)] == [18, 1, 19, 8, 10]


def test_rotations_are_classes_of_their_own():
    image = np.array([[1, 2], [3, 4]], np.uint8).reshape(1, 2, 2, 1)
    turned = ClassImages(image, np.array([0, 1])).with_rotations()
    np.testing.assert_array_equal(turned.offsets, range(5))
    np.testing.assert_array_equal(
        turned.images[..., 0],
        [
            [[1, 2], [3, 4]],
            [[2, 4], [1, 3]],
            [[4, 3], [2, 1]],
            [[3, 1], [4, 2]],
        ],
    )


def test_rotations_keep_unequal_classes_apart():
    turned = tagged([1, 3]).with_rotations()
    assert pixels(turned) == [[0], [10, 11, 12]] * 4


@pytest.mark.parametrize("first", [0, 3])
def test_a_split_that_leaves_a_part_empty_is_refused(first):
    with pytest.raises(ValueError, match=f"1 to 2, .* received {first}"):
        tagged([1, 1, 1]).split(first, seed=0)


@pytest.mark.parametrize(
    "images, offsets, message",
    [
        (np.zeros((2, 1, 1, 1)), [0, 2], "uint8"),
        (np.zeros((2, 1, 1), np.uint8), [0, 2], "uint8"),
        (np.zeros((2, 1, 1, 1), np.uint8), [0, 3], "rise from 0 to .*2"),
        (np.zeros((2, 1, 1, 1), np.uint8), [0, 0, 2], "rise"),
        (np.zeros((2, 1, 1, 1), np.uint8), [0], "rise"),
    ],
)
def test_what_is_no_set_of_classes_is_refused(images, offsets, message):
    with pytest.raises(ValueError, match=message):
        ClassImages(images, np.array(offsets))


def test_labels_that_do_not_match_the_images_are_refused():
    images = np.zeros((2, 1, 1, 1), np.uint8)
    with pytest.raises(ValueError, match="received 2 and 1"):
        ClassImages.from_labels(images, [0])
