"""Any image-classification set of TFDS, here small ones of our own."""

import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds

from reptile_tf.data.sources import tfds_images
from reptile_tf.data.sources.registry import load_classes


class TinyImages(tfds.core.GeneratorBasedBuilder):
    """10 classes of 4 images, in two parts; a pixel names class and image."""

    VERSION = tfds.core.Version("1.0.0")
    SHAPE = (6, 4, 1)

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=self.SHAPE),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
        )

    def _split_generators(self, dl_manager):
        return {"train": self._examples(0), "test": self._examples(1)}

    def _examples(self, part):
        for label in range(10):
            for number in (2 * part, 2 * part + 1):
                height = 6 if self.SHAPE[0] else 6 + label
                image = np.full((height, 4, 1), 16 * label + number, np.uint8)
                yield f"{label}-{number}", {"image": image, "label": label}

    _generate_examples = _examples


class UnequalImages(TinyImages):
    """Images of different heights."""

    SHAPE = (None, None, 1)


class OtherLabels(TinyImages):
    """5 classes of 2 images, by a text and by a number."""

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(2, 2, 1)),
                    "kind": tfds.features.Text(),
                    "number": tfds.features.Scalar(np.int64),
                }
            ),
        )

    def _split_generators(self, dl_manager):
        return {"every": self._examples(0)}

    def _examples(self, part):
        for i in range(10):
            image = np.full((2, 2, 1), i % 5, np.uint8)
            kind = "abcde"[i % 5]
            yield i, {"image": image, "kind": kind, "number": i % 5 + 5}

    _generate_examples = _examples


class Unlabelled(TinyImages):
    """4 classes of one image, 3 without one, and a part without any."""

    def _examples(self, part):
        for i in range(7):
            known = not part and i in (0, 2, 3, 6)
            image = np.full((6, 4, 1), i, np.uint8)
            yield i, {"image": image, "label": i if known else -1}

    _generate_examples = _examples


class NotImages(TinyImages):
    """Labelled numbers."""

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {"label": tfds.features.ClassLabel(num_classes=10)}
            ),
        )

    def _examples(self, part):
        yield "0", {"label": 0}

    _generate_examples = _examples


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    for builder in (
        *(TinyImages, UnequalImages, NotImages),
        *(OtherLabels, Unlabelled),
    ):
        builder(data_dir=folder).download_and_prepare()
    return folder


def test_all_parts_are_pooled_and_split_by_class(data_dir):
    splits = load_classes("tfds:tiny_images", data_dir, seed=0)
    assert [part.num_classes for part in splits] == [6, 2, 2]
    labels = []
    for part in splits:
        assert all(
            (part[c] // 16 == int(name)).all()
            for c, name in enumerate(part.names)
        )
        assert (part.sizes == 4).all()
        values = part.examples[:, 0, 0, 0].reshape(-1, 4)
        # All four images of a class, of both of TFDS's parts.
        np.testing.assert_array_equal(
            np.sort(values % 16), [[0, 1, 2, 3]] * len(values)
        )
        assert (values // 16 == values[:, :1] // 16).all()
        labels += (values[:, 0] // 16).tolist()
    assert sorted(labels) == list(range(10))


def test_a_second_load_takes_the_cached_copy(data_dir, monkeypatch):
    first, _, _ = load_classes("tfds:tiny_images", data_dir)

    def decode(*_, **__):
        raise AssertionError("decoded again")

    monkeypatch.setattr(tfds_images.tf.data.Dataset, "map", decode)
    second, _, _ = load_classes("tfds:tiny_images", data_dir)
    np.testing.assert_array_equal(first.examples, second.examples)


def test_images_without_a_common_size_are_resized(data_dir):
    train, _, _ = load_classes("tfds:unequal_images", data_dir)
    assert train.example_shape == (84, 84, 1)
    train, _, _ = load_classes("tfds:unequal_images", data_dir, image_size=9)
    assert train.example_shape == (9, 9, 1)


def test_some_of_the_parts(data_dir):
    """Which are named as TFDS names them; the classes are still divided."""
    splits = load_classes("tfds:tiny_images[test]", data_dir)
    for part in splits:
        assert (part.sizes == 2).all()
        assert set(part.examples.ravel() % 16) == {2, 3}
    both = load_classes("tfds:tiny_images[train+test]", data_dir)
    every = load_classes("tfds:tiny_images", data_dir)
    for a, b in zip(both, every, strict=True):
        assert a.names == b.names
        # The order within a class is that of the parts.
        np.testing.assert_array_equal(
            np.sort(a[0].ravel()), np.sort(b[0].ravel())
        )
    with pytest.raises(ValueError, match="no split 'valid'.*'test', 'train'"):
        load_classes("tfds:tiny_images[valid]", data_dir)
    with pytest.raises(ValueError, match=r"such as tfds:NAME\[train\+test\]"):
        load_classes("tfds:tiny_images[10%]", data_dir)


@pytest.mark.parametrize("key, names", [("kind", "abcde"), ("number", "56789")])
def test_labels_of_another_name_and_kind(data_dir, key, names):
    splits = load_classes("tfds:other_labels", data_dir, label_key=key)
    assert sorted(n for part in splits for n in part.names) == list(names)
    for part in splits:
        for c, name in enumerate(part.names):
            assert part[c][:, 0, 0, 0].tolist() == [names.index(name)] * 2
    with pytest.raises(ValueError, match="(?s)give --label_key.*kind"):
        load_classes("tfds:other_labels", data_dir)


def test_examples_without_a_label_are_left_out(data_dir, capsys, monkeypatch):
    """And pictures of a part without labels are not even decoded."""
    decoded = []
    batches = tfds_images._Reading._of

    def spy(self, split, key, convert):
        decoded.append((split, key))
        return batches(self, split, key, convert)

    monkeypatch.setattr(tfds_images._Reading, "_of", spy)
    for _ in range(2):  # read, and from the cache
        splits = load_classes("tfds:unlabelled", data_dir)
        told = capsys.readouterr().out
        for count, split in ((3, "train"), (7, "test")):
            assert f"{count} examples of {split} have no label (-1)" in told
    assert sorted(decoded) == [
        *(("test", "label"), ("train", "image"), ("train", "label"))
    ]
    pixels = [int(part[0].flat[0]) for part in splits[1:]]
    pixels += splits.train.examples[:, 0, 0, 0].tolist()
    assert sorted(pixels) == [0, 2, 3, 6]
    for part in splits:
        for c, name in enumerate(part.names):
            assert part[c].flat[0] == int(name)
    with pytest.raises(ValueError, match=r"no example in test .*\[train\]"):
        load_classes("tfds:unlabelled[test]", data_dir)


def test_a_size_that_has_no_use_is_told(data_dir, capsys):
    load_classes("tfds:tiny_images", data_dir, image_size=5)
    assert "image_size=5 has no use" in capsys.readouterr().out


def test_a_data_set_that_lies_ready_is_only_read(data_dir, tmp_path):
    """As on a disk that cannot be written to."""
    folder = tmp_path / "disk"
    shutil.copytree(data_dir, folder)
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    for path in (*before, folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        load_classes("tfds:tiny_images", folder)
        after = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
        assert after == before
    finally:
        for path in (folder, *before):
            path.chmod(0o755)


def test_images_of_different_sizes_are_refused_without_one(data_dir):
    builder = UnequalImages(data_dir=data_dir)
    with pytest.raises(ValueError, match="no common size; give size"):
        tfds_images.load(builder, ["train"])


def test_nearest_takes_the_middle_of_each_source_cell():
    image = np.arange(36, dtype=np.uint8).reshape(6, 6, 1)
    np.testing.assert_array_equal(
        tfds_images.nearest(image, 2, 2)[..., 0], [[7, 10], [25, 28]]
    )


@pytest.mark.parametrize(
    "name, message",
    [
        ("tfds:no_such_set", "tfds:no_such_set is not a data set"),
        ("tfds:not_images", "must have a feature 'image', an image"),
        (
            "mnist",
            "must be one of folder:PATH, omniglot, mini_imagenet, glyphs, sine,"
            " tfds:NAME; .*'mnist'",
        ),
    ],
)
def test_other_names_are_refused(data_dir, name, message):
    with pytest.raises(ValueError, match=message):
        load_classes(name, data_dir)


def remove(folder):
    next(folder.glob("*test.tfrecord*")).unlink()


def cut_short(folder):
    file = next(folder.glob("*test.tfrecord*"))
    file.write_bytes(file.read_bytes()[:-10])


def cut_to_nothing(folder):
    next(folder.glob("*test.tfrecord*")).write_bytes(b"")


def remove_description(folder):
    (folder / "dataset_info.json").unlink()


@pytest.mark.parametrize(
    "harm", [remove, cut_short, cut_to_nothing, remove_description]
)
def test_a_half_written_folder_is_refused(
    data_dir, tmp_path, monkeypatch, harm
):
    """Naming the folder and the remedy; and nothing of it is cached."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("REPTILE_TF_CACHE", str(cache))
    folder = tmp_path / "tiny_images"
    shutil.copytree(data_dir / "tiny_images", folder)
    harm(folder / "1.0.0")
    with pytest.raises(ValueError, match=f"{tmp_path}.*prepare it again"):
        load_classes("tfds:tiny_images", tmp_path)
    assert not list(cache.glob("*test*"))


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="data_dir=.*nowhere is not a folder"):
        load_classes("tfds:tiny_images", tmp_path / "nowhere")


@pytest.mark.parametrize("content", ["", "[5]", '{"name": "tiny'])
def test_a_damaged_description_is_named(tmp_path, content):
    tfds.builder("tiny_images", data_dir=tmp_path).download_and_prepare()
    [about] = tmp_path.rglob("dataset_info.json")
    about.write_text(content)
    with pytest.raises(
        ValueError, match=f"data_dir={tmp_path} is damaged: .*tiny_images.*rem"
    ):
        load_classes("tfds:tiny_images", data_dir=tmp_path)
