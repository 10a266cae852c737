"""mini-ImageNet from every form in which people have it, here tiny ones."""

import csv
import functools
import io
import os
import pathlib
import pickle
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import ExifTags, Image

from reptile_tf.data import picture
from reptile_tf.data.picture import decode
from reptile_tf.data.preparation import Preparation
from reptile_tf.data.sources import (
    mini_imagenet,
    mini_imagenet_files,
    picture_archives,
)
from reptile_tf.data.sources.mini_imagenet import SPLITS

REAL = pathlib.Path(__file__).parents[4] / "shared" / "miniimagenet"
SHORT = {"train": "train", "validation": "val", "test": "test"}
CLASSES, IMAGES = 2, 3


def encoded(image, kind="JPEG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def random_picture(seed, size=(84, 84), mode="RGB"):
    shape = (*size[::-1], len(mode))
    # Coarse, as noise of single pixels would be lost in a JPEG file.
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return Image.fromarray(pixels // 2 + 64)


@functools.cache
def pictures():
    """{split: {"LABEL/FILE": JPEG bytes}}, in order."""
    numbers = iter(range(1000))
    return {
        split: {
            f"{label}/{label}{image:08}.jpg": encoded(
                random_picture(next(numbers)), quality=95
            )
            for label in SPLITS[split][:CLASSES]
            for image in range(1, IMAGES + 1)
        }
        for split in SPLITS
    }


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def write_csvs(folder, parts=None):
    for split, part in (parts or pictures()).items():
        rows = [(name.split("/")[1], name.split("/")[0]) for name in part]
        with (folder / f"{SHORT[split]}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("filename", "label"), *rows])


def write_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def write_tar(path, files):
    mode = "w" if path.suffix == ".tar" else "w:gz"
    with tarfile.open(path, mode) as archive:
        # In another order than anybody wants them in.
        for name, content in reversed(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def write_archive(path, files):
    (write_zip if path.suffix == ".zip" else write_tar)(path, files)


def flat():
    return {
        name.split("/")[1]: content
        for part in pictures().values()
        for name, content in part.items()
    }


def images_folder(folder):
    write_csvs(folder)
    write(folder / "images", flat())


def images_archive(name, prefix, folder):
    write_csvs(folder)
    # With what macOS and others leave there.
    junk = {f"__MACOSX/{prefix}._a.jpg": b"", f"{prefix}README.txt": b"Hi"}
    files = {prefix + name: content for name, content in flat().items()}
    write_archive(folder / name, junk | files)


def split_archives(suffix, with_split, with_csvs, folder):
    if with_csvs:
        write_csvs(folder)
    for split, part in pictures().items():
        prefix = f"{SHORT[split]}/" if with_split else ""
        files = {prefix + name: content for name, content in part.items()}
        write_archive(folder / f"{SHORT[split]}{suffix}", files)


def class_folders(validation, depth, with_csvs, folder):
    if with_csvs:
        write_csvs(folder)
    for split, part in pictures().items():
        name = validation if split == "validation" else split
        files = {k.replace("/", depth, 1): v for k, v in part.items()}
        write(folder / name, {".hidden/a.jpg": b"", **files})


def decoded(content):
    return tf.io.decode_jpeg(content, channels=3).numpy()


def cache_of(split):
    part = pictures()[split]
    rows: dict[str, list[int]] = {}
    # Rows in another order than the classes'.
    names = sorted(part, reverse=True)
    for name in part:
        rows.setdefault(name.split("/")[0], []).append(names.index(name))
    images = np.stack([decoded(part[name]) for name in names])
    return {"image_data": images, "class_dict": rows}


def caches(protocol, folder, splits=tuple(SPLITS)):
    for split in splits:
        path = folder / f"mini-imagenet-cache-{SHORT[split]}.pkl"
        path.write_bytes(pickle.dumps(cache_of(split), protocol))


def mixed(folder):
    caches(4, folder, ["test"])
    part = {f"train/{k}": v for k, v in pictures()["train"].items()}
    write_zip(folder / "train.zip", part)
    write_csvs(folder, {"train": pictures()["train"]})
    write(folder / "valid", pictures()["validation"])


def csvs_beside_caches(folder):
    write_csvs(folder)
    caches(2, folder)


partial = functools.partial
FORMS = {
    "csv, images": images_folder,
    "csv, images.zip": partial(images_archive, "images.zip", "images/"),
    "csv, images.tar": partial(images_archive, "images.tar", "images/"),
    "csv, images.tar.gz": partial(images_archive, "images.tar.gz", "./images/"),
    "csv, images.tgz": partial(images_archive, "images.tgz", ""),
    "csv, SPLIT.zip, SPLIT/LABEL": partial(split_archives, ".zip", True, True),
    "csv, SPLIT.tar, LABEL": partial(split_archives, ".tar", False, True),
    "SPLIT.zip": partial(split_archives, ".zip", True, False),
    "SPLIT.tar.gz": partial(split_archives, ".tar.gz", False, False),
    "csv, folders": partial(class_folders, "val", "/", True),
    "folders, val": partial(class_folders, "val", "/", False),
    "folders, validation": partial(class_folders, "validation", "/a/b/", False),
    "folders, valid": partial(class_folders, "valid", "/", False),
    "pickles": partial(caches, 2),
    "pickles, newest": partial(caches, pickle.HIGHEST_PROTOCOL),
    "pickles, csv": csvs_beside_caches,
    "one of each": mixed,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same(form, tmp_path):
    FORMS[form](tmp_path)
    found = mini_imagenet_files.find(tmp_path, SPLITS)
    assert list(found) == list(SPLITS)
    for split, examples in found.items():
        expected = pictures()[split]
        labels = [example.label for example in examples]
        assert labels == [name.split("/")[0] for name in expected]
        for example, content in zip(examples, expected.values(), strict=True):
            stored = example.encoded()
            if "pickles" in form or (form == "one of each" and split == "test"):
                image = tf.io.decode_png(stored).numpy()
                np.testing.assert_array_equal(image, decoded(content))
            else:  # a JPEG file is kept as it is
                assert stored == content


def read(builder, split):
    data = list(tfds.as_numpy(builder.as_dataset(split=split)))
    names = builder.info.features["label"].int2str
    return [x["image"] for x in data], [names(x["label"]) for x in data]


@pytest.mark.parametrize("form", ["csv, SPLIT.zip, SPLIT/LABEL", "pickles"])
def test_prepared_data_are_as_the_files(form, tmp_path, capfd):
    FORMS[form](tmp_path)
    builder = mini_imagenet.prepare(tmp_path / "tfds", tmp_path, True)
    # TFDS's bars and messages are for terminals.
    printed = "".join(capfd.readouterr())
    assert printed == f"Preparing mini-ImageNet in {tmp_path}/tfds, once\n"
    assert builder.info.full_name == "mini_imagenet/partial/1.0.0"
    assert list(builder.info.splits) == list(SPLITS)
    for split, part in pictures().items():
        images, labels = read(builder, split)
        assert labels == [name.split("/")[0] for name in part]
        np.testing.assert_array_equal(images, list(map(decoded, part.values())))
    names = builder.info.features["label"].names
    assert names == [*SPLITS["train"], *SPLITS["validation"], *SPLITS["test"]]
    assert len(set(names)) == 100
    assert [len(part) for part in SPLITS.values()] == [64, 16, 20]


def test_the_order_is_by_class_and_then_the_csv_files(tmp_path):
    rng = np.random.default_rng(0)
    parts = {}
    for split, part in pictures().items():
        names = list(part)
        rng.shuffle(names)
        parts[split] = {name: part[name] for name in names}
    write_csvs(tmp_path, parts)
    write(tmp_path / "images", flat())
    for split, examples in mini_imagenet_files.find(tmp_path, SPLITS).items():
        expected = sorted(parts[split], key=lambda name: name.split("/")[0])
        assert [e.name for e in examples] == [
            name.split("/")[1] for name in expected
        ]


def test_a_split_without_pictures_is_left_out_of_partial(tmp_path):
    write(tmp_path / "train", pictures()["train"])
    builder = mini_imagenet.prepare(tmp_path / "tfds", tmp_path, True)
    assert list(builder.info.splits) == ["train"]


@pytest.fixture
def small(monkeypatch):
    """mini-ImageNet has but the tests' pictures."""
    few = {split: names[:CLASSES] for split, names in SPLITS.items()}
    monkeypatch.setattr(mini_imagenet, "SPLITS", few)
    monkeypatch.setattr(mini_imagenet, "IMAGES", IMAGES)


def test_whole_is_the_default_and_does_not_mix_with_partial(small, tmp_path):
    """And the files are looked for in TFDS's place, in a folder of their own
    if there is one."""
    place = tmp_path / "downloads" / "manual"
    place.mkdir(parents=True)
    write(place / "train", {"n00000000/of_another_set.jpg": b""})
    class_folders("val", "/", False, place / "mini_imagenet")
    whole = mini_imagenet.prepare(tmp_path)
    part = mini_imagenet.prepare(tmp_path, allow_partial=True)
    assert whole.info.full_name == "mini_imagenet/whole/1.0.0"
    assert tfds.builder("mini_imagenet", data_dir=tmp_path).info.full_name == (
        whole.info.full_name
    )
    assert whole.data_dir != part.data_dir
    for builder in (whole, part):
        assert builder.info.splits["train"].num_examples == CLASSES * IMAGES


def test_what_is_missing_is_told_by_class(tmp_path):
    FORMS["folders, val"](tmp_path)
    first = SPLITS["train"][0]
    next((tmp_path / "train" / first).iterdir()).unlink()
    for path in (tmp_path / "test").rglob("*.jpg"):
        path.unlink()
    with pytest.raises(ValueError) as caught:
        mini_imagenet.prepare(tmp_path / "tfds", tmp_path)
    message = str(caught.value)
    for text in (
        f"manual_dir={tmp_path} does not hold the 600 images",
        f"train: {first} has 2, {SPLITS['train'][1]} has 3, ",
        f"{SPLITS['train'][4]} has 0, 59 more classes have not 600; validation",
        "; test: nothing is there. ",
        "allow_partial",
        "mini-imagenet-cache-train.pkl",
    ):
        assert text in message
    assert not list((tmp_path / "tfds").rglob("1.0.0*"))


def test_one_missing_or_one_too_many_is_refused(small, tmp_path):
    FORMS["folders, val"](tmp_path)
    label = SPLITS["train"][1]
    extra = tmp_path / "train" / label / "extra.jpg"
    extra.write_bytes(encoded(random_picture(0)))
    message = f"train: {label} has 4. Add"
    with pytest.raises(ValueError, match=message):
        mini_imagenet.prepare(tmp_path / "tfds", tmp_path)
    extra.unlink()
    mini_imagenet.prepare(tmp_path / "tfds", tmp_path)


@pytest.mark.parametrize("form", ["csv, images", "folders, val", "pickles"])
@pytest.mark.parametrize(
    "label, whose", [(SPLITS["test"][0], "of test"), ("n00000001", "not of")]
)
def test_a_class_of_another_split_is_refused(
    form, label, whose, tmp_path, monkeypatch
):
    changed = {split: dict(part) for split, part in pictures().items()}
    name = next(iter(changed["validation"]))
    content = changed["validation"].pop(name)
    changed["validation"][f"{label}/{name.split('/')[1]}"] = content
    monkeypatch.setitem(globals(), "pictures", lambda: changed)
    FORMS[form](tmp_path)
    message = (
        f"{tmp_path}/.* has pictures of {label} for validation; .* {whose}"
    )
    with pytest.raises(ValueError, match=message):
        mini_imagenet.prepare(tmp_path / "tfds", tmp_path, True)


# Pictures that are not JPEG files of 84x84.


def boxed(image):
    return picture.area_means(image.convert("RGB"), 84, 84)


@pytest.mark.parametrize(
    "kind, mode",
    [
        *(("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK")),
        *(("PNG", "RGB"), ("PNG", "P"), ("PNG", "RGBA"), ("WEBP", "RGB")),
    ],
)
@pytest.mark.parametrize("size", [(84, 84), (168, 252), (500, 375), (60, 85)])
def test_other_pictures_are_squashed_by_area(kind, size, mode):
    content = encoded(random_picture(3, size).convert(mode), kind)
    stored = mini_imagenet_files.encode(content, "name")
    image = tf.image.decode_image(stored, channels=3).numpy()
    expected = boxed(Image.open(io.BytesIO(content)))
    if kind == "JPEG" and size == (84, 84) and mode != "CMYK":
        assert stored == content
        # TensorFlow and Pillow decode JPEG files a little differently.
        assert np.abs(image.astype(int) - expected).mean() < 3
    else:
        np.testing.assert_array_equal(image, expected)


def test_a_pixel_is_the_mean_of_the_area_it_covers():
    pixels = np.asarray(random_picture(0, (168, 84 * 3)), float)
    content = encoded(Image.fromarray(pixels.astype(np.uint8)), "PNG")
    stored = mini_imagenet_files.encode(content, "name")
    image = tf.io.decode_png(stored).numpy()
    means = pixels.reshape(84, 3, 84, 2, 3).mean(axis=(1, 3))
    assert np.abs(image - means).max() < 1.01


def test_a_broken_note_of_the_camera_is_no_news():
    exif = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x1a"
    content = encoded(random_picture(0), exif=exif)
    assert mini_imagenet_files.encode(content, "name") == content


def odd_pictures():
    """Forms that people have: name -> a file's bytes."""
    picture = random_picture(5)
    clear = picture.convert("RGBA")
    clear.putalpha(Image.new("L", picture.size, 0))
    deep = np.full((84, 84), 40_000, np.uint16)
    other = random_picture(6)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return {
        "turned": encoded(picture, exif=exif),
        "turned and small": encoded(random_picture(5, (60, 85)), exif=exif),
        "clear": encoded(clear, "PNG"),
        "clear palette": encoded(picture.convert("P"), "PNG", transparency=3),
        "16 bits": encoded(Image.fromarray(deep), "PNG"),
        "animated": encoded(
            picture, "GIF", save_all=True, append_images=[other]
        ),
        "four inks": encoded(picture.convert("CMYK"), exif=exif),
    }


@pytest.mark.parametrize("name", odd_pictures())
def test_odd_pictures_are_read_as_those_of_folders(name):
    content = odd_pictures()[name]
    stored = mini_imagenet_files.encode(content, name)
    expected = decode(io.BytesIO(content), Preparation(84, 84, 3, "squash"))
    found = tf.io.decode_image(stored).numpy()
    np.testing.assert_array_equal(found, expected)


def test_what_is_hidden_is_no_picture_in_any_form(tmp_path):
    names = [
        *(".ipynb_checkpoints/n01532829/1.jpg", "n01532829/._1.jpg"),
        *("__MACOSX/n01532829/1.jpg", "n01532829/Thumbs.db", "n01532829/1.jpg"),
    ]
    write(tmp_path / "train", dict.fromkeys(names, b""))
    (tmp_path / "train" / "n01532829" / "up").symlink_to("..")
    for place in ("train.zip", "train.tar.gz"):
        write_archive(tmp_path / place, dict.fromkeys(names, b""))
    for place in ("train", "train.zip", "train.tar.gz"):
        found = picture_archives.open_pictures(tmp_path / place)
        assert found.names == ["n01532829/1.jpg"]


def cut(content):
    return content[: len(content) // 2]


def with_sides(pixels):
    """A PNG file that says that it is so big."""
    content = encoded(random_picture(0), "PNG")
    header = b"IHDR" + struct.pack(">II", pixels, pixels) + content[24:29]
    checksum = struct.pack(">I", zlib.crc32(header))
    return content[:12] + header + checksum + content[33:]


def test_a_bomb_is_not_decoded():
    for pixels in (10_000, 60_000):
        with pytest.raises(ValueError, match="it .*(50,000,000|bomb)"):
            mini_imagenet_files.encode(with_sides(pixels), "it")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture",
        cut(encoded(random_picture(0))),
        encoded(random_picture(0))[:-2] + b"xx",
        cut(encoded(random_picture(0, (200, 200)))),
        cut(encoded(random_picture(0), "PNG")),
        with_sides(10_000),
        with_sides(60_000),
    ],
)
def test_what_cannot_be_decoded_is_named(content, tmp_path):
    FORMS["csv, images.zip"](tmp_path)
    files = {f"images/{name}": content for name, content in flat().items()}
    bad = list(files)[4]
    write_zip(tmp_path / "images.zip", files | {bad: content})
    with pytest.raises(ValueError, match=f"images.zip: {bad} cannot be decode"):
        mini_imagenet.prepare(tmp_path / "tfds", tmp_path, True)
    # Prepared whole or not at all.
    assert not list((tmp_path / "tfds").rglob("*1.0.0*"))
    assert not list((tmp_path / "tfds").rglob("*tfrecord*"))


# Files that are not what they should be.


def refused(folder, message):
    with pytest.raises(ValueError, match=message):
        mini_imagenet.prepare(folder / "tfds", folder, True)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"a,b\n1,2\n", "train.csv must have the header filename,label"),
        (b"filename,label\na.jpg\n", "train.csv must have the header"),
        (b"filename,label\n\xff\xfe,n\n", "train.csv cannot be read: 'utf-8'"),
        (b"filename,label\n" + b"a" * 200_000, "train.csv cannot be read: "),
        (
            b"filename,label\n" + 2 * b"a.jpg,n01532829\n",
            "lists a.jpg of n0153",
        ),
    ],
)
def test_bad_csv_files_are_refused(content, message, tmp_path):
    images_folder(tmp_path)
    (tmp_path / "train.csv").write_bytes(content)
    refused(tmp_path, message)


def test_csv_files_of_other_programs_are_read(tmp_path):
    images_folder(tmp_path)
    for path in tmp_path.glob("*.csv"):
        rows = path.read_text().splitlines()
        text = "\ufeff" + "\r\n".join(row.replace(",", ", ") for row in rows)
        path.write_text(text + "\r\n\r\n")
    found = mini_imagenet_files.find(tmp_path, SPLITS)
    assert all(len(part) == CLASSES * IMAGES for part in found.values())


def test_a_name_that_two_classes_have_is_of_the_right_one(tmp_path):
    one, two = SPLITS["train"][:2]
    write(tmp_path / "images", {f"{one}/1.jpg": b"", f"{two}/1.jpg": b""})
    write_csvs(tmp_path, {"train": [f"{two}/1.jpg"]})
    (example,) = mini_imagenet_files.find(tmp_path, SPLITS)["train"]
    assert example.name == f"{two}/1.jpg"
    write(tmp_path / "images", {f"again/{two}/1.jpg": b""})
    refused(tmp_path, f"has 1.jpg of {two} twice: again/{two}/1.jpg and {two}")


def test_a_picture_in_no_class_folder_is_refused(tmp_path):
    write(tmp_path / "train", {"cats/1.jpg": b""})
    refused(tmp_path, "train: cats/1.jpg is in no class folder; .*n01532829")


def test_folders_may_be_links(tmp_path):
    class_folders("val", "/", False, tmp_path / "elsewhere")
    for name in SHORT.values():
        (tmp_path / name).mkdir()
        for path in (tmp_path / "elsewhere" / name).iterdir():
            (tmp_path / name / path.name).symlink_to(path)
    found = mini_imagenet_files.find(tmp_path, SPLITS)
    assert [len(part) for part in found.values()] == [CLASSES * IMAGES] * 3


@pytest.mark.parametrize("name", ["train.zip", "train.tar", "train.tar.gz"])
@pytest.mark.parametrize(
    "harm", [cut, lambda content: b"", lambda _: b"\x1f\x8b"]
)
def test_damaged_archives_are_refused(name, harm, tmp_path):
    path = tmp_path / name
    write_archive(path, pictures()["train"])
    path.write_bytes(harm(path.read_bytes()))
    refused(tmp_path, f"{path} is no archive that can be read")


def test_a_damaged_member_is_refused(tmp_path):
    path = tmp_path / "train.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in pictures()["train"].items():
            archive.writestr(name, content)
    content = path.read_bytes()
    middle = content.index(b"\xff\xd8") + 2000
    path.write_bytes(content[:middle] + b"#" + content[middle + 1 :])
    refused(tmp_path, f"{path}: n01532829/.* cannot be read: Bad CRC")


def test_a_password_is_refused(tmp_path):
    path = tmp_path / "train.zip"
    write_zip(path, pictures()["train"])
    content = path.read_bytes()
    for at in (content.index(b"PK\3\4") + 6, content.index(b"PK\1\2") + 8):
        content = content[:at] + b"\1" + content[at + 1 :]
    path.write_bytes(content)
    refused(tmp_path, "cannot be read: .*encrypted, password required")


@pytest.mark.parametrize("name", ["images.zip", "images.tar", "images.tgz"])
def test_members_of_absurd_size_are_refused(name, tmp_path, monkeypatch):
    images_archive(name, "", tmp_path)
    monkeypatch.setattr(picture_archives, "_MOST_BYTES", 3000)
    for path in tmp_path.glob("*.csv"):
        assert path.stat().st_size < 3000
    refused(tmp_path, f"{name}: n.*.jpg has [5-9],... bytes; .* 3,000 is not")


def test_a_file_of_absurd_size_is_not_read(tmp_path):
    images_folder(tmp_path)
    big = sorted((tmp_path / "images").iterdir())[0]
    os.truncate(big, 1 << 40)
    refused(tmp_path, f"{big} has 1,099,511,627,776 bytes")


def test_a_zip_that_lies_about_a_size_is_read_no_further(tmp_path):
    path = tmp_path / "train.zip"
    write_zip(path, {"n01532829/1.jpg": bytes(10_000_000)})
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\1\2") + 24
    content[at : at + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(content)
    refused(tmp_path, "1.jpg cannot be (read|decoded)")


@pytest.mark.parametrize("name", ["images.zip", "images.tar", "images.tgz"])
@pytest.mark.parametrize("prefix", ["../../", "/tmp/reptile_tf_evil/"])
def test_names_in_archives_are_no_paths(name, prefix, tmp_path):
    folder = tmp_path / "a" / "b" / "c"
    folder.mkdir(parents=True)
    images_archive(name, prefix, folder)
    before = {path for path in tmp_path.rglob("*")}
    for part in mini_imagenet_files.find(folder, SPLITS).values():
        assert [example.encoded()[:2] for example in part] == [b"\xff\xd8"] * 6
    assert {path for path in tmp_path.rglob("*")} == before
    assert not pathlib.Path("/tmp/reptile_tf_evil").exists()


def test_links_in_archives_lead_nowhere(tmp_path):
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(encoded(random_picture(0)))
    with tarfile.open(tmp_path / "train.tar", "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            link = tarfile.TarInfo(f"n01532829/{kind.decode()}.jpg")
            link.type, link.linkname = kind, str(secret)
            archive.addfile(link)
    refused(tmp_path, "holds no picture of mini-ImageNet")


def cache_with(**changes):
    return pickle.dumps({**cache_of("train"), **changes})


@pytest.mark.parametrize(
    "content, message",
    [
        (pickle.dumps([1]), "must hold a dict with image_data, uint8"),
        (cache_with(image_data=None), "must hold a dict"),
        (cache_with(image_data=np.zeros((6, 84, 84, 3))), "must hold a dict"),
        (cache_with(image_data=np.zeros((6, 32, 32, 3), "u1")), "must hold a"),
        (cache_with(class_dict=[0]), "must hold a dict"),
        (cache_with(class_dict={"n01532829": 0}), "must hold a dict"),
        (cache_with(class_dict={"n01532829": [0, 6]}), "there are 6"),
        (cache_with(class_dict={"n01532829": [-1]}), "there are 6"),
        (cache_with(class_dict={"n01532829": [1, 1]}), "and none twice"),
        (cache_with(class_dict={"n01532829": ["1; x"]}), "must list rows"),
        (cut(cache_with()), "cache-train.pkl is no pickle, or is damaged"),
        (
            b"cos\nsystem\n(S'touch harm'\ntR.",
            "train.pkl names os.system, whic",
        ),
    ],
)
def test_bad_pickles_are_refused(content, message, tmp_path):
    (tmp_path / "mini-imagenet-cache-train.pkl").write_bytes(content)
    refused(tmp_path, message)


# Folders.


@pytest.mark.parametrize("make", [lambda path: None, pathlib.Path.mkdir])
def test_an_absent_folder_is_told_with_what_to_put_there(make, tmp_path):
    place = tmp_path / "manual"
    make(place)
    state = "is empty" if place.exists() else "is not a folder"
    with pytest.raises(
        ValueError, match=f"manual_dir={place} {state}; .*"
    ) as e:
        mini_imagenet.prepare(tmp_path / "tfds", place)
    assert "train.zip, val.zip and test.zip" in str(e.value)
    assert not (tmp_path / "tfds").exists()


def test_without_manual_dir_tfdss_place_is_told(tmp_path):
    place = tmp_path / "downloads" / "manual"
    with pytest.raises(ValueError, match=f"manual_dir={place} is not a folder"):
        mini_imagenet.prepare(tmp_path)
    write(place, {"other.zip": b""})
    refused_here = pytest.raises(ValueError, match=f"{place} holds no picture")
    with refused_here:
        mini_imagenet.prepare(tmp_path)


def everything(folder):
    return {
        path: (path.stat().st_mtime_ns, path.stat().st_size)
        for path in [folder, *folder.rglob("*")]
    }


def test_ready_data_are_used_and_nothing_is_written(tmp_path, small):
    FORMS["folders, val"](tmp_path)
    data = tmp_path / "tfds"
    mini_imagenet.prepare(data, tmp_path)
    for path in [data, *data.rglob("*")]:
        path.chmod(0o555)
    # Root may write all the same; but then it would be seen here.
    before = everything(data)
    builder = mini_imagenet.prepare(data, "/nowhere")
    images, _ = read(builder, "train")
    assert len(images) == CLASSES * IMAGES
    assert everything(data) == before


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path):
    FORMS["folders, val"](tmp_path)
    (tmp_path / "file").write_text("")
    data = tmp_path / "file" / "tfds"
    with pytest.raises(ValueError, match=f"data_dir={data} cannot be written"):
        mini_imagenet.prepare(data, tmp_path, True)


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    FORMS["folders, val"](tmp_path)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    builder = mini_imagenet.MiniImagenet
    monkeypatch.setattr(builder, "download_and_prepare", full)
    refused(tmp_path, "tfds cannot be written to: .*No space left on device")


def test_another_process_may_be_faster(tmp_path, monkeypatch):
    FORMS["folders, val"](tmp_path)
    builder = mini_imagenet.MiniImagenet
    prepare = builder.download_and_prepare

    def raced(self, **options):
        prepare(
            builder(data_dir=tmp_path / "tfds", config="partial"), **options
        )
        self.data_path.joinpath("x").rename(self.data_path)  # as TFDS does

    monkeypatch.setattr(builder, "download_and_prepare", raced)
    found = mini_imagenet.prepare(tmp_path / "tfds", tmp_path, True)
    assert len(read(found, "test")[0]) == CLASSES * IMAGES


def test_a_half_written_folder_is_refused(tmp_path):
    FORMS["folders, val"](tmp_path)
    builder = mini_imagenet.prepare(tmp_path / "tfds", tmp_path, True)
    (builder.data_path / "dataset_info.json").unlink()
    refused(tmp_path, f"half-written: {builder.data_path} .* prepare it again")


# The real pictures.


@pytest.fixture(scope="module")
def real():
    if not REAL.is_dir():
        pytest.skip("needs mini-ImageNet in ../shared/miniimagenet")
    return mini_imagenet_files.find(REAL, SPLITS)


def test_the_real_files_are_whole(real):
    mini_imagenet._require_whole(REAL, real)
    assert [len(part) for part in real.values()] == [38400, 9600, 12000]
    for split, part in real.items():
        with (REAL / f"{SHORT[split]}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        # The real files are in the order of the classes already.
        labels = [row["label"] for row in rows]
        assert [example.label for example in part] == labels
        for example, row in zip(part, rows, strict=True):
            assert example.name.endswith(row["filename"])


def test_the_real_pictures_are_kept_as_they_are(real):
    for part in real.values():
        for example in part[::3000]:
            content = example.encoded()
            assert content == example.pictures.read(example.name)
            image = decoded(content)
            assert image.shape == (84, 84, 3) and image.std() > 10
