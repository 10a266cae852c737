"""Augmentations: what they may do to an image, how often, and by which key."""

import dataclasses
import time

import numpy as np
import pytest
import tensorflow as tf

from reptile_tf import Episodes, LabelledExamples, VariedEpisodes
from reptile_tf.data import augmentation
from reptile_tf.data.task_settings import TaskSettings

EVERY = [a for a in augmentation.NAMED.values() if a is not None]


def key(number=0) -> tf.Tensor:
    return tf.constant([number, 7])


def numbered(*shape, dtype=np.float32) -> tf.Tensor:
    """Images in which no two pixels are the same."""
    return tf.constant(np.arange(np.prod(shape)).reshape(shape).astype(dtype))


def windows(image, padding):
    """All windows of an image that was padded, of its own size."""
    height, width = image.shape[:2]
    edges = [(padding, padding), (padding, padding), (0, 0)]
    padded = np.pad(image, edges, mode="reflect")
    for top in range(2 * padding + 1):
        for left in range(2 * padding + 1):
            yield padded[top : top + height, left : left + width]


@pytest.mark.parametrize("augment", EVERY)
def test_the_key_decides_and_nothing_else(augment):
    images = numbered(20, 16, 24, 3)
    once = augment(images, key())
    np.testing.assert_array_equal(once, augment(images, key()))
    compiled = tf.function(augment, autograph=False)
    np.testing.assert_array_equal(once, compiled(images, key()))
    assert (once.numpy() != augment(images, key(1)).numpy()).any()


@pytest.mark.parametrize("augment", EVERY)
@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_shape_and_dtype_stay_and_no_pixel_is_new(augment, dtype):
    images = tf.constant(
        np.random.default_rng(0).integers(9, 99, [5, 16, 24, 3]).astype(dtype)
    )
    compiled = tf.function(augment, autograph=False)
    changed = compiled.get_concrete_function(images, key())(images, key())
    assert changed.dtype == images.dtype
    traced = compiled.get_concrete_function(images, key())
    assert traced.structured_outputs.shape == images.shape
    for before, after in zip(images.numpy(), changed.numpy(), strict=True):
        pixels = {tuple(p) for p in before.reshape(-1, 3)}
        assert {tuple(p) for p in after.reshape(-1, 3)} <= pixels


def test_each_image_is_itself_or_its_mirror_image():
    images = numbered(2000, 2, 3, 1)
    flipped = augmentation.random_flip(images, key()).numpy()
    same = (flipped == images.numpy()).all((1, 2, 3))
    mirrored = (flipped == images.numpy()[:, :, ::-1]).all((1, 2, 3))
    assert (same ^ mirrored).all()
    # Within four standard deviations of a half.
    assert abs(mirrored.mean() - 0.5) < 4 * 0.5 / np.sqrt(2000)


def test_crops_are_windows_of_the_padded_image_each_equally_often():
    padding, copies = 2, 2000
    image = numbered(1, 4, 5, 2)
    images = tf.repeat(image, copies, axis=0)
    cropped = augmentation.RandomCrop(padding)(images, key()).numpy()
    counts = [
        (cropped == window).all((1, 2, 3)).sum()
        for window in windows(image[0].numpy(), padding)
    ]
    assert sum(counts) == copies
    p = 1 / len(counts)
    assert len(counts) == 25
    assert np.abs(np.array(counts) - copies * p).max() < 4 * np.sqrt(
        copies * p * (1 - p)
    )


def test_a_crop_of_its_own_accord_moves_by_an_eighth_of_the_smaller_side():
    images = tf.repeat(numbered(1, 16, 40, 1), 500, axis=0)
    crop, named = augmentation.RandomCrop(), augmentation.NAMED["crop"]
    cropped = crop(images, key())
    np.testing.assert_array_equal(cropped, named(images, key()))
    np.testing.assert_array_equal(
        cropped, augmentation.RandomCrop(16 // 8)(images, key())
    )
    # Images that are smaller than eight pixels stay as they are.
    tiny = numbered(3, 7, 9, 1)
    np.testing.assert_array_equal(crop(tiny, key()), tiny)


def test_a_chain_applies_one_after_another_by_keys_of_their_own():
    seen = []

    def add(examples, key):
        seen.append(tuple(key.numpy()))
        return examples + 1

    def double(examples, key):
        seen.append(tuple(key.numpy()))
        return examples * 2

    both = augmentation.chain(add, double)
    assert float(both(tf.constant(3.0), key())) == 8
    assert len(set(seen)) == 2
    images = numbered(2, 8, 8, 1)
    np.testing.assert_array_equal(augmentation.chain()(images, key()), images)


def test_the_setting_has_the_same_names():
    [field] = [
        field
        for field in dataclasses.fields(TaskSettings)
        if field.name == "augmentation"
    ]
    assert tuple(augmentation.NAMED) == field.metadata["choices"]


@pytest.mark.parametrize("augment", EVERY)
def test_what_is_no_image_is_refused(augment):
    with pytest.raises(ValueError, match=r"received \[3, 4\].*augment=None"):
        augment(tf.zeros([3, 4]), key())


def test_padding_is_less_than_the_image():
    with pytest.raises(ValueError, match="padding must be at least 0.*-1"):
        augmentation.RandomCrop(-1)
    images = numbered(1, 3, 4, 1)
    augmentation.RandomCrop(2)(images, key())
    with pytest.raises(ValueError, match="padding=3 .* 3 and 4; use at most 2"):
        augmentation.RandomCrop(3)(images, key())


@pytest.mark.parametrize("augment", EVERY)
def test_episodes_change_their_support_sets_alone(augment):
    images = np.arange(12 * 16 * 16).reshape(12, 16, 16, 1) % 251
    classes = LabelledExamples(images.astype(np.uint8), [0, 4, 8, 12])
    plain = Episodes(classes, 3, 3).sample(1)
    changed = Episodes(classes, 3, 3, augment=augment).sample(1)
    np.testing.assert_array_equal(plain.query_x, changed.query_x)
    np.testing.assert_array_equal(plain.support_y, changed.support_y)
    assert plain.support_x.shape == changed.support_x.shape
    assert (plain.support_x.numpy() != changed.support_x.numpy()).any()
    assert 0 <= changed.support_x.numpy().min()
    assert changed.support_x.numpy().max() <= 1


def test_sets_may_have_sizes_that_only_the_graph_knows():
    images = np.zeros([40, 16, 16, 1], np.uint8)
    classes = LabelledExamples(images, np.arange(0, 41, 10))
    tasks = VariedEpisodes(
        classes, 2, 4, augment=augmentation.NAMED["flip_and_crop"]
    )
    sample = tf.function(tasks.sample, autograph=False)
    sizes = {len(sample(tf.constant(i, tf.int64)).support_x) for i in range(5)}
    assert len(sizes) > 1


def test_it_is_cheap():
    images = tf.zeros([60, 84, 84, 3])
    augment = tf.function(augmentation.NAMED["flip_and_crop"], autograph=False)
    augment(images, key())
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        augment(images, key()).numpy()
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.1  # about 7 ms; room for busy machines
