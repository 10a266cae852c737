"""Labelled examples, in memory and in a file."""

import numpy as np
import pytest
import tensorflow as tf

from reptile_tf.data.episodes import Episodes
from reptile_tf.data.labelled_examples import LabelledExamples


def tagged(sizes):
    """Classes whose every pixel says which example of which class it is."""
    pixels = [10 * c + e for c, n in enumerate(sizes) for e in range(n)]
    images = np.array(pixels, np.uint8).reshape(-1, 1, 1, 1)
    return LabelledExamples(images, np.cumsum([0, *sizes]))


def pixels(classes):
    return [
        classes.examples[a:b].ravel().tolist()
        for a, b in zip(classes.offsets, classes.offsets[1:], strict=False)
    ]


def test_from_labels_sorts_and_keeps_the_order_within_a_class():
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
    classes = LabelledExamples.from_labels(images, [7, 2, 7, 2, 2])
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
    turned = LabelledExamples(image, np.array([0, 1])).with_rotations()
    np.testing.assert_array_equal(turned.offsets, range(5))
    np.testing.assert_array_equal(
        turned.examples[..., 0],
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
        ([[0.0], [1.0, 2.0]], [0, 2], "inhomogeneous"),
        (np.array([None, 1]), [0, 2], "numbers or of strings.*object"),
        (np.zeros(2, complex), [0, 2], "numbers or of strings.*complex"),
        (np.array([0, 1 << 31]), [0, 2], "32 bits.*0 to 2147483648"),
        (np.zeros((2, 1, 1, 1), np.uint8), [0, 3], "rise from 0 to .*2"),
        (np.zeros((2, 1, 1, 1), np.uint8), [0, 0, 2], "rise"),
        (np.zeros((2, 1, 1, 1), np.uint8), [0], "rise"),
    ],
)
def test_what_is_no_set_of_classes_is_refused(images, offsets, message):
    with pytest.raises(ValueError, match=message):
        LabelledExamples(images, np.array(offsets))


def test_labels_that_do_not_match_the_images_are_refused():
    images = np.zeros((2, 1, 1, 1), np.uint8)
    with pytest.raises(ValueError, match="received 2 and 1"):
        LabelledExamples.from_labels(images, [0])
    for labels in ([[0, 1], [1, 0]], [0.0, 1.0]):  # one-hot, and floats
        with pytest.raises(ValueError, match="labels must be integers or str"):
            LabelledExamples.from_labels(images, labels)


@pytest.mark.parametrize(
    "labels, names",
    [
        (["b", "a", "b"], ("a", "b")),
        ([b"b", b"a", b"b"], ("a", "b")),
        (np.array(["b", "a", "b"], object), ("a", "b")),
        (np.array([10, 9, 10], object), ("9", "10")),
        (np.array([10, np.int64(9), 10], object), ("9", "10")),
        (np.array(["9", 10, "9"], object), ("10", "9")),
        ([10, 9, 10], ("9", "10")),
        (np.array([1, 0, 1], np.uint8), ("0", "1")),
    ],
)
def test_labels_of_any_kind(labels, names):
    found = LabelledExamples.from_labels(np.arange(3), labels)
    assert found.names == names
    assert [found[c].tolist() for c in range(2)] == [[1], [0, 2]]
    assert found.subset([1]).names == names[1:]


@pytest.mark.parametrize(
    "given, stored, seen",
    [
        (np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1), "uint8", "float32"),
        (np.arange(6, dtype=np.uint8).reshape(2, 3), "uint8", "int32"),
        (np.arange(6).reshape(2, 3), "int32", "int32"),
        (np.arange(6, dtype=np.int16).reshape(2, 3), "int16", "int32"),
        (np.arange(6.0).reshape(2, 3), "float32", "float32"),
        (np.arange(6, dtype=np.float16).reshape(2, 3), "float16", "float32"),
        (np.array([[True], [False]]), "float32", "float32"),
        (np.array(["a", "bc"]), "<U2", "string"),
        (np.array(["a", "bc"], object), "object", "string"),
    ],
)
def test_examples_of_any_dtype_and_shape(given, stored, seen):
    """Float32 or int32, as a model takes them; uint8 images are in [0, 1]."""
    classes = LabelledExamples(
        np.tile(given, (2,) + (1,) * (given.ndim - 1)), [0, 2, 4]
    )
    assert classes.dtype == stored
    task = Episodes(classes, ways=2, shots=2, query_shots=0).sample(0)
    assert task.support_x.dtype == seen
    assert task.support_x.shape == (4, *given.shape[1:])
    if seen != "string":
        scale = 255 if given.dtype == np.uint8 and given.ndim > 2 else 1
        np.testing.assert_allclose(
            np.sort(task.support_x, 0)[::2] * scale,
            np.sort(given.astype(float), 0),
            rtol=1e-6,
        )


@pytest.mark.parametrize("pictures", [True, False])
def test_bytes_are_what_their_source_says(pictures, tmp_path):
    """Pictures without channels, or tables of token ids."""
    examples = np.array([[[0, 255]], [[2, 51]]], np.uint8)
    with pytest.raises(ValueError, match=r"uint8 \[1, 2\].*pictures=True"):
        LabelledExamples(examples, [0, 1, 2])
    examples.tofile(tmp_path / "a.raw")
    for classes in (
        LabelledExamples(examples, [0, 1, 2], pictures=pictures),
        LabelledExamples.from_labels(examples, [0, 1], pictures=pictures),
        LabelledExamples.from_file(
            tmp_path / "a.raw", "uint8", (1, 2), [0, 1, 2], pictures=pictures
        ),
    ):
        for part in (classes, classes.subset([1, 0])):
            x = Episodes(part, ways=2, shots=1, query_shots=0).sample(0)[0]
            seen = np.sort(x.numpy().ravel()).tolist()
            assert seen == pytest.approx(
                [0, 2 / 255, 0.2, 1] if pictures else [0, 2, 51, 255]
            )
            assert x.dtype == ("float32" if pictures else "int32")
    assert ("pictures" in repr(classes)) == pictures


def test_only_bytes_can_be_pictures():
    with pytest.raises(ValueError, match="pictures=True is for uint8.*float32"):
        LabelledExamples(np.zeros((2, 2, 2, 1)), [0, 1, 2], pictures=True)


def test_examples_of_a_file_are_sampled_as_those_in_memory(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (12, 2, 2, 1), np.uint8)
    images.tofile(tmp_path / "a b.raw")
    offsets = [0, 5, 8, 12]
    mapped = LabelledExamples.from_file(
        tmp_path / "a b.raw", "uint8", (2, 2, 1), offsets
    )
    held = LabelledExamples(images, offsets)
    assert repr(mapped) == repr(held)
    for part in (lambda c: c, lambda c: c.subset([2, 0])):
        one, other = (
            Episodes(part(c), ways=2, shots=2) for c in (mapped, held)
        )
        compiled = tf.function(one.sample)
        for index in range(20):
            for a, b in zip(
                compiled(tf.constant(index)), other.sample(index), strict=True
            ):
                np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(
        mapped.with_rotations().examples, held.with_rotations().examples
    )


def test_a_file_of_another_length_is_refused(tmp_path):
    (tmp_path / "x.raw").write_bytes(bytes(7))
    for dtype, message in (
        *(("uint8", "4 examples|8 bytes.*has 7"), ("float64", "32 bits")),
        *((">f4", "byte order"), ("uint32", "32 bits")),
    ):
        with pytest.raises(ValueError, match=message):
            LabelledExamples.from_file(
                tmp_path / "x.raw", dtype, (2,), [0, 2, 4]
            )


def test_a_subset_is_chosen_by_numbers_or_by_a_mask():
    classes = LabelledExamples(np.zeros((3, 1)), range(4), "abc")
    assert classes.subset([True, False, True]).names == ("a", "c")
    assert classes.subset([2, 0]).names == ("c", "a")
    with pytest.raises(ValueError, match="numbers of classes.*float64"):
        classes.subset([0.0, 1.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_examples_that_are_no_numbers_are_refused_with_their_place(bad):
    with pytest.raises(ValueError, match=r"examples\[1, 0\] is (nan|-?inf)"):
        LabelledExamples.from_labels([[bad], [1.0], [2.0]], ["b", "a", "b"])


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_missing_labels_are_no_class(missing):
    labels = np.array(["a", "b", missing], object)
    with pytest.raises(ValueError, match="1 of another kind, such as None"):
        LabelledExamples.from_labels(np.zeros((3, 1)), labels)


def test_parts_share_what_is_stored():
    """No example is held twice, in memory or as a tensor."""
    classes = tagged([2] * 6)
    first, rest = classes.split(4, seed=0)
    assert np.shares_memory(first[0], classes.examples)
    assert np.shares_memory(rest[0], classes.examples)
    assert first.kind.inputs(first.ingredients[0], [0]).shape == (1, 1, 1, 1)
    assert rest._stored.tensor is first._stored.tensor


def test_names_that_do_not_match_the_classes_are_refused():
    with pytest.raises(ValueError, match="names must be 2.*received 1"):
        LabelledExamples(np.zeros((2, 1)), [0, 1, 2], ["only"])


def test_class_names_are_those_of_the_labels():
    classes = tagged([3] * 7)
    named = LabelledExamples(classes.examples, classes.offsets, "abcdefg")
    tasks = Episodes(named, ways=3, shots=2)
    for index in range(5):
        task, names = tasks.sample(index), tasks.class_names(index)
        values = np.rint(task.support_x[:, 0, 0, 0] * 255).astype(int) // 10
        for label, value in zip(task.support_y, values, strict=True):
            assert names[label] == "abcdefg"[value]
