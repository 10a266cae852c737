"""Where data sets are kept; and what is done where there is no home folder."""

import atexit
import errno
import os
import pathlib
import shutil
import tempfile

from reptile_tf.utils import paths
from reptile_tf.utils.files import NotWrittenError


def cache_folder() -> pathlib.Path:
    """Returns where decoded data sets are kept.

    `$REPTILE_TF_CACHE`, else `reptile_tf` in the user's cache folder.

    Raises:
        NotWrittenError: no variable names a place, and there is no home folder.
    """
    if given := os.environ.get("REPTILE_TF_CACHE"):
        return paths.local("REPTILE_TF_CACHE", given)
    if given := os.environ.get("XDG_CACHE_HOME"):
        return paths.local("XDG_CACHE_HOME", given) / "reptile_tf"
    if not has_home():
        reason = OSError(errno.ENOENT, "there is no home folder for it")
        raise NotWrittenError("the cache", reason)
    return pathlib.Path.home() / ".cache" / "reptile_tf"


def has_home() -> bool:
    """Returns whether the user has a home folder, as containers' may not."""
    return os.path.expanduser("~") != "~"


def make_do() -> None:
    """Gives Keras and matplotlib a place where they cannot use the home folder.

    Without one TensorFlow makes a folder named `~` in the current one, and
    matplotlib complains. The place is in the cache, else one that is removed at
    the end. Call it before TensorFlow is imported.
    """
    folder = os.path.expanduser("~")
    if os.path.isdir(folder) and os.access(folder, os.W_OK):
        return
    try:
        place = cache_folder()
        place.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=place).close()
    except OSError:
        try:
            place = pathlib.Path(tempfile.mkdtemp(prefix="reptile_tf-"))
        except OSError:  # what needs a place says so itself
            return
        atexit.register(shutil.rmtree, place, ignore_errors=True)
    os.environ.setdefault("MPLCONFIGDIR", str(place / "matplotlib"))
    if not has_home():  # with one it knows what to do
        os.environ.setdefault("KERAS_HOME", str(place / "keras"))
