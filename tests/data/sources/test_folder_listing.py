"""What a folder of pictures holds: layouts, refusals, and too few pictures."""

import dataclasses
import pathlib
import time

import pytest

from reptile_tf.data.sources.folder_listing import (
    duplicates_across,
    require_enough,
    scan,
)


def make(root, *names):
    """Makes empty files and, of names that end in a slash, folders."""
    for name in names:
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


def found(root, listing):
    """Returns the splits with the pictures' paths in the folder."""
    return {
        split: {
            name: [path.relative_to(root).as_posix() for path in paths]
            for name, paths in classes.items()
        }
        for split, classes in listing.splits.items()
    }


def refused(root, **options):
    with pytest.raises(ValueError) as caught:
        scan(root, **options)
    return str(caught.value)


# Layouts


def test_class_folders(tmp_path):
    make(
        tmp_path,
        *("dog/2.jpg", "dog/10.jpg", "cat/images/1.PNG", "cat/1.webp"),
        *("cat/about.txt", "README.md", "sample.png", "cat/images/x/y/z.gif"),
    )
    for place in (tmp_path, str(tmp_path), f"{tmp_path}/"):
        listing = scan(place)
        assert found(tmp_path, listing) == {
            "all": {
                "cat": [
                    "cat/1.webp",
                    "cat/images/1.PNG",
                    "cat/images/x/y/z.gif",
                ],
                "dog": ["dog/10.jpg", "dog/2.jpg"],
            }
        }
        assert list(listing.splits["all"]) == ["cat", "dog"]
        assert (listing.ignored, listing.unused) == (2, 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        listing.ignored = 0


def test_what_is_hidden_is_left_alone(tmp_path):
    make(
        tmp_path,
        *("a/1.png", "a/._1.png", "a/.DS_Store", ".git/a/1.png", ".1.png"),
        *("__MACOSX/a/1.png", "b/2.png", "b/.thumbs/2.png", "b/.x"),
    )
    listing = scan(tmp_path)
    assert found(tmp_path, listing) == {
        "all": {"a": ["a/1.png"], "b": ["b/2.png"]}
    }
    assert (listing.ignored, listing.unused) == (0, 0)


def test_names_are_kept_as_they_are(tmp_path):
    # An accent may be a character of its own: two names that look the same.
    names = ["Caf\u00e9", "Cafe\u0301", "ein Hund", "猫", "n%s{0}'\""]
    make(tmp_path, *(f"{name}/ein bild.png" for name in names))
    assert list(scan(tmp_path).splits["all"]) == sorted(names)


def test_links_are_followed_and_loops_end(tmp_path):
    make(tmp_path, "store/cats/1.png", "store/9.png", "root/dogs/1.png")
    root = tmp_path / "root"
    (root / "cats").symlink_to("../store/cats")
    (root / "dogs" / "2.png").symlink_to("../../store/9.png")
    (root / "dogs" / "gone.png").symlink_to("nowhere")
    (root / "dogs" / "up").symlink_to("..")
    (root / "me").symlink_to(".")
    (root / "store").symlink_to("..")
    (root / "itself").symlink_to("itself")
    (tmp_path / "link").symlink_to(root)
    for place in (root, tmp_path / "link"):
        assert found(place, scan(place)) == {
            "all": {
                "cats": ["cats/1.png"],
                "dogs": ["dogs/1.png", "dogs/2.png"],
            }
        }


def test_a_read_only_folder(tmp_path):
    make(tmp_path, "a/1.png", "b/1.png")
    for path in (*tmp_path.rglob("*"), tmp_path):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = sorted(tmp_path.rglob("*"))
    assert len(scan(tmp_path).splits["all"]) == 2
    assert sorted(tmp_path.rglob("*")) == before
    for path in (tmp_path, *tmp_path.iterdir()):
        path.chmod(0o755)


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("train", "val", "test"), ("train", "validation", "test")),
        (
            ("Training", "VALIDATION", "Testing"),
            ("train", "validation", "test"),
        ),
        (("test", "valid", "TRAIN"), ("train", "validation", "test")),
        (("train", "test"), ("train", "test")),
        (("train", "val"), ("train", "validation")),
    ],
)
def test_split_folders(tmp_path, names, splits):
    make(tmp_path, "LICENSE", ".hidden/a/1.png", "overview.png")
    for name in names:
        make(tmp_path, f"{name}/{name} 1/x/1.png", f"{name}/{name} 2/1.png")
        make(tmp_path, f"{name}/labels.csv", f"{name}/loose.png")
    listing = scan(tmp_path)
    assert tuple(listing.splits) == splits
    for name in names:
        [classes] = (
            classes
            for classes in found(tmp_path, listing).values()
            if f"{name} 1" in classes
        )
        assert classes == {
            f"{name} 1": [f"{name}/{name} 1/x/1.png"],
            f"{name} 2": [f"{name}/{name} 2/1.png"],
        }
    assert listing.ignored == listing.unused == 1 + len(names)


def test_a_class_may_be_called_train(tmp_path):
    make(tmp_path, "bus/1.png", "train/1.png", "plane/1.png")
    assert list(scan(tmp_path).splits["all"]) == ["bus", "plane", "train"]


def test_splits_of_pictures_are_refused_or_pooled(tmp_path):
    for split in ("Training", "Test"):
        for fruit in ("apple", "fig", f"only in {split}"):
            make(
                tmp_path,
                f"{split}/{fruit}/{split}.png",
                f"{split}/{fruit}/a.png",
            )
    make(tmp_path, "Training/kiwi/1.png")
    message = refused(tmp_path)
    for words in (
        f"folder:{tmp_path} is a split of pictures, not of classes",
        "2 of 5 classes are in more than one of Training, Test (apple, fig)",
        f"dataset=folder:{tmp_path}/Training, or --merge_splits",
    ):
        assert words in message
    assert found(tmp_path, scan(tmp_path, merge_splits=True)) == {
        "all": {
            name: [
                f"{split}/{name}/{file}.png"
                for split in ("Test", "Training")
                if (tmp_path / split / name).exists()
                for file in sorted((split, "a"))
            ]
            if name != "kiwi"
            else ["Training/kiwi/1.png"]
            for name in (
                *("apple", "fig", "kiwi", "only in Test", "only in Training"),
            )
        }
    }
    # One of the folders is a folder of classes.
    assert list(scan(tmp_path / "Test").splits) == ["all"]


def test_merging_does_nothing_where_there_are_no_splits(tmp_path):
    make(tmp_path, "a/1.png", "b/1.png")
    assert scan(tmp_path, merge_splits=True) == scan(tmp_path)


# Refusals


def test_what_is_no_folder_is_refused(tmp_path):
    make(tmp_path, "a.png")
    place = tmp_path / "missing"
    assert refused(place).startswith(f"folder:{place} does not exist; ")
    place = tmp_path / "a.png"
    assert refused(place).startswith(f"folder:{place} is a file, not ")


def test_a_folder_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    make(tmp_path, "pets/cat/1.png", "pets/dog/1.png")
    assert list(scan("~/pets").splits["all"]) == ["cat", "dog"]


def test_pictures_without_class_folders_are_refused(tmp_path):
    make(tmp_path, "1.png", "2.jpg", "notes/a.txt")
    message = refused(tmp_path)
    assert message.startswith(f"folder:{tmp_path} has 2 pictures, but no class")
    assert "a folder of its own" in message and "--csv" in message
    make(tmp_path, "s/train/1.png", "s/test/a/1.png", "s/test/b/1.png")
    assert refused(tmp_path / "s").startswith(
        f"folder:{tmp_path}/s/train has 1 pictures, but no class folders"
    )


def test_a_folder_without_pictures_is_refused(tmp_path):
    make(tmp_path, "a/1.txt", "b/")
    message = f"folder:{tmp_path} holds no picture; pictures end in .bmp"
    assert refused(tmp_path).startswith(message)
    make(tmp_path, "s/train/a/1.png", "s/val/")
    message = f"folder:{tmp_path}/s/val holds no picture"
    assert refused(tmp_path / "s").startswith(message)


def test_empty_classes_are_refused(tmp_path):
    make(tmp_path, "full/1.png", *(f"empty {i}/1.txt" for i in range(7)))
    assert (
        "has 7 class folders without a picture: empty 0, empty 1, empty 2, "
        "empty 3, empty 4 and 2 more; remove them" in refused(tmp_path)
    )


def test_a_mixture_of_splits_and_classes_is_refused(tmp_path):
    make(tmp_path, "train/a/1.png", "test/b/1.png", "notes/c.txt", "raw/1.png")
    message = refused(tmp_path)
    assert "folders for splits, train, test, and others, notes, raw" in message
    # One that looks like a class is not one if there are folders in it.
    make(tmp_path, "x/train/a/1.png", "x/bus/1.png")
    assert "splits, train, and others, bus" in refused(tmp_path / "x")


def test_two_folders_of_one_split_are_refused(tmp_path):
    make(tmp_path, "train/a/1.png", "Training/b/1.png", "test/c/1.png")
    message = refused(tmp_path, merge_splits=True)
    assert "2 folders for the train classes, Training, train" in message


def test_a_single_split_is_refused(tmp_path):
    make(tmp_path, "train/a/1.png", "train/b/1.png")
    message = refused(tmp_path)
    assert (
        f"has train alone, and no other split; use folder:{tmp_path}/train"
        in (message)
    )
    listing = scan(tmp_path, merge_splits=True)
    assert list(listing.splits["all"]) == ["a", "b"]


def test_a_folder_of_the_folder_is_named(tmp_path):
    # As archives are often unpacked.
    make(tmp_path, "pets/cat/1.png", "pets/dog/1.png")
    message = refused(tmp_path)
    assert f"cat, dog are the classes, use folder:{tmp_path}/pets" in message
    make(tmp_path, "one/class/images/1.png")
    assert list(scan(tmp_path / "one").splits["all"]) == ["class"]


# Too few


def classes_of(*sizes):
    return {f"c{i}": range(size) for i, size in enumerate(sizes)}


def test_enough_is_enough():
    require_enough(classes_of(6, 6, 7), 3, 5, 1, "test")
    require_enough(classes_of(5, 6, 7), 2, 5, 0, "train")


def too_few(*arguments):
    with pytest.raises(ValueError) as caught:
        require_enough(*arguments)
    return str(caught.value)


def test_too_few_classes_are_refused():
    message = too_few(classes_of(9, 9, 9), 5, 1, 1, "validation")
    assert message == (
        "ways=5 is more than the 3 validation classes that there are; add "
        "classes, or use ways=3 at most"
    )
    message = too_few(classes_of(9), 5, 1, 1, "test")
    assert message.endswith("1 test classes that there are; add classes")


def test_too_few_pictures_are_refused():
    message = too_few(classes_of(9, 8, 20, 14, 15), 2, 10, 5, "train")
    assert message == (
        "training_shots=10 and 5 for query_shots are 15 pictures of each "
        "class; 3 of the 5 train classes have fewer: c1 (8), c0 (9), c3 (14); "
        "add pictures to them, or use training_shots=3 at most, or remove "
        "them, which leaves 2"
    )
    message = too_few(classes_of(4, 20), 2, 10, 5, "train")
    assert "use training_shots and query_shots of 4 together at most" in message
    assert "remove" not in message
    message = too_few(classes_of(5, 20), 2, 5, 1, "test")
    assert message.startswith("shots=5 and 1 for the query set are 6 pictures")
    assert message.endswith("use shots=4 at most")
    message = too_few(classes_of(1, 20), 2, 1, 1, "test")
    assert message.endswith("c0 (1); add pictures to them")
    message = too_few(classes_of(*[3] * 7), 2, 5, 1, "test")
    assert "c4 (3) and 2 more" in message


# Copies


def test_pictures_in_two_splits_are_found():
    def at(name):
        return pathlib.Path(name)

    pairs = duplicates_across(
        {
            "train": [(at("a"), 1), (at("b"), 2), (at("c"), 1), (at("z"), 0)],
            "validation": [(at("d"), 3), (at("e"), 3), (at("f"), 0)],
            "test": [(at("g"), 2), (at("h"), 3), (at("i"), 4), (at("j"), 1)],
        }
    )
    assert pairs == [
        (at("b"), at("g")),
        (at("d"), at("h")),
        (at("a"), at("j")),
    ]
    assert duplicates_across({"train": [(at("a"), 1), (at("b"), 1)]}) == []


def test_many_pictures_are_compared_quickly():
    paths = [pathlib.Path(f"{i}.png") for i in range(60_000)]
    same = [(path, 7) for path in paths]
    others = [(path, i + 8) for i, path in enumerate(paths)]
    start = time.monotonic()
    assert len(duplicates_across({"train": same, "test": same})) == 60_000
    assert not duplicates_across({"train": same, "test": others})
    # Each with each would be hours.
    assert time.monotonic() - start < 30
