"""Tests with the lowest and with the newest versions that are admitted.

    python tests/versions.py

makes a source archive, and for each of Python 3.11 to 3.13 that is found two
environments in a temporary folder: one has every package that pyproject.toml
names at the lower bound there, and what those need as new as it can be; the
other has all of them as new as can be. In each, the commands are run from
training to serving and search, and the drawings of the glyphs are compared.
The lowest versions of the first Python, and the newest of the last one, go
through all tests besides. An index of packages must be within reach.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[1]
UV = (sys.executable, "-m", "uv")
PYTHONS = ("3.11", "3.12", "3.13")
# Old packages warn of what new ones they use no longer want; none is ours.
WARNINGS = {"lowest-direct": ("-W", "default"), "highest": ()}
ROUND = ("tests/cli/test_round.py", "tests/data/sources/test_glyphs.py")


def found(version: str) -> str | None:
    """Returns the path of a Python that is installed, outside environments."""
    process = subprocess.run(
        [*UV, "python", "find", "--system", "--no-python-downloads", version],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return process.stdout.strip() if process.returncode == 0 else None


def unpacked(folder: pathlib.Path) -> pathlib.Path:
    """Makes a source archive; returns the folder of what is in it."""
    subprocess.run(
        [*UV, "build", "-q", "--sdist", "-o", folder, ROOT], check=True
    )
    [archive] = folder.glob("*.tar.gz")
    shutil.unpack_archive(archive, folder)
    return folder / archive.name.removesuffix(".tar.gz")


def passes(
    source: pathlib.Path, python: str, resolution: str, whole: bool
) -> bool:
    """Says whether the tests pass in an environment of their own."""
    environment = source.parent / "environment"
    bin = environment / "bin"
    make = (*UV, "venv", "--clear", "--python", python, environment)
    install = (
        *(*UV, "pip", "install", "--python", bin / "python"),
        *("--resolution", resolution, ".[test]"),
    )
    pytest = (bin / "pytest", "-q", *WARNINGS[resolution])
    steps = [make, install, (*pytest, "-m", "", *ROUND)]
    if whole:
        steps.append((*pytest, "-n", "2", "--dist", "worksteal"))
    # What is tested is what was installed, and no other copy.
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return all(
        subprocess.run(step, cwd=source, env=clean).returncode == 0
        for step in steps
    )


def main() -> None:
    """Runs all; its exit status is 1 if something does not pass."""
    paths = {version: found(version) for version in PYTHONS}
    here = [version for version in PYTHONS if paths[version]]
    if not here:
        sys.exit(f"None of Python {', '.join(PYTHONS)} is on the PATH.")
    told = [
        f"Python {version}: not found, left out"
        for version in PYTHONS
        if version not in here
    ]
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        source = unpacked(pathlib.Path(folder))
        for version in here:
            for resolution in WARNINGS:
                whole = (version, resolution) in (
                    (here[0], "lowest-direct"),
                    (here[-1], "highest"),
                )
                print(f"Python {version}, {resolution}", flush=True)
                start = time.monotonic()
                passed = passes(source, paths[version], resolution, whole)
                failed |= not passed
                told.append(
                    f"Python {version}, {resolution}: "
                    f"{'all tests' if whole else 'the commands'} "
                    f"{'passed' if passed else 'FAILED'} "
                    f"in {time.monotonic() - start:,.0f} s"
                )
    print(*told, sep="\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
