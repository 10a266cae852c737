"""A user's own image_files."""

import numpy as np
import pytest
from PIL import Image

from reptile_tf.data import image_files


@pytest.fixture
def folder(tmp_path):
    """Two classes; a note, a hidden folder and a folder in a folder beside."""
    drawing = np.full([6, 4], 255, np.uint8)
    drawing[:3, :2] = 0
    for name in ("b/1.png", "a/2.PNG", "a/deeper/1.png", ".hidden/1.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawing).save(path)
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    return tmp_path


def test_class_folders_are_found_in_order(folder):
    found = image_files.find_classes(folder)
    names = {
        name: [str(path.relative_to(folder)) for path in paths]
        for name, paths in found.items()
    }
    assert names == {"a": ["a/2.PNG", "a/deeper/1.png"], "b": ["b/1.png"]}
    assert list(found) == ["a", "b"]


def test_pictures_are_resized_by_nearest_neighbour(folder):
    images = image_files.load([folder / "b" / "1.png"], 2, 2, 1)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images[0, ..., 0], [[0, 255], [255, 255]])


def test_all_kinds_of_pictures_become_grey_or_coloured(tmp_path):
    kinds = {
        "one_bit.png": ("1", 0, [0, 0, 0]),
        "palette.gif": ("P", 0, [0, 0, 0]),
        "colour.png": ("RGB", (255, 0, 0), [255, 0, 0]),
        "clear.png": ("RGBA", (9, 9, 9, 0), [255, 255, 255]),
    }
    for name, (mode, colour, expected) in kinds.items():
        path = tmp_path / name
        Image.new(mode, (3, 5), colour).save(path)
        images = image_files.load([path], 5, 3, 3)
        assert images.shape == (1, 5, 3, 3)
        np.testing.assert_array_equal(images[0, 4, 2], expected)
        assert image_files.load([path], 2, 2, 1).shape == (1, 2, 2, 1)


def test_what_holds_no_pictures_is_refused(tmp_path):
    with pytest.raises(ValueError, match="missing is not a folder"):
        image_files.find(tmp_path / "missing")
    with pytest.raises(ValueError, match="missing is not a folder"):
        image_files.find_classes(tmp_path / "missing")
    with pytest.raises(ValueError, match="holds no picture.*png"):
        image_files.find(tmp_path)
    with pytest.raises(ValueError, match="a folder for each class"):
        image_files.find_classes(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty holds no picture"):
        image_files.find_classes(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG but no more")
    with pytest.raises(ValueError, match="broken.png cannot be read"):
        image_files.load([tmp_path / "broken.png"], 2, 2, 1)
