"""Flags that take a path, of every command."""

import pathlib
import re
import subprocess
import sys

import pytest
from absl import flags
from command import Command, run_command

from reptile_tf.cli import main as cli
from reptile_tf.utils.paths import PathError

OF_A_PATH = re.compile(r"\b(folder|file|path|page)s?\b", re.IGNORECASE)
# Texts that speak of a folder and are none.
NO_PATHS = {"csv_columns", "host"}
BEFORE = {"dataset": "folder:"}
# TFDS reads those by itself.
BUCKETS = {"data_dir"}


def path_flags(command):
    """The flags of a command whose name or help speaks of a folder or file."""
    for name in command.own:
        flag = flags.FLAGS[name]
        told = OF_A_PATH.search(f"{name.replace('_', ' ')} {flag.help}")
        is_text = flag.parser.flag_type() in ("string", "path")
        if told and is_text and name not in NO_PATHS:
            yield name, flag.parser.parse


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_flag_of_a_path_expands_or_refuses_it(name, monkeypatch):
    monkeypatch.setenv("HOME", "/home/of-mine")
    command = Command(name)
    try:
        found = dict(path_flags(command))
        for flag, parse in found.items():
            before = BEFORE.get(flag, "")
            assert parse(f"{before}~/x") == f"{before}/home/of-mine/x", flag
            with pytest.raises(PathError, match=f"^{flag}=.* is empty"):
                parse(before)
            if flag not in BUCKETS:
                with pytest.raises(PathError, match=f"^{flag}=.* is a URL"):
                    parse(f"{before}gs://bucket/x")
            assert flags.FLAGS[flag].parser.flag_type() == "path"
    finally:
        command.forget_flags()
    assert found


@pytest.mark.parametrize(
    "words, told",
    [
        (["--run_dir=s3://b/run"], "run_dir=s3://b/run is a URL, "),
        (["--run_dir="], "run_dir= is empty; name a path, or . for this"),
        (["--run_dir=x", "--csv=~no-one/x"], "csv=~no-one/x is in a home "),
    ],
)
def test_a_path_that_is_none_ends_a_command_with_one_line(words, told):
    command = Command("train")
    try:
        flags.FLAGS.unparse_flags()
        with pytest.raises(SystemExit) as ended:
            cli._parse(["reptile-tf train", *words])
    finally:
        command.forget_flags()
    assert str(ended.value).startswith(f"reptile-tf train: {told}")
    assert "\n" not in str(ended.value)


def test_pictures_that_are_words_are_paths_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words, told in (
        (["gs://b/x.png"], "picture=gs://b/x.png is a URL"),
        ([""], "picture= is empty"),
    ):
        with pytest.raises(PathError, match=told):
            run_command("classify", "--model=x.keras", *words)


WITHOUT_HOME = """
import os, pwd, sys
def unknown(*_):
    raise KeyError("no such user")
pwd.getpwuid = unknown
from absl import logging
from reptile_tf.utils import home
home.make_do()
sys.path.insert(0, {here!r})
from command import run_command
tiny = ["--outer_iterations=2", "--meta_batch_size=1", "--inner_steps=1"]
tiny += ["--eval_inner_steps=1", "--num_validation_tasks=2"]
run_command("train", "--preset=sine", "--run_dir=run", *tiny)
try:
    run_command("train", "--preset=omniglot_5shot_5way", "--run_dir=other")
except ValueError as error:
    print(error)
"""


def test_a_training_needs_no_home_folder(tmp_path, monkeypatch):
    """As in a container, where a user may be a number that nobody knows."""
    for name in ("HOME", "REPTILE_TF_CACHE", "XDG_CACHE_HOME", "KERAS_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    work = tmp_path / "work"
    work.mkdir()
    here = str(pathlib.Path(__file__).parents[1])
    process = subprocess.run(
        [sys.executable, "-c", WITHOUT_HOME.format(here=here)],
        cwd=work,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    # No folder named ~, which is TensorFlow's, and no word of matplotlib's.
    assert {path.name for path in work.iterdir()} == {"run"}
    assert "MPLCONFIGDIR" not in process.stderr
    assert "Traceback" not in process.stderr
    assert (
        "data_dir must be given, or TFDS_DATA_DIR: there is no home"
        in (process.stdout.splitlines()[-1])
    )
    assert not list(tmp_path.glob("reptile_tf-*"))
