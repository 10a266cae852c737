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
    for builder in (TinyImages, UnequalImages, NotImages):
        builder(data_dir=folder).download_and_prepare()
    return folder


def test_all_parts_are_pooled_and_split_by_class(data_dir):
    train, test = load_classes("tfds:tiny_images", data_dir, seed=0)
    assert (train.num_classes, test.num_classes) == (8, 2)
    labels = []
    for part in (train, test):
        assert (part.sizes == 4).all()
        values = part.images[:, 0, 0, 0].reshape(-1, 4)
        # All four images of a class, of both of TFDS's parts.
        np.testing.assert_array_equal(
            np.sort(values % 16), [[0, 1, 2, 3]] * len(values)
        )
        assert (values // 16 == values[:, :1] // 16).all()
        labels += (values[:, 0] // 16).tolist()
    assert sorted(labels) == list(range(10))


def test_a_second_load_takes_the_cached_copy(data_dir, monkeypatch):
    first, _ = load_classes("tfds:tiny_images", data_dir)

    def decode(*_, **__):
        raise AssertionError("decoded again")

    monkeypatch.setattr(tfds_images.tf.data.Dataset, "map", decode)
    second, _ = load_classes("tfds:tiny_images", data_dir)
    np.testing.assert_array_equal(first.images, second.images)


def test_images_without_a_common_size_are_resized(data_dir):
    train, _ = load_classes("tfds:unequal_images", data_dir)
    assert train.images.shape[1:] == (84, 84, 1)


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
        ("tfds:not_images", "must have the features 'image' and 'label'"),
        (
            "mnist",
            "must be one of omniglot, glyphs, sine, tfds:NAME; .*'mnist'",
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
