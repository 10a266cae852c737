"""A user's own pictures: finding them, and decoding many."""

import io
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image
from terminal import Terminal

from reptile_tf.data import image_files
from reptile_tf.data.preparation import RESIZES, Preparation
from reptile_tf.data.sources import folder_listing
from reptile_tf.utils import machine

SMALL = Preparation(2, 2, 1, "nearest")


def make(root, *names):
    """Makes empty files; the names say what they are."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def relative(root, paths):
    return [path.relative_to(root).as_posix() for path in paths]


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


def classes_in(folder):
    """The classes of a folder of class folders, as every reader takes them."""
    return folder_listing.scan(folder).splits["all"]


# Finding


def test_class_folders_are_found_in_order(folder):
    found = classes_in(folder)
    names = {name: relative(folder, paths) for name, paths in found.items()}
    assert names == {"a": ["a/2.PNG", "a/deeper/1.png"], "b": ["b/1.png"]}
    assert list(found) == ["a", "b"]


def test_what_is_hidden_is_left_alone(tmp_path):
    make(
        tmp_path,
        *("a/1.jpg", "a/.1.jpg", "a/._1.jpg", "a/.trash/1.jpg", ".x/a/1.jpg"),
        *("__MACOSX/a/1.jpg", "a/__MACOSX/1.jpg", "a/b/.c/d/1.jpg", ".2.jpg"),
    )
    assert relative(tmp_path, image_files.find(tmp_path)) == ["a/1.jpg"]
    assert list(classes_in(tmp_path)) == ["a"]
    # But not a folder that is named itself.
    assert len(image_files.find(tmp_path / ".x")) == 1


def test_any_name_will_do(tmp_path):
    names = [
        "Ärger/ein bild.png",
        "猫/写真 1.jpg",
        "🐈 s/[a]*?.gif",
        "a'\"/%s.bmp",
    ]
    make(tmp_path, *names)
    found = classes_in(tmp_path)
    assert sorted(found) == sorted(name.split("/")[0] for name in names)
    assert relative(tmp_path, image_files.find(tmp_path)) == sorted(names)


def test_every_suffix_counts(tmp_path):
    names = ["1.bmp", "2.Gif", "3.JPEG", "4.jpg", "5.PNG", "6.webp"]
    make(tmp_path, *names, "7.txt", "8.tiff", "png", "9.png.txt")
    assert relative(tmp_path, image_files.find(tmp_path)) == names


def test_links_are_followed(tmp_path):
    make(tmp_path, "store/cats/1.png", "store/cats/old/2.png", "store/3.png")
    root = tmp_path / "root"
    (root / "dogs").mkdir(parents=True)
    (root / "cats").symlink_to("../store/cats")
    (root / "dogs" / "linked.png").symlink_to(tmp_path / "store/3.png")
    (root / "dogs" / "nowhere.png").symlink_to(tmp_path / "missing.png")
    (tmp_path / "link").symlink_to(root)
    for place in (root, tmp_path / "link"):
        found = classes_in(place)
        assert {
            name: relative(place, paths) for name, paths in found.items()
        } == {
            "cats": ["cats/1.png", "cats/old/2.png"],
            "dogs": ["dogs/linked.png"],
        }


def test_loops_of_links_end(tmp_path):
    make(tmp_path, "root/a/x/1.png", "root/b/2.png", "other/3.png")
    root = tmp_path / "root"
    for link, to in (
        *(("a/up", "."), ("a/x/up", ".."), ("a/x/root", "../.."), ("me", ".")),
        *(("b/itself", "itself"), ("b/all", "../.."), ("b/slash", "/")),
        *(("b/other", "../../other"), ("../other/back", "../root/b")),
    ):
        (root / link).symlink_to(to)
    found = classes_in(root)
    assert {name: relative(root, p) for name, p in found.items()} == {
        "a": ["a/x/1.png"],
        "b": ["b/2.png", "b/other/3.png"],
    }
    # Many links to one another are no reason to walk every way.
    for i in range(30):
        (tmp_path / "web" / str(i)).mkdir(parents=True)
    for i in range(30):
        for j in range(30):
            (tmp_path / f"web/{i}/to{j}").symlink_to(f"../{j}")
    make(tmp_path, "web/7/1.png")
    assert len(image_files.find(tmp_path / "web")) == 1


def test_files_and_folders_that_are_named(folder):
    found = image_files.find_all(
        [str(folder / "b" / "1.png"), folder / "a", folder / "a/notes.txt"]
    )
    assert relative(folder, found) == [
        *("b/1.png", "a/2.PNG", "a/deeper/1.png", "a/notes.txt")
    ]
    with pytest.raises(ValueError, match="x.png is neither a picture nor"):
        image_files.find_all([folder / "a", folder / "x.png"])
    with pytest.raises(ValueError, match="name a picture at least"):
        image_files.find_all([])


def test_what_holds_no_pictures_is_refused(tmp_path):
    with pytest.raises(ValueError, match="missing is not a folder"):
        image_files.find(tmp_path / "missing")
    with pytest.raises(ValueError, match="holds no picture.*png"):
        image_files.find(tmp_path)


def test_a_folder_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    make(tmp_path, "a/1.png", "a/closed/1.png")
    scandir = os.scandir

    def closed(path):  # root may read everything
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(ValueError, match="closed cannot be read: Permission"):
        image_files.find(tmp_path)


# Decoding many


def test_pictures_are_resized_by_nearest_neighbour(folder):
    images = image_files.load([folder / "b" / "1.png"], SMALL)
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
        for resize in RESIZES:
            given = Preparation(5, 3, 3, resize)
            images = image_files.load([path], given)
            assert images.shape == (1, 5, 3, 3)
            np.testing.assert_array_equal(images[0, 4, 2], expected)
        assert image_files.load([str(path)], SMALL).shape == (1, 2, 2, 1)
    assert image_files.load([], SMALL).shape == (0, 2, 2, 1)


def test_the_first_picture_that_cannot_be_read_is_named(folder):
    broken = folder / "broken.png"
    broken.write_bytes(b"\x89PNG but no more")
    with pytest.raises(image_files.UnreadablePictureError) as caught:
        image_files.load([folder / "b/1.png", broken], SMALL)
    assert str(caught.value).startswith(f"{broken} cannot be read: it is none")
    with pytest.raises(ValueError, match="broken.png .* 2 more pictures"):
        image_files.load([broken, folder, broken], SMALL)


@pytest.fixture
def many(tmp_path):
    """200 pictures; the grey of number i is i, and 7, 77 and 140 are broken."""
    paths = [tmp_path / f"{i}.png" for i in range(200)]
    for i, path in enumerate(paths):
        size = 400 if i % 50 == 0 else 1 + i % 5  # some take their time
        Image.new("L", (size, size), i).save(path)
    paths[7].write_bytes(b"")
    paths[77].write_bytes(paths[76].read_bytes()[:44])
    paths[140].unlink()
    return paths


def test_the_order_is_that_of_the_paths(many, tmp_path):
    mapped = np.memmap(tmp_path / "raw", np.uint8, "w+", shape=(200, 3, 2, 1))
    given = Preparation(3, 2, 1, "crop")
    digests, unreadable = image_files.decode_all(many, given, mapped)
    expected = np.arange(200)
    expected[[7, 77, 140]] = 0
    np.testing.assert_array_equal(
        mapped, np.broadcast_to(expected[:, None, None, None], mapped.shape)
    )
    assert list(unreadable) == [7, 77, 140]
    for row, message in unreadable.items():
        assert message.startswith(f"{many[row]} cannot be read: ")
    assert digests.dtype == np.uint64
    assert not digests[[7, 77, 140]].any()
    assert len(set(digests.tolist())) == 198
    again = np.full(mapped.shape, 9, np.uint8)
    found, _ = image_files.decode_all(many, given, again, verbose=0)
    np.testing.assert_array_equal(found, digests)
    np.testing.assert_array_equal(again, mapped)


def test_digests_tell_pixels_not_files(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "1.png")
    Image.fromarray(pixels).save(tmp_path / "2.bmp")
    pixels[3, 4] ^= 1
    Image.fromarray(pixels).save(tmp_path / "3.png")
    paths = image_files.find(tmp_path)
    rows = np.empty([3, 8, 8, 3], np.uint8)
    digests, _ = image_files.decode_all(
        paths, Preparation(8, 8, 3, "squash"), rows
    )
    assert digests[0] == digests[1] != digests[2]


def test_rows_that_do_not_fit_are_refused(many):
    for shape, dtype in (((200, 2, 2, 3), "u1"), ((200, 2, 2, 1), "f4")):
        with pytest.raises(ValueError, match=r"rows must be uint8 \[200, 2"):
            image_files.decode_all(many, SMALL, np.empty(shape, dtype))


def test_few_pictures_wait_at_a_time(monkeypatch):
    done = []
    monkeypatch.setattr(
        image_files,
        "decode_in_thread",
        lambda path, given: done.append(path) or np.zeros(given.shape, "u1"),
    )
    ahead = []

    class Paths(list):
        def __iter__(self):
            for i in range(len(self)):
                ahead.append(i - len(done))
                yield "x.png"

    count = 300 * machine.cores()
    rows = np.empty([count, 2, 2, 1], np.uint8)
    image_files.decode_all(Paths("x" * count), SMALL, rows)
    assert len(done) == count
    assert max(ahead) <= 64 * machine.cores()


def test_ctrl_c_stops_promptly(monkeypatch):
    done = []

    def slowly(path, given):
        time.sleep(0.02)
        done.append(path)
        return np.zeros(given.shape, np.uint8)

    monkeypatch.setattr(image_files, "decode_in_thread", slowly)
    rows = np.empty([10_000, 2, 2, 1], np.uint8)
    main = threading.main_thread().ident
    timer = threading.Timer(
        0.2, lambda: signal.pthread_kill(main, signal.SIGINT)
    )
    # A process of pytest-xdist may ignore the signal.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer.start()
    start = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            image_files.decode_all(["x.png"] * 10_000, SMALL, rows)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert time.monotonic() - start < 10
    count = len(done)
    time.sleep(0.1)
    assert len(done) == count  # no thread goes on


def test_a_fault_of_our_own_is_no_unreadable_picture(monkeypatch):
    def broken(path, given):
        raise ZeroDivisionError

    monkeypatch.setattr(image_files, "decode_in_thread", broken)
    rows = np.empty([3, 2, 2, 1], np.uint8)
    with pytest.raises(ZeroDivisionError):
        image_files.decode_all(["x.png"] * 3, SMALL, rows)


def test_there_is_a_bar_on_a_terminal_only(many, monkeypatch):
    rows = np.empty([200, 2, 2, 1], np.uint8)
    monkeypatch.delenv("NO_COLOR", raising=False)
    for kind, verbose, shown in (
        (io.StringIO, 1, False),
        (Terminal, 0, False),
        (Terminal, 1, True),
    ):
        monkeypatch.setattr(sys, "stdout", kind())
        image_files.decode_all(many, SMALL, rows, verbose=verbose)
        assert ("200/200" in sys.stdout.getvalue()) == shown
