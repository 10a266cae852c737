"""What the package is built, installed and tested from agrees with itself."""

import fnmatch
import os
import pathlib
import shutil
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = pathlib.Path(__file__).parents[1]


def named() -> list[Requirement]:
    """Returns what pyproject.toml requires, in its extras too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    texts = sum(extras, project["dependencies"])
    found = [Requirement(text) for text in texts]
    return [each for each in found if each.name != project["name"]]


def pinned() -> dict[str, Version]:
    """Returns package -> the version of it that requirements.txt pins."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if "==" in line]
    return {canonicalize_name(name): Version(v) for name, v in pairs}


def test_what_is_required_has_a_lower_bound_and_is_tested_above_it():
    pins = pinned()
    for each in named():
        [bound] = each.specifier  # one, and no upper one, which ages
        assert bound.operator == ">=", each
        assert pins[canonicalize_name(each.name)] in each.specifier, each


def test_a_requirement_is_named_once():
    """So that two bounds of one package cannot contradict each other."""
    names = [canonicalize_name(each.name) for each in named()]
    assert sorted(names) == sorted(set(names))


def test_the_source_archive_holds_what_is_tracked():
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone, so nothing tells what is tracked")
    tracked = subprocess.run(
        ["git", "ls-files"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    lines = (ROOT / "MANIFEST.in").read_text().splitlines()
    told = [line.split() for line in lines if not line.startswith("#")]
    # Setuptools takes these without being told.
    taken = ["reptile_tf/*", "LICENSE", "MANIFEST.in", "pyproject.toml"]
    for command, *patterns in told:
        if command == "graft":
            taken += [f"{folder}/*" for folder in patterns]
        elif command == "include":
            taken += patterns
    for path in tracked:
        if not path.startswith("."):  # of the repository alone
            inside = "/" in path  # *.md means those at the top
            patterns = [each for each in taken if ("/" in each) == inside]
            assert any(fnmatch.fnmatch(path, each) for each in patterns), path


@pytest.fixture
def environment(tmp_path):
    """A Makefile with an environment that looks whole, of this Python."""
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / ".venv" / "installed").touch()
    return tmp_path


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_another_python_makes_the_environment_anew(environment):
    other = environment / "other"
    other.write_text("#!/bin/sh\necho /another 3.99\n")
    other.chmod(0o755)
    # What `make test` tells a make in one of its recipes.
    told = ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "MAKELEVEL", "PYTHON")
    env = {key: v for key, v in os.environ.items() if key not in told}

    def planned(*words, **more):
        return subprocess.run(
            ["make", "--dry-run", "setup", *words],
            cwd=environment,
            env=env | more,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    anew = f"{other} -m venv --clear .venv"
    assert anew in planned(f"PYTHON={other}")
    assert anew in planned(PYTHON=str(other))
    for same in (planned(), planned(f"PYTHON={sys.executable}")):
        assert "Nothing to be done" in same
    # Packages that are others are installed into what is there.
    os.utime(environment / "requirements.txt", (2**32, 2**32))
    said = planned()
    assert "pip install" in said and "--clear" not in said
