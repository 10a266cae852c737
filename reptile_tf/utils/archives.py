"""Zip archives in which nothing is larger than what the file holds of it."""

import reprlib
import zipfile


def require_stored(archive: zipfile.ZipFile) -> None:
    """Refuses entries that grow when they are unpacked, to any size.

    Those that we write, and those of Keras and NumPy, are stored as they are.

    Args:
        archive: that was opened, and of which nothing was read.

    Raises:
        ValueError: names the entry; the text is to follow the file's name.
    """
    for entry in archive.infolist():
        stored = entry.compress_type == zipfile.ZIP_STORED
        if not stored or entry.file_size > entry.compress_size:
            raise ValueError(
                f"its entry {reprlib.repr(entry.filename)} is compressed, so "
                f"that {entry.compress_size:,} bytes may unpack to any size; "
                "entries must be stored as they are, as zip -0 does it"
            )


def read(archive: zipfile.ZipFile, name: str) -> bytes:
    """Returns what an entry holds.

    Args:
        archive: of entries that are stored.
        name: of the entry.

    Raises:
        ValueError: there is none; the text is to follow the file's name.
    """
    if name not in archive.namelist():
        raise ValueError(f"it lacks the entry {name}")
    return archive.read(name)
