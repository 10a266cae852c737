"""Archives of pictures from strangers, which unpack to more than they are."""

import gzip
import io
import struct
import tarfile
import tracemalloc
import zipfile
import zlib

import pytest

from reptile_tf.data.sources import picture_archives
from reptile_tf.data.sources.picture_archives import open_pictures

MIB = 1 << 20


def peak(function):
    """The bytes that Python takes for a moment, while it is called."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def header(name, size, kind=tarfile.REGTYPE):
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_picture_in_a_zip_is_no_larger_than_it_says(tmp_path, method):
    """It says a megabyte, with the checksum of that, and holds 16."""
    path = tmp_path / "train.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("n01532829/1.png", bytes(16 * MIB))
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\1\2")
    content[place + 24 : place + 28] = struct.pack("<I", MIB)
    checksum = struct.pack("<I", zlib.crc32(bytes(MIB)))
    content[place + 16 : place + 20] = checksum
    path.write_bytes(content)

    def read():
        pictures = open_pictures(path)
        [name] = pictures.names
        if method == zipfile.ZIP_DEFLATED:
            assert len(pictures.read(name)) == MIB
        else:
            with pytest.raises(
                ValueError, match="train.zip: n01532829/1.png .* by deflate"
            ):
                pictures.read(name)

    assert peak(read) < 4 * MIB


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("name", ["train.tar", "train.tar.gz"])
def test_headers_of_a_tar_are_bounded(tmp_path, name, kind, monkeypatch):
    monkeypatch.setattr(picture_archives, "_MOST_BYTES", MIB)
    path = tmp_path / name
    content = header("x", 64 * MIB, kind) + bytes(64 * MIB)
    if name.endswith("gz"):
        content = gzip.compress(content, 1)
    path.write_bytes(content)

    def read():
        with pytest.raises(ValueError, match=f"{name}: a header has 67,108"):
            open_pictures(path)

    assert peak(read) < 4 * MIB


def test_pictures_do_not_grow_when_they_are_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_archives, "_ALWAYS", 3 * MIB)
    path = tmp_path / "train.tar.gz"
    for count in (3, 4):
        file = io.BytesIO()
        for i in range(count):
            file.write(header(f"n01532829/{i}.png", MIB) + bytes(MIB))
        path.write_bytes(gzip.compress(file.getvalue(), 1))
        if count == 3:
            assert len(open_pictures(path).names) == 3
    with pytest.raises(ValueError, match="train.tar.gz: n.*/3.png: .* 3,145,"):
        open_pictures(path)


def test_entries_of_a_tar_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_archives, "_MOST_ENTRIES", 3)
    path = tmp_path / "train.tar.gz"
    for count in (3, 4):
        content = header("n01532829/1.txt", 0) * count + bytes(1024)
        path.write_bytes(gzip.compress(content, 1))
        if count == 3:
            assert open_pictures(path).names == []
    with pytest.raises(ValueError, match="train.tar.gz has more than 3 entr"):
        open_pictures(path)
