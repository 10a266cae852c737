"""Tests of the embedded data set: its drawings, its classes, its builder."""

import hashlib
import unicodedata

import numpy as np
import pytest

from reptile_tf.data.sources import glyphs
from reptile_tf.data.sources.registry import load_classes

SOME = glyphs.CHARACTERS[::5]  # a few hundred classes, of every script


@pytest.fixture(scope="module")
def some_drawings():
    """uint8 (classes, 20, 28, 28, 1)."""
    return np.stack([glyphs.draw(character) for character in SOME])


def test_drawings_depend_on_the_character_alone():
    first = glyphs.draw("A")
    other = glyphs.draw("B")
    np.testing.assert_array_equal(glyphs.draw("A"), first)
    assert (first != other).any()


def test_drawings_are_the_same_under_every_version(some_drawings):
    """Of Pillow, NumPy and matplotlib; `make test-all` has several of each.

    If this fails under a new version, make the drawings what they were: new
    ones need another `VERSION`, and are other data to every run.
    """
    # The last three differ by the order in which Pillow shrinks the sides.
    drawings = [*some_drawings, *map(glyphs.draw, "ᑬ∖∲")]
    digest = hashlib.sha256(np.stack(drawings).tobytes()).hexdigest()
    assert digest == (
        "7e34e7e43cf75ff707f6095d85b20bb1da7267199f4624f1a6c2faf7688a82a1"
    )


def test_drawings_are_ink_on_paper(some_drawings):
    assert some_drawings.shape == (len(SOME), 20, 28, 28, 1)
    assert some_drawings.dtype == np.uint8
    ink = 1 - some_drawings.mean(axis=(2, 3, 4)) / 255
    assert 0.01 < ink.min()
    assert ink.max() < 0.3
    assert (some_drawings.min(axis=(2, 3, 4)) < 64).all()
    # The pen keeps inside the frame, so no drawing is cut off.
    frame = np.ones((28, 28, 1), bool)
    frame[1:-1, 1:-1] = False
    assert (some_drawings[:, :, frame] == 255).mean() > 0.999


def test_drawings_of_a_class_differ(some_drawings):
    for drawings in some_drawings:
        assert len(np.unique(drawings, axis=0)) == 20


def test_classes_vary_independently(some_drawings):
    """Drawing 7 of one class is not bold because drawing 7 of another is."""
    ink = 255 - some_drawings.mean(axis=(2, 3, 4))
    boldness = ink / ink.mean(axis=1, keepdims=True)
    assert boldness.std() > 0.1
    assert boldness.mean(axis=0).std() < 0.05


def blurred(images, width):
    """Averages over width x width neighbourhoods of float (..., 28, 28)."""
    kernel = np.ones(width) / width
    for axis in (-2, -1):
        images = np.apply_along_axis(
            np.convolve, axis, images, kernel, mode="same"
        )
    return images


def test_drawings_resemble_their_class_but_not_too_much(some_drawings):
    """Nearest neighbour, one shot: well above chance, well below certain."""
    images = 255.0 - some_drawings[:, :4, :, :, 0]
    images = blurred(images, 3).reshape(len(SOME), 4, -1)
    rng = np.random.default_rng(0)
    correct = []
    for _ in range(2000):  # five-way tasks, one query each
        classes = rng.choice(len(SOME), 5, replace=False)
        shot, query = rng.choice(4, 2, replace=False)
        distances = images[classes, shot] - images[classes[0], query]
        correct.append((distances**2).sum(axis=-1).argmin() == 0)
    assert 0.5 < np.mean(correct) < 0.85
    # Against all classes at once, where chance is below 1%.
    references, queries = images[:, 0], images[:, 1]
    products = queries @ references.T
    distances = (references**2).sum(axis=-1) - 2 * products
    right = distances.argmin(axis=1) == np.arange(len(SOME))
    assert 0.15 < right.mean() < 0.33  # drawn without bends: 0.37


def test_there_are_a_thousand_named_classes():
    assert len(glyphs.CHARACTERS) >= 1000
    assert len(set(glyphs.CHARACTERS)) == len(glyphs.CHARACTERS)
    for character in glyphs.CHARACTERS:
        name = unicodedata.name(character)
        assert unicodedata.lookup(name) == character


def on_a_grid(character):
    """Puts a pen line on a 40 x 40 grid, 31 cells long; bool.

    Proportions count for little: the shorter side is stretched, by 1.3 at most.
    """
    line = glyphs.pen_line(character)
    low, high = line.min(axis=0), line.max(axis=0)
    half = (high - low) / 2 + 1e-3
    unit = (line - (low + high) / 2) / half
    stretched = np.minimum(1, 1.3 * half / half.max()) * unit
    grid = np.zeros((40, 40), bool)
    grid[tuple((stretched * 15.5 + 20).astype(int).T)] = True
    return grid


def lookalikes(characters, reach=2.5):
    """Finds the pairs of which neither has ink far from the other's.

    Far is more than `reach` cells; a single cell is let pass. The second may
    be turned by quarter turns.

    Returns:
        list of (i, j), i < j.
    """
    ink = np.stack([on_a_grid(character) for character in characters])
    steps = range(-int(reach), int(reach) + 1)
    far = ~np.logical_or.reduce(
        [
            np.roll(ink, (down, right), axis=(1, 2))
            for down in steps
            for right in steps
            if np.hypot(down, right) <= reach
        ]
    )

    def flat(grids, turns):
        turned = np.rot90(grids, turns, axes=(1, 2))
        return turned.reshape(len(grids), -1).astype(np.float32)

    alike = np.zeros((len(ink), len(ink)), bool)
    for turns in range(4):
        strays = flat(ink, 0) @ flat(far, turns).T
        strays += flat(far, 0) @ flat(ink, turns).T
        alike |= strays <= 1
    return [(i, j) for i, j in np.argwhere(alike).tolist() if i < j]


@pytest.mark.parametrize(
    "pair",
    [
        pytest.param("A\N{GREEK CAPITAL LETTER ALPHA}", id="another script"),
        pytest.param("Oo", id="upper and lower case"),
        pytest.param("↑→", id="a quarter turn"),
    ],
)
def test_lookalikes_are_found(pair):
    assert lookalikes(pair) == [(0, 1)]


def test_no_two_classes_look_alike():
    characters = glyphs.CHARACTERS
    found = [
        (unicodedata.name(characters[i]), unicodedata.name(characters[j]))
        for i, j in lookalikes(characters)
    ]
    assert not found


def test_the_font_has_every_character():
    missing = glyphs.pen_line("\uffff")
    for character in glyphs.CHARACTERS:
        assert not np.array_equal(glyphs.pen_line(character), missing)


def test_trace_inks_a_disc_around_a_point():
    line = np.full((1, 1, 2), [14.0, 10.0])
    image = glyphs.trace(line, np.full((1, 1), 3.0))
    ink = 1 - image[0, :, :, 0] / 255
    assert ink.sum() == pytest.approx(np.pi * 1.5**2, rel=0.1)
    rows, columns = np.nonzero(ink)
    assert (rows.min(), rows.max()) == (12, 15)
    assert (columns.min(), columns.max()) == (8, 11)


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_builder_writes_every_drawing(tmp_path, monkeypatch, file_format):
    monkeypatch.setattr(glyphs, "CHARACTERS", "ABЖ")
    builder = glyphs.Glyphs(data_dir=tmp_path, file_format=file_format)
    builder.download_and_prepare()

    builder = glyphs.Glyphs(data_dir=tmp_path, file_format=file_format)
    assert builder.info.features["label"].names == [
        "LATIN CAPITAL LETTER A",
        "LATIN CAPITAL LETTER B",
        "CYRILLIC CAPITAL LETTER ZHE",
    ]
    assert builder.info.supervised_keys == ("image", "label")
    assert set(builder.info.splits) == {"train"}
    if file_format == "tfrecord":
        examples = builder.as_dataset(split="train").as_numpy_iterator()
    else:
        examples = builder.as_data_source(split="train")
    examples = list(examples)
    labels = [example["label"] for example in examples]
    images = np.stack([example["image"] for example in examples])
    np.testing.assert_array_equal(labels, np.repeat(np.arange(3), 20))
    np.testing.assert_array_equal(
        images, np.concatenate([glyphs.draw(c) for c in glyphs.CHARACTERS])
    )


@pytest.mark.parametrize("cause", ["file", "full", "damaged"])
def test_without_a_cache_they_are_drawn_each_time(
    tmp_path, monkeypatch, capsys, cause
):
    monkeypatch.setattr(glyphs, "CHARACTERS", "ABCDE")
    cache = tmp_path / "cache"
    monkeypatch.setenv("REPTILE_TF_CACHE", str(cache))
    if cause == "full":
        prepare = glyphs._prepare

        def no_room(builder):
            if builder.data_path.is_relative_to(cache):
                raise RuntimeError(f"{cache}: No space left on device\nmore")
            prepare(builder)

        monkeypatch.setattr(glyphs, "_prepare", no_room)
    elif cause == "damaged":
        about = glyphs.Glyphs(data_dir=cache / "tfds").data_path
        about.mkdir(parents=True)
        (about / "dataset_info.json").write_text('{"cut')
    else:
        cache.touch()
    train, _, _ = load_classes("glyphs")
    names = {name.removeprefix("LATIN CAPITAL LETTER ") for name in train.names}
    assert names < set("ABCDE")
    for c, name in enumerate(train.names):
        np.testing.assert_array_equal(train[c], glyphs.draw(name[-1]))
    told = capsys.readouterr().out
    assert "The cache cannot hold the glyphs: " in told and str(cache) in told
    assert "\nmore" not in told
