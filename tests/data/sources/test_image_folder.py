"""A folder of pictures as a data set: divided, decoded once, and cached."""

import json
import os
import warnings

import keras
import numpy as np
import pytest
from PIL import Image

import reptile_tf as rt
from reptile_tf.data import image_files
from reptile_tf.data.preparation import Preparation
from reptile_tf.data.sources import image_folder


def write(path, value, size=(6, 6)):
    """A picture of one colour, which says which it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, 0, 0)).save(path)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """20 classes of 4 pictures; every picture has a red of its own."""
    monkeypatch.setenv("REPTILE_TF_CACHE", str(tmp_path / "cache"))
    for c in range(20):
        for i in range(4):
            write(
                tmp_path / "pictures" / f"class {c:02d}" / f"{i}.png", 4 * c + i
            )
    return tmp_path / "pictures"


WANTED = {"image_size": 4, "ways": 3, "shots": 2}


def load(folder, **settings):
    return rt.load_tasks(f"folder:{folder}", **WANTED | settings)


def reds(classes):
    """Class name -> the reds of its pictures."""
    return {
        name: classes[c][:, 0, 0, 0].tolist()
        for c, name in enumerate(classes.names)
    }


def test_classes_are_divided_and_every_picture_is_of_its_class(folder, capsys):
    tasks = load(folder)
    found = [each.classes for each in tasks]
    assert [part.num_classes for part in found] == [13, 3, 4]
    together = {}
    for part in found:
        assert part.example_shape == (4, 4, 3)
        together |= reds(part)
    assert together == {
        f"class {c:02d}": [4 * c + i for i in range(4)] for c in range(20)
    }
    assert tasks.held_out
    assert set(tasks.class_sizes) == {"train", "validation", "test"}
    assert "Decoding 80 pictures" in capsys.readouterr().out
    # The seed divides them, and so nothing is decoded again.
    other = load(folder, seed=1)
    assert other.test.classes.names != tasks.test.classes.names
    assert "Decoding" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "info",
    [
        *({}, {"unreadable": []}, {"unreadable": [], "digests": [1]}),
        {"unreadable": [], "digests": [*range(79), "79"]},
        {"unreadable": "no", "digests": [*range(80)]},
    ],
    ids=str,
)
def test_what_is_not_ours_is_decoded_again(folder, capsys, info):
    load(folder)
    [about] = (folder.parent / "cache").glob("*.json")
    content = json.loads(about.read_text())
    about.write_text(json.dumps(content | {"info": info}))
    capsys.readouterr()
    load(folder)
    assert "Decoding 80 pictures" in capsys.readouterr().out
    assert json.loads(about.read_text()) == content


@pytest.mark.parametrize("change", ["size", "time", "path", "settings"])
def test_what_has_changed_is_decoded_again(folder, capsys, change):
    load(folder)
    capsys.readouterr()
    settings, path = {}, folder / "class 03" / "1.png"
    if change == "size":
        status = path.stat()
        write(path, 200, size=(40, 30))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif change == "time":
        os.utime(path, ns=(0, 10**18))
    elif change == "path":
        path.rename(path.with_name("other.png"))
    else:
        settings = {"resize": "squash"}
    load(folder, **settings)
    assert "Decoding" in capsys.readouterr().out


def test_folders_of_splits_are_taken_as_they_are(tmp_path, folder):
    for split, numbers in (
        ("Train", range(8)),
        ("VAL", range(8, 11)),
        ("test", range(11, 20)),
    ):
        (tmp_path / "divided" / split).mkdir(parents=True)
        for c in numbers:
            (folder / f"class {c:02d}").rename(
                tmp_path / "divided" / split / f"class {c:02d}"
            )
    for seed in (0, 1):
        tasks = load(tmp_path / "divided", seed=seed)
        assert [each.classes.num_classes for each in tasks] == [8, 3, 9]
        assert sorted(tasks.test.classes.names)[0] == "class 11"


def test_validation_classes_are_held_out_where_there_is_no_folder(
    tmp_path, folder
):
    for split, numbers in (("train", range(11)), ("test", range(11, 20))):
        (tmp_path / "two" / split).mkdir(parents=True)
        for c in numbers:
            (folder / f"class {c:02d}").rename(
                tmp_path / "two" / split / f"class {c:02d}"
            )
    for held, counts in ((3, [8, 3, 9]), (0, [11, 11, 9])):
        tasks = load(tmp_path / "two", validation_classes=held)
        assert [each.classes.num_classes for each in tasks] == counts
        assert tasks.held_out == bool(held)
    (tmp_path / "two" / "test").rename(tmp_path / "two" / "valid")
    with pytest.raises(ValueError, match="validation; there must be train and"):
        load(tmp_path / "two")


@pytest.mark.parametrize(
    "settings, words",
    [
        (
            {"ways": 5},
            r"20 classes \(13, 3, 4 .*ways=5, .* be 29.*reptile-tf adapt",
        ),
        ({"validation_classes": 19}, "20 classes, too few.* must be 28.*adapt"),
        ({"max_ways": 4}, "too few .* with ways=4, .* must be 23"),
        ({"shots": 4}, "training_shots=4 and 1 for query_shots are 5 pictures"),
        ({"shots": 4, "training_shots": 2}, "shots=4 and 1 for the query set"),
        ({"image_size": 0}, "image_size must be at least 1; received 0"),
        ({"channels": 2}, "channels must be one of 1, 3; received 2"),
    ],
)
def test_what_is_too_few_is_refused_before_decoding(
    folder, monkeypatch, settings, words
):
    def decode(*_, **__):
        raise AssertionError("decoded")

    monkeypatch.setattr(image_files, "decode_all", decode)
    with pytest.raises(ValueError, match=f"(?s){words}"):
        load(folder, **settings)


def test_pictures_that_cannot_be_read(folder, tmp_path, capsys):
    (folder / "class 02" / "0.png").write_bytes(b"no picture")
    (folder / "class 05" / "3.png").write_bytes(b"")
    with pytest.raises(ValueError, match="2 pictures cannot be read") as error:
        load(folder)
    for words in ("class 02/0.png", "class 05/3.png", "--skip_unreadable"):
        assert words in str(error.value)
    cache = (tmp_path / "cache").iterdir()  # nothing is half there
    assert {path.suffix for path in cache} == {".lock"}
    for _ in range(2):
        tasks = load(folder, skip_unreadable=True, shots=1)
        assert "2 pictures that cannot be read are left out" in (
            capsys.readouterr().out
        )
    together = {}
    for each in tasks:
        together |= reds(each.classes)
    assert together["class 02"] == [9, 10, 11]
    assert together["class 05"] == [20, 21, 22]
    assert together["class 06"] == [24, 25, 26, 27]


def test_identical_pictures_in_two_splits_are_told(folder):
    tasks = load(folder)
    one = folder / tasks.train.classes.names[0] / "2.png"
    other = folder / tasks.test.classes.names[0] / "3.png"
    within = folder / tasks.train.classes.names[1] / "0.png"
    for path in (other, within):
        path.write_bytes(one.read_bytes())
    with pytest.warns(UserWarning, match="1 pairs of pictures in two") as told:
        load(folder)
    message = str(told[0].message)
    assert str(other) in message and str(one) in message
    with warnings.catch_warnings():  # within a split it does no harm
        warnings.simplefilter("error")
        other.unlink()
        load(folder, shots=1)


def test_a_table_says_the_classes(folder, tmp_path, capsys):
    rows = ["FILE_NAME\tCATEGORY"]
    for c in range(20):
        for i in range(4):
            path = folder / f"class {c:02d}" / f"{i}.png"
            path.rename(folder / f"{c}-{i}.png")
            rows.append(f"{c}-{i}.png\tkind {c % 16}")
        (folder / f"class {c:02d}").rmdir()
    (tmp_path / "labels.tsv").write_text("\n".join(rows))
    (folder / "note.txt").touch()
    tasks = load(
        folder,
        csv=str(tmp_path / "labels.tsv"),
        csv_columns="FILE_NAME,CATEGORY",
        ways=2,
    )
    together = {}
    for each in tasks:
        together |= reds(each.classes)
    assert len(together) == 16 and len(together["kind 1"]) == 8
    assert sorted(together["kind 1"]) == [4, 5, 6, 7, 68, 69, 70, 71]
    assert "1 files are no pictures" in capsys.readouterr().out


def test_the_same_classes_in_training_and_test_are_merged(tmp_path, folder):
    (tmp_path / "public").mkdir()
    folder.rename(tmp_path / "public" / "Training")
    for c in range(20):
        write(
            tmp_path / "public" / "Test" / f"class {c:02d}" / "t.png", 200 + c
        )
    with pytest.raises(ValueError, match="split of pictures, not of classes"):
        load(tmp_path / "public")
    tasks = load(tmp_path / "public", merge_splits=True)
    together = {}
    for each in tasks:
        together |= reds(each.classes)
    assert sorted(together["class 07"]) == [28, 29, 30, 31, 207]


def test_a_training_on_a_folder_trains(folder):
    """And sees what the files hold, between 0 and 1."""
    train, validation, test = load(folder, augmentation="flip")
    task = train.sample(0)
    assert task.support_x.dtype == "float32"
    values = np.rint(task.support_x[:, 0, 0, 0] * 255) // 4
    for label in range(3):
        assert len(set(values[task.support_y == label].tolist())) == 1
    model = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    learner = rt.MetaLearner(model, inner_steps=2, inner_batch_size=3)
    learner.fit(
        train,
        2,
        validation_tasks=validation,
        num_validation_tasks=2,
        verbose=0,
    )
    learner.evaluate(test, 2)


def test_a_support_folder_is_read_into_memory(folder, tmp_path, capsys):
    pictures, labels, names = image_folder.load_all(
        folder, Preparation(2, 2, 1, "crop")
    )
    assert pictures.shape == (80, 2, 2, 1)
    assert labels.tolist() == np.repeat(np.arange(20), 4).tolist()
    assert names == [f"class {c:02d}" for c in range(20)]
    assert not capsys.readouterr().out
    (folder / "class 03" / "scan.tiff").touch()
    write(folder / "beside.png", 0)
    (folder / "class 04" / "2.png").write_bytes(b"")
    wanted = Preparation(2, 2, 3, "nearest")
    with pytest.raises(ValueError, match="class 04/2.png"):
        image_folder.load_all(folder, wanted)
    pictures, labels, _ = image_folder.load_all(
        folder, wanted, skip_unreadable=True
    )
    assert pictures[:, 0, 0, 0].tolist() == [i for i in range(80) if i != 18]
    assert labels[18] == 4 and len(labels) == 79
    told = capsys.readouterr().out
    assert "1 files are no pictures" in told
    assert "1 pictures are of no class" in told
    write(tmp_path / "one" / "alone" / "x.png", 0)
    with pytest.raises(ValueError, match="at least two; found .'alone'."):
        image_folder.load_all(tmp_path / "one", wanted)


def test_the_cache_is_keyed_by_what_it_is_of(folder, tmp_path):
    """Two folders of one name do not meet there."""
    load(folder)
    (tmp_path / "other").mkdir()
    folder.rename(tmp_path / "other" / "pictures")
    load(tmp_path / "other" / "pictures")
    names = {path.name for path in (tmp_path / "cache").glob("*.json")}
    assert len(names) == 2
    for path in (tmp_path / "cache").glob("*.json"):
        assert len(json.loads(path.read_text())["info"]["digests"]) == 80
