"""One picture as an array, against Pillow's parts and sums by hand."""

import io
import json
import os
import struct
import warnings

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageFile

from reptile_tf.data import images, picture
from reptile_tf.data.picture import UnreadablePictureError, decode
from reptile_tf.data.preparation import Preparation

RANDOM = np.random.default_rng(0)


def noise(*shape):
    return RANDOM.integers(0, 256, shape, np.uint8)


def smooth(height, width):
    """A coloured picture without sharp edges, as JPEG files keep them."""
    y, x = np.mgrid[:height, :width]
    return np.stack(
        [255 * x / width, 255 * y / height, 128 + 60 * np.sin(x / 9 + y / 7)],
        -1,
    ).astype(np.uint8)


def saved(image, kind="png", **options):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file


def squash(file, height, width, channels=3):
    return decode(file, Preparation(height, width, channels, "squash"))


# Preparation


def test_a_preparation_comes_back_from_json():
    for given in (
        Preparation(84, 60, 3, "crop"),
        Preparation(np.int64(28), np.int32(28), 1, "nearest"),
    ):
        told = json.dumps(given.as_dict())
        assert Preparation.of_dict(json.loads(told)) == given
        assert hash(Preparation.of_dict(json.loads(told))) == hash(given)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0, 8, 3, "crop"), "height must be a whole .* received 0"),
        ((8, 2.0, 3, "crop"), "width must be a whole .* received 2.0"),
        ((None, 8, 3, "crop"), "height must be a whole .* received None"),
        ((8, 4097, 3, "crop"), "width must be .* 1 to 4096; received 4097"),
        ((8, 8, 4, "crop"), "channels must be one of 1, 3; received 4"),
        ((8, 8, 3, "cut"), "resize must be one of crop.*received 'cut'"),
        ((8, 8, 1, "crop", "red"), "ink must be one of dark, light; received"),
    ],
)
def test_what_is_no_preparation_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Preparation(*values)


def test_what_as_dict_never_returned_is_refused():
    known = Preparation(8, 8, 3, "crop").as_dict()
    for told in (known | {"depth": 8}, {"height": 8}, [8, 8, 3, "crop"], None):
        with pytest.raises(ValueError, match="a preparation must have height"):
            Preparation.of_dict(told)
    with pytest.raises(ValueError, match="resize"):
        Preparation.of_dict(known | {"resize": "cut"})
    del known["ink"]  # as until version 0.2
    assert Preparation.of_dict(known) == Preparation(8, 8, 3, "crop")


# Sizes


def test_squashing_takes_the_means_of_blocks():
    pixels = 4 * RANDOM.integers(0, 64, (4, 4, 3), np.uint8)
    pixels[:, 1::2], pixels[1::2] = pixels[:, ::2], pixels[::2]
    pixels[2:, 2:] = [[[0, 40, 80]] * 2, [[40, 80, 200]] * 2]
    expected = pixels.reshape(2, 2, 2, 2, 3).mean((1, 3))
    np.testing.assert_array_equal(squash(saved(pixels), 2, 2), expected)


@pytest.mark.parametrize("size", [(12, 20), (6, 5), (3, 7), (1, 1), (9, 13)])
def test_squashing_averages_what_a_pixel_covers(size):
    pixels = noise(12, 20, 3)

    def weights(small, large):  # the share of a pixel that is covered
        fine = np.repeat(np.eye(large), small, 1)  # small times as large
        return fine.reshape(large, small, large).mean(2).T

    height, width = size
    expected = np.einsum(
        "yh,xw,hwc->yxc", weights(height, 12), weights(width, 20), pixels
    )
    found = squash(saved(pixels), height, width)
    assert abs(found - expected).max() <= 1


def test_cropping_takes_the_middle():
    crop = Preparation(2, 2, 1, "crop")
    wide = np.array([[9, 1, 2, 9], [9, 3, 4, 9]], np.uint8)
    for pixels in (wide, wide.T):
        found = decode(saved(pixels), crop)[..., 0]
        expected = pixels[:, 1:3] if pixels is wide else pixels[1:3]
        np.testing.assert_array_equal(found, expected)
    # Three columns of 2 x 6: the middle of the picture, not a left half.
    row = np.array([[0, 0, 100, 100, 0, 0]] * 2, np.uint8)
    found = decode(saved(row), Preparation(1, 1, 1, "crop"))
    assert found.item() == 100
    # Squashed, all of it counts.
    assert squash(saved(row), 1, 1, 1).item() == 33


def test_a_crop_has_the_proportions_of_the_array():
    pixels = noise(40, 90, 3)
    found = decode(saved(pixels), Preparation(20, 30, 3, "crop"))
    expected = pixels[:, 15:75].reshape(20, 2, 30, 2, 3).mean((1, 3))
    assert abs(found - expected).max() <= 1
    found = decode(saved(pixels), Preparation(10, 45, 3, "crop"))
    expected = pixels[10:30].reshape(10, 2, 45, 2, 3).mean((1, 3))
    assert abs(found - expected).max() <= 1


def test_a_crop_is_centred_to_a_part_of_a_pixel():
    # 2.5 of 8 columns, from 2.75 on.
    row = 4 * RANDOM.integers(0, 64, 8, np.uint8)
    found = decode(saved(np.stack([row] * 5)), Preparation(2, 1, 1, "crop"))
    expected = row[2:6] @ [0.25, 1, 1, 0.25] / 2.5
    assert (abs(found - expected) < 1).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_nearest_is_what_it_was_for_drawings(mode):
    pixels = Image.fromarray(noise(31, 47, 4), "RGBA")
    image = pixels.convert("RGB" if mode == "P" else "RGBA").convert(mode)
    file = saved(image)
    # The way of version 0.1.
    paper = Image.new("RGBA", image.size, "white")
    paper.alpha_composite(image.convert("RGBA"))
    for channels, other in ((1, "L"), (3, "RGB")):
        opaque = np.asarray(paper.convert(other)).reshape(31, 47, channels)
        for height, width in [(28, 28), (105, 105), (1, 1), (5, 37), (200, 3)]:
            np.testing.assert_array_equal(
                decode(file, Preparation(height, width, channels, "nearest")),
                images.nearest(opaque, height, width),
            )


def test_whoever_draws_with_too_thin_a_pen_is_told(monkeypatch):
    told = []
    monkeypatch.setattr(
        picture.logging, "log_first_n", lambda *words: told.append(words)
    )
    for size in ((28, 28), (105, 105), (224, 10)):
        file = saved(Image.new("L", size))
        decode(file, Preparation(28, 28, 1, "nearest"))
    assert not told
    decode(saved(Image.new("L", (100, 2000))), Preparation(28, 28, 1, "squash"))
    assert not told
    drawing = saved(Image.new("L", (100, 2000)))
    decode(drawing, Preparation(28, 28, 1, "nearest"))
    [(_, words, _, *numbers)] = told
    assert "100 x 2000 pixels becomes one of 28 x 28" in words % tuple(numbers)
    assert "71 apart" in words % tuple(numbers)


def test_nearest_pixels_are_the_same_at_all_sizes():
    for size in (1, 2, 3, 7, 28, 49, 84, 105, 224):
        for side in (1, 2, 28, 84, 105, 1001):
            expected = images.nearest(np.arange(side)[:, None, None], size, 1)
            found = picture._nearest(size, side)
            np.testing.assert_array_equal(found, expected[:, 0, 0])


@pytest.mark.parametrize("resize", ["crop", "squash", "nearest"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (3, 997)])
def test_pictures_of_any_proportions(size, channels, resize):
    white = saved(np.full(size, 255, np.uint8))
    found = decode(white, Preparation(9, 14, channels, resize))
    assert found.shape == (9, 14, channels) and found.dtype == np.uint8
    assert found.min() == 255


# Formats


@pytest.mark.parametrize(
    ("kind", "options", "difference"),
    [
        ("png", {}, 0),
        ("bmp", {}, 0),
        ("webp", {"lossless": True}, 0),
        ("webp", {"quality": 95}, 12),
        ("jpeg", {"quality": 95, "subsampling": 0}, 12),
    ],
)
def test_formats(kind, options, difference):
    pixels = smooth(30, 40)
    found = squash(saved(pixels, kind, **options), 30, 40)
    assert abs(found.astype(int) - pixels).max() <= difference


def test_colours_become_grey_and_grey_becomes_colours():
    colours = smooth(6, 8)
    grey = squash(saved(colours), 6, 8, 1)[..., 0]
    expected = colours @ [0.299, 0.587, 0.114]
    assert abs(grey - expected).max() <= 1
    found = squash(saved(grey), 6, 8)
    np.testing.assert_array_equal(found, np.stack([grey] * 3, -1))


def test_sixteen_bits_are_scaled_not_clipped():
    grey = noise(5, 7)
    wide = Image.fromarray(grey.astype(np.uint16) * 257)
    assert wide.mode == "I;16"
    for channels in (1, 3):
        np.testing.assert_array_equal(
            squash(saved(wide), 5, 7, channels),
            squash(saved(grey), 5, 7, channels),
        )
    values = np.array([[0, 128, 129, 32767, 32896, 65535]], np.uint16)
    found = squash(saved(Image.fromarray(values)), 1, 6, 1)[0, :, 0]
    np.testing.assert_array_equal(found, [0, 0, 1, 127, 128, 255])
    # As older versions of Pillow open such a file.
    older = Image.fromarray(values.astype(np.int32))
    assert older.mode == "I"
    found = np.asarray(picture._opaque(older))[0]
    np.testing.assert_array_equal(found, [0, 0, 1, 127, 128, 255])


def test_transparent_grey_of_sixteen_bits_is_paper():
    values = np.array([[0, 1000, 40000]], np.uint16)
    file = saved(Image.fromarray(values), transparency=1000)
    found = squash(file, 1, 3, 1)[0, :, 0]
    np.testing.assert_array_equal(found, [0, 255, 156])


def png(bits, colour_type, width, height, rows):
    """Returns a PNG file of any kind, of its unpacked rows."""
    import zlib

    def chunk(name, data):
        crc = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + crc.to_bytes(4)

    head = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    raw = b"".join(b"\0" + row for row in rows)
    return io.BytesIO(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )


def test_colours_of_sixteen_bits():
    pixels = noise(4, 5, 3)
    rows = [row.astype(">u2").tobytes() for row in pixels.astype(int) * 257]
    np.testing.assert_array_equal(squash(png(16, 2, 5, 4, rows), 4, 5), pixels)
    # Grey with transparency, and colours with it.
    rows = [struct.pack(">HHHH", 65535, 0, 257 * 9, 65535)]
    found = squash(png(16, 4, 2, 1, rows), 1, 2, 1)[0, :, 0]
    np.testing.assert_array_equal(found, [255, 9])
    rows = [struct.pack(">HHHH", 257 * 7, 257 * 8, 257 * 9, 65535)]
    found = squash(png(16, 6, 1, 1, rows), 1, 1)
    np.testing.assert_array_equal(found[0, 0], [7, 8, 9])


def test_one_bit():
    bits = np.array([[True, False, True], [False, False, True]])
    found = squash(saved(Image.fromarray(bits)), 2, 3, 1)[..., 0]
    np.testing.assert_array_equal(found, bits * 255)


def test_what_is_transparent_is_paper():
    pixels = np.array(
        [[[10, 20, 30, 255], [10, 20, 30, 0], [0, 100, 200, 127]]], np.uint8
    )
    expected = [[10, 20, 30], [255, 255, 255], [128, 178, 228]]
    for kind, options in (("png", {}), ("webp", {"lossless": True})):
        found = squash(saved(pixels, kind, **options), 1, 3)[0].astype(int)
        assert abs(found - expected).max() <= 1
    grey = Image.fromarray(pixels[..., :3].copy()).convert("LA")
    grey.putalpha(Image.fromarray(pixels[..., 3].copy()))
    found = squash(saved(grey), 1, 3, 1)[0, :, 0].astype(int)
    assert grey.mode == "LA" and found[1] == 255 and found[0] < 30
    # A colour of pictures without alpha may stand for transparency.
    for image, colour in (
        (Image.new("RGB", (2, 2), (1, 2, 3)), (1, 2, 3)),
        (Image.new("L", (2, 2), 9), 9),
    ):
        assert squash(saved(image, transparency=colour), 2, 2).min() == 255


def test_palettes():
    image = Image.new("P", (3, 1))
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 255])
    for place in range(3):
        image.putpixel((place, 0), place)
    expected = [[0, 0, 0], [255, 0, 0], [0, 0, 255]]
    for kind in ("png", "gif", "bmp"):
        found = squash(saved(image, kind), 1, 3)[0]
        np.testing.assert_array_equal(found, expected)
    for kind in ("png", "gif"):
        found = squash(saved(image, kind, transparency=1), 1, 3)[0]
        np.testing.assert_array_equal(found[1], [255, 255, 255])
        np.testing.assert_array_equal(found[2], [0, 0, 255])
    found = squash(saved(image, transparency=bytes([255, 0, 128])), 1, 3)[0]
    np.testing.assert_array_equal(found[1], [255, 255, 255])
    assert abs(found[2].astype(int) - [127, 127, 255]).max() <= 1


def test_the_first_frame_of_an_animation():
    frames = [
        Image.fromarray(np.full((4, 4), value, np.uint8))
        for value in (10, 200, 90)
    ]
    for kind in ("gif", "png", "webp"):
        options = {"lossless": True} if kind == "webp" else {}
        file = saved(
            frames[0],
            kind,
            save_all=True,
            append_images=frames[1:],
            duration=50,
            **options,
        )
        with Image.open(file) as image:
            assert image.n_frames == 3
        np.testing.assert_array_equal(squash(file, 4, 4), 10)


def test_jpegs_for_printers():
    colours = Image.fromarray(smooth(40, 60))
    file = saved(colours.convert("CMYK"), "jpeg", quality=95)
    with Image.open(file) as image:
        assert image.mode == "CMYK"
    found = squash(file, 20, 30).astype(int)
    expected = squash(saved(colours), 20, 30)
    assert abs(found - expected).max() <= 16


# The camera


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_pictures_are_turned_upright(orientation, kind):
    upright = smooth(48, 32)
    lying = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    file = saved(np.ascontiguousarray(lying), kind, exif=exif, quality=95)
    for preparation in (
        Preparation(12, 8, 3, "squash"),
        Preparation(12, 12, 3, "crop"),
        Preparation(12, 8, 1, "nearest"),
    ):
        expected = decode(saved(upright, "png"), preparation)
        found = decode(file, preparation)
        assert abs(found.astype(int) - expected).max() <= 16


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_broken_notes_of_a_camera_do_no_harm(kind):
    pixels = smooth(16, 16)
    for notes in (b"no notes", b"MM\0*\0\0", b"MM\0*\xff\xff\xff\xff"):
        file = saved(pixels, kind, exif=b"Exif\0\0" + notes, quality=95)
        found = squash(file, 16, 16).astype(int)
        assert abs(found - pixels).mean() <= 8


# Large files


def test_large_jpegs_are_decoded_smaller_but_well(monkeypatch):
    sizes = []
    prepared = picture._opaque
    monkeypatch.setattr(
        picture,
        "_opaque",
        lambda image: sizes.append(image.size) or prepared(image),
    )
    pixels = np.asarray(Image.fromarray(smooth(40, 60)).resize((900, 600)))
    file = saved(pixels, "jpeg", quality=95)
    for preparation, size in (
        (Preparation(30, 30, 3, "crop"), (113, 75)),
        (Preparation(84, 84, 3, "crop"), (450, 300)),
        (Preparation(30, 84, 3, "squash"), (450, 300)),
        (Preparation(160, 30, 3, "squash"), (900, 600)),
        (Preparation(30, 30, 3, "nearest"), (900, 600)),
    ):
        found = decode(file, preparation).astype(int)
        assert sizes.pop() == size
        expected = decode(saved(pixels), preparation)
        sizes.clear()
        assert abs(found - expected).mean() <= 2


# Refusals


def refused(given):
    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter("always")
        with pytest.raises(UnreadablePictureError) as caught:
            squash(given, 4, 4)
    assert not leaked
    return str(caught.value)


@pytest.mark.parametrize("kind", ["jpeg", "png", "gif", "bmp", "webp"])
def test_files_that_break_off_are_refused(kind, tmp_path):
    content = saved(noise(40, 40, 3), kind).getvalue()
    path = tmp_path / f"a b.{kind}"
    for length in (3, 30, len(content) // 2):
        path.write_bytes(content[:length])
        assert refused(path).startswith(f"{path} cannot be read: ")


def test_files_that_are_no_pictures_are_refused(tmp_path):
    path = tmp_path / "x.png"
    assert "x.png cannot be read: No such file" in refused(path)
    path.touch()
    assert refused(path) == f"{path} cannot be read: it is empty"
    path.write_text("<html>not found</html>")
    assert "x.png cannot be read: it is none of BMP, GIF" in refused(path)
    path.unlink()
    path.mkdir()
    assert "x.png cannot be read: Is a directory" in refused(str(path))
    assert "the picture cannot be read" in refused(io.BytesIO(b"no"))
    path = tmp_path / "pipe.png"  # which would be waited for
    os.mkfifo(path)
    assert refused(path) == f"{path} cannot be read: it is no file"
    path = tmp_path / "loop.png"
    path.symlink_to(path)
    assert "loop.png cannot be read: Too many levels" in refused(path)
    # Pillow would start another program for it.
    assert "none of" in refused(saved(noise(3, 3, 3), "eps"))


def test_a_picture_too_large_to_unpack_is_refused(monkeypatch):
    file = saved(np.zeros([100, 100], np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4000)
    assert "decompression bomb" in refused(file)
    # What Pillow only warns of is read.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 8000)
    assert squash(file, 2, 2).max() == 0


@pytest.mark.parametrize("bits, side", [(1, 7_072), (1, 13_000), (16, 9_000)])
def test_it_is_refused_before_it_is_unpacked(monkeypatch, bits, side):
    """A file of a few bytes, whose header says that it has 50 megapixels."""

    def unpack(*_):
        raise AssertionError("it was unpacked")

    monkeypatch.setattr(ImageFile.ImageFile, "load", unpack)
    message = refused(png(bits, 0, side, side, [b"\0"]))
    assert message == (
        f"the picture cannot be read: it has {side:,} x {side:,} pixels; "
        "pictures of 1 to 50,000,000 pixels are read"
    )
    assert "unpacked" in refused(png(bits, 0, 7_071, 7_071, [b"\0"]))


def test_a_jpeg_file_that_is_unpacked_smaller_may_be_larger(monkeypatch):
    file = saved(smooth(160, 160), "jpeg")
    monkeypatch.setattr(picture, "MOST_PIXELS", 1000)
    assert squash(file, 4, 4).shape == (4, 4, 3)
    with pytest.raises(UnreadablePictureError, match="160 x 160"):
        decode(file, Preparation(4, 4, 3, "nearest"))


def test_a_file_too_large_to_be_a_picture_is_refused(tmp_path):
    path = tmp_path / "x.webp"
    with path.open("wb") as file:
        file.truncate((1 << 29) + 1)  # takes no room on the disk
    assert refused(path) == (
        f"{path} cannot be read: it has 536,870,913 bytes; at most 536,870,912 "
        "are read"
    )


def test_any_fault_of_a_decoder_is_the_files_fault(monkeypatch):
    def broken(*args):
        raise RecursionError

    monkeypatch.setattr(picture, "_prepared", broken)
    message = refused(saved(noise(3, 3, 3)))
    assert message == "the picture cannot be read: RecursionError"

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(picture, "_prepared", interrupted)
    with pytest.raises(KeyboardInterrupt):
        squash(saved(noise(3, 3, 3)), 4, 4)


@pytest.mark.parametrize(
    "size, wanted, box",
    [
        ((5, 7), (3, 2), None),  # (width, height) of both
        ((4, 4), (4, 4), None),
        ((3, 2), (7, 5), None),
        ((10, 6), (3, 3), (2.0, 0.0, 8.0, 6.0)),
        ((9, 8), (2, 3), (0.75, 0.25, 7.5, 7.75)),
    ],
)
def test_each_pixel_is_the_mean_of_its_area(size, wanted, box):
    """Against a picture in which every pixel is 420 times as large."""
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3))
    image = Image.fromarray(pixels.astype(np.uint8))
    width, height = wanted
    left, top, right, bottom = box or (0, 0, *size)
    fine = pixels.repeat(420, 0).repeat(420, 1)
    rows = np.rint(420 * np.linspace(top, bottom, height + 1)).astype(int)
    columns = np.rint(420 * np.linspace(left, right, width + 1)).astype(int)
    expected = np.array(
        [
            [
                fine[rows[i] : rows[i + 1], columns[j] : columns[j + 1]].mean(
                    (0, 1)
                )
                for j in range(width)
            ]
            for i in range(height)
        ]
    )
    found = picture.area_means(image, height, width, box)
    np.testing.assert_allclose(found, expected, atol=1.5)


def test_a_much_larger_picture_is_reduced_to_the_same_means():
    """Its pixels are first averaged in blocks, to save time."""
    pixels = np.random.default_rng(0).integers(0, 256, (960, 1200, 3), np.uint8)
    found = picture.area_means(Image.fromarray(pixels), 12, 15)
    blocks = pixels.reshape(12, 80, 15, 80, 3).mean((1, 3))
    np.testing.assert_allclose(found, blocks, atol=1)
