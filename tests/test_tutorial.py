"""The notebook: its cells run, one after another, and its outputs are empty."""

import json
import pathlib
import types

import pytest
from absl import flags
from command import Command
from toys import small_network

import reptile_tf as rt
from reptile_tf.cli.main import COMMANDS

NOTEBOOK = pathlib.Path(__file__).parents[1] / "docs" / "tutorial.ipynb"
# What is put in the place of the numbers of the cell `parameters`.
SMALLER = {
    **{"num_classes": 30, "num_pictures": 11, "iterations": 2},
    **{"num_tasks": 2, "steps": 1},
}


@pytest.fixture(scope="module")
def cells():
    notebook = json.loads(NOTEBOOK.read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    return notebook["cells"]


def is_run(cell):
    tags = cell["metadata"].get("tags", [])
    return cell["cell_type"] == "code" and "not-run" not in tags


def test_it_is_stripped(cells):
    assert len({cell["id"] for cell in cells}) == len(cells)
    for cell in cells:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)


def test_its_cells_run(cells, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("REPTILE_TF_CACHE")  # the glyphs are drawn once
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(rt.models, "omniglot_cnn", small_network)
    names = vars(types.ModuleType("tutorial"))
    for cell in filter(is_run, cells):
        source = "".join(cell["source"])
        try:
            exec(compile(source, cell["id"], "exec"), names)
        except Exception as error:
            raise AssertionError(f"{error!r} in the cell\n{source}") from error
        if "parameters" in cell["metadata"].get("tags", []):
            assert set(SMALLER) == {x for x in names if not x.startswith("_")}
            names |= SMALLER
    printed = capsys.readouterr().out
    for mode in ("transductive", "support_and_query", "support"):
        assert f"{mode} accuracy: " in printed
    assert "95% interval, 2 tasks" in printed
    assert "Serving tutorial at http://" in printed
    assert names["server"].returncode is not None
    assert names["probabilities"].shape == (10, 5)
    assert (tmp_path / "mine.keras").exists()


def test_it_ends_with_the_page(cells):
    """Which runs until it is stopped, so that its flags alone are looked at."""
    *_, last = cells
    assert not is_run(last)
    program, name, *words = "".join(last["source"]).lstrip("!").split()
    assert program == "reptile-tf"
    assert name in COMMANDS
    command = Command(name)
    try:
        command.parse(*words)
        assert flags.FLAGS["model"].present
    finally:
        command.forget_flags()
