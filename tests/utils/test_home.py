"""The cache, and what stands in for a home folder that is no use."""

import os
import pathlib

import pytest

from reptile_tf.utils import home
from reptile_tf.utils.files import NotWrittenError, temporary_folder


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """Nothing is known of where to write, but for temporary files."""
    before = {
        "TMPDIR": str(tmp_path),
        **{n: os.environ[n] for n in ("PATH",) if n in os.environ},
    }
    monkeypatch.setattr(os, "environ", before)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return before


def test_the_caches_own_variable_comes_first(environment):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os.path, "expanduser", lambda path: path)
        with pytest.raises(NotWrittenError, match="there is no home folder"):
            home.cache_folder()
        environment["XDG_CACHE_HOME"] = "cache"
        assert home.cache_folder() == pathlib.Path("cache/reptile_tf")
        environment["REPTILE_TF_CACHE"] = "mine"
        assert home.cache_folder() == pathlib.Path("mine")
    environment |= {"REPTILE_TF_CACHE": "~/mine", "HOME": "/home/x"}
    assert home.cache_folder() == pathlib.Path("/home/x/mine")


def test_a_home_that_can_be_written_to_is_left_alone(environment, tmp_path):
    environment["HOME"] = str(tmp_path)
    before = dict(environment)
    home.make_do()
    assert environment == before and not os.listdir(tmp_path)


def test_a_read_only_home_has_a_stand_in_for_matplotlib(environment, tmp_path):
    environment["HOME"] = "/dev/null"  # nobody can write there, not even root
    home.make_do()
    [place] = tmp_path.iterdir()
    assert environment["MPLCONFIGDIR"] == str(place / "matplotlib")
    assert "KERAS_HOME" not in environment  # it finds a place by itself


def test_the_cache_stands_in_where_it_can_be_written(environment, tmp_path):
    environment["REPTILE_TF_CACHE"] = str(tmp_path / "cache")
    environment["MPLCONFIGDIR"] = "as/it/was"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os.path, "expanduser", lambda path: path)
        home.make_do()
    assert environment["KERAS_HOME"] == str(tmp_path / "cache" / "keras")
    assert environment["MPLCONFIGDIR"] == "as/it/was"


def test_without_a_temporary_folder_the_variable_is_named(monkeypatch):
    def none(*_, **__):
        raise FileNotFoundError(2, "No usable temporary directory found in []")

    monkeypatch.setattr("tempfile.TemporaryDirectory", none)
    with pytest.raises(NotWrittenError, match="TMPDIR.* No usable temporary"):
        with temporary_folder():
            pass
