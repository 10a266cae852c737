"""What a task is made of: no repeats, no leaks, uniform, and repeatable."""

import numpy as np
import pytest
import tensorflow as tf

from reptile_tf import Episodes, LabelledExamples, SineWaves
from reptile_tf.algorithms import mini_batches
from reptile_tf.data.task import Task
from reptile_tf.utils import random

WAYS, SHOTS, QUERIES = 4, 2, 1
SIZES = np.array([3, 5, 4, 3, 9, 3, 6])  # unequal; the smallest just do
CLASS_OF = np.repeat(np.arange(len(SIZES)), SIZES)
COUNT = 2000


def episodes(seed=0):
    """Episodes of images of one pixel, whose value is the image's number."""
    images = np.arange(SIZES.sum(), dtype=np.uint8).reshape(-1, 1, 1, 1)
    offsets = np.concatenate([[0], np.cumsum(SIZES)])
    classes = LabelledExamples(images, offsets)
    return Episodes(classes, WAYS, SHOTS, query_shots=QUERIES, seed=seed)


def numbers(images) -> np.ndarray:
    """The images' numbers, of the pixels that models see."""
    images = np.asarray(images)
    assert images.dtype == np.float32
    return np.rint(images[..., 0, 0, 0] * 255).astype(int)


def sample(distribution, indices):
    """The tasks of many indices, stacked, by one compiled function."""

    @tf.function(autograph=False)
    def run(indices):
        task = distribution.sample(tf.constant(0, tf.int64))
        return tf.map_fn(
            distribution.sample,
            indices,
            fn_output_signature=Task(
                *(tf.TensorSpec(t.shape, t.dtype) for t in task)
            ),
        )

    return run(tf.constant(indices, tf.int64))


@pytest.fixture(scope="module")
def many():
    return sample(episodes(), range(COUNT))


@pytest.fixture(scope="module")
def many_waves():
    return sample(SineWaves(shots=10, seed=0), range(COUNT))


def is_uniform(counts, draws):
    """Whether no count is further off than four standard deviations.

    Args:
        counts: of the values that `draws` draws each could have taken.
        draws: their number.
    """
    p = 1 / np.size(counts)
    return np.abs(counts - draws * p).max() < 4 * np.sqrt(draws * p * (1 - p))


def test_no_image_comes_twice_in_a_task(many):
    x = np.concatenate([numbers(many.support_x), numbers(many.query_x)], 1)
    assert x.shape == (COUNT, WAYS * (SHOTS + QUERIES))
    assert all(len(set(row)) == x.shape[1] for row in x)


def test_labels_are_one_to_one_with_classes(many):
    for x, y, shots in (
        (many.support_x, many.support_y, SHOTS),
        (many.query_x, many.query_y, QUERIES),
    ):
        y = y.numpy()
        assert y.dtype == np.int32
        assert (np.sort(y) == np.repeat(np.arange(WAYS), shots)).all()
        for task_classes, labels in zip(CLASS_OF[numbers(x)], y, strict=True):
            pairs = set(zip(task_classes, labels, strict=True))
            assert len(pairs) == len(set(task_classes)) == WAYS
    # Support and query set agree on which class has which label.
    for xs, ys, xq, yq in zip(
        CLASS_OF[numbers(many.support_x)],
        many.support_y.numpy(),
        CLASS_OF[numbers(many.query_x)],
        many.query_y.numpy(),
        strict=True,
    ):
        seen = dict(zip(ys, xs, strict=True))
        assert [seen[label] for label in yq] == list(xq)


def test_every_class_gets_every_label_equally_often(many):
    classes = CLASS_OF[numbers(many.query_x)]
    counts = np.zeros([len(SIZES), WAYS])
    np.add.at(counts, (classes, many.query_y.numpy()), 1)
    # Given the label, each class with the same probability.
    for label in range(WAYS):
        assert is_uniform(counts[:, label], COUNT)


def test_every_image_of_a_class_comes_equally_often(many):
    for x in (many.support_x, many.query_x):
        counts = np.bincount(numbers(x).ravel(), minlength=SIZES.sum())
        for c in range(len(SIZES)):
            own = counts[CLASS_OF == c]
            assert is_uniform(own, own.sum())


def test_an_examples_place_says_nothing_about_its_label(many):
    for y in (many.support_y.numpy(), many.query_y.numpy()):
        for place in range(y.shape[1]):
            counts = np.bincount(y[:, place], minlength=WAYS)
            assert is_uniform(counts, COUNT)


def test_the_order_of_the_queries_says_nothing_of_the_supports(many):
    """Any label of the first query goes with any of the first example."""
    pairs = WAYS * many.support_y[:, 0].numpy() + many.query_y[:, 0].numpy()
    assert is_uniform(np.bincount(pairs, minlength=WAYS**2), COUNT)


def test_task_i_is_a_function_of_seed_and_i(many, many_waves):
    """One by one, in another order, and not compiled, it is the same task."""
    for distribution, in_order in (
        (episodes(seed=0), many),
        (SineWaves(seed=0), many_waves),
    ):
        for index in (7, 3, 3, 0):
            task = distribution.sample(tf.constant(index, tf.int64))
            for a, b in zip(task, in_order, strict=True):
                np.testing.assert_allclose(a, b[index], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", [episodes, SineWaves])
def test_other_indices_and_seeds_are_other_tasks(make):
    found = [
        make(seed=seed).sample(tf.constant(index, tf.int64))
        for seed, index in [
            (0, 0),
            (0, 1),
            (1, 0),
            (1, 1),
            (1 << 32, 0),  # seeds are told apart by more than 32 bits
            ((1 << 32) + 1, 0),
        ]
    ]
    for part in ("support_x", "key"):
        values = {getattr(task, part).numpy().tobytes() for task in found}
        assert len(values) == len(found)


def test_tasks_stay_what_they_were():
    """Other numbers here mean that no result can be had again."""
    task = episodes(seed=3).sample(tf.constant(5, tf.int64))
    assert numbers(task.support_x).tolist() == [25, 9, 4, 0, 2, 8, 24, 7]
    assert task.support_y.numpy().tolist() == [3, 2, 0, 1, 1, 2, 3, 0]
    assert numbers(task.query_x).tolist() == [1, 6, 26, 10]
    assert task.key.numpy().tolist() == [-102727362, -85714496]


def test_permutations_are_uniform():
    orders = random.permutations(tf.constant([1, 2]), 6000, 3).numpy()
    assert (np.sort(orders) == [0, 1, 2]).all()
    assert is_uniform(
        np.unique(orders @ [9, 3, 1], return_counts=True)[1], 6000
    )


def test_choices_are_ordered_and_uniform_within_their_sizes():
    sizes = tf.repeat(tf.constant([2, 3, 4]), 4000)
    chosen = random.choose(tf.constant([1, 2]), sizes, 2, 4).numpy()
    for size, rows in zip((2, 3, 4), np.split(chosen, 3), strict=True):
        assert rows.min() == 0
        assert rows.max() == size - 1
        assert (rows[:, 0] != rows[:, 1]).all()
        pairs, counts = np.unique(rows @ [4, 1], return_counts=True)
        assert len(pairs) == size * (size - 1)
        assert is_uniform(counts, 4000)


def test_mini_batches_take_whole_passes_in_order():
    # 5 examples, 7 steps of 3: four passes and one example more, and batches
    # that straddle two passes.
    batches = mini_batches(tf.constant([1, 2]), 5, 7, 3).numpy()
    assert batches.shape == (7, 3)
    passes = batches.ravel()[:20].reshape(4, 5)
    assert (np.sort(passes) == np.arange(5)).all()
    assert len({tuple(p) for p in passes}) > 1  # shuffled again
    assert 0 <= batches.ravel()[20] < 5


def test_mini_batches_may_be_larger_than_the_set():
    batches = mini_batches(tf.constant([1, 2]), 3, 2, 6).numpy()
    assert (np.sort(batches.reshape(4, 3)) == np.arange(3)).all()


def test_mini_batches_of_other_tasks_are_others():
    one, other = (
        mini_batches(tf.constant([1, key]), 20, 2, 10).numpy() for key in (2, 3)
    )
    assert (one != other).any()


def test_waves_are_the_papers(many_waves):
    many = many_waves
    x, y = many.support_x.numpy()[..., 0], many.support_y.numpy()[..., 0]
    assert x.shape == (COUNT, 10)
    assert many.query_x.shape == (COUNT, 50, 1)
    np.testing.assert_allclose(
        many.query_x[7, :, 0], np.linspace(-5, 5, 50), atol=1e-5
    )
    # a sin(x + b) = (a cos b) sin x + (a sin b) cos x, solved for a and b.
    grid = np.linspace(-5, 5, 50)
    basis = np.stack([np.sin(grid), np.cos(grid)], 1)
    waves = many.query_y.numpy()[..., 0].T
    (cosine, sine), *_ = np.linalg.lstsq(basis, waves, rcond=None)
    a, b = np.hypot(cosine, sine), np.arctan2(sine, cosine) % (2 * np.pi)
    np.testing.assert_allclose(
        basis @ np.stack([cosine, sine]), waves, atol=1e-4
    )
    for values, low, high in (
        (a, 0.1, 5.0),
        (b, 0.0, 2 * np.pi),
        (x.ravel(), -5.0, 5.0),
    ):
        assert low - 1e-4 <= values.min() < low + 0.01 * (high - low)
        assert high + 1e-4 >= values.max() > high - 0.01 * (high - low)
        counts, _ = np.histogram(values, 10, (low, high))
        assert is_uniform(counts, counts.sum())
    # The points seen are on the same wave.
    np.testing.assert_allclose(
        y, a[:, None] * np.sin(x + b[:, None]), atol=1e-3
    )


def test_amplitude_and_points_are_unrelated(many_waves):
    size = np.abs(many_waves.query_y.numpy()).max((1, 2))
    x = many_waves.support_x.numpy()[:, 0, 0]
    assert abs(np.corrcoef(size, x)[0, 1]) < 4 / np.sqrt(COUNT)


def test_augmentation_changes_support_sets_alone_and_follows_from_the_task():
    plain = episodes()

    def shifted(examples, key):
        draws = random.uniform(key, [examples.shape[0], 1, 1, 1], 1.0, 2.0)
        return examples + draws

    changed = Episodes(
        *(plain.classes, WAYS, SHOTS), query_shots=QUERIES, augment=shifted
    )
    shifts = []
    for index in range(5):
        one, other = (t.sample(tf.constant(index)) for t in (plain, changed))
        for name in ("support_y", "query_x", "query_y", "key"):
            np.testing.assert_array_equal(
                getattr(one, name), getattr(other, name)
            )
        shifts.append((other.support_x - one.support_x).numpy())
        again = changed.sample(tf.constant(index)).support_x
        np.testing.assert_array_equal(other.support_x, again)
    assert (np.array(shifts) >= 1).all()
    assert len(np.unique(np.round(shifts, 4))) > 30  # no two tasks alike
