"""The command: several processes, killed, and what comes out used."""

import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import psutil
import pytest
from command import run_command
from PIL import Image

from reptile_tf.experiments.run import Run

# Seconds after which a process hangs, also on a very busy machine.
LONG = 900
SEARCH = (
    *("--preset=sine", "--inner_steps=2", "--eval_inner_steps=2"),
    *("--space=inner_steps=int:1..9", "--num_trials=6"),  # 1 + 4 + 1
    *("--trial_iterations=8", "--eval_every=2"),
    *("--num_tasks=4", "--num_validation_tasks=2", "--outer_iterations=12"),
)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search by this process alone."""
    folder = tmp_path_factory.mktemp("search")
    run_command("search", *SEARCH, f"--run_dir={folder}")
    return folder


def lines(folder):
    path = pathlib.Path(folder, "search.jsonl")
    return path.read_text().count("\n") if path.exists() else 0


def wait_for(condition):
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.long
def test_two_workers_and_a_kill_change_nothing(searched, tmp_path):
    """SIGKILL ends the command alone; its helper notices, and ends too."""

    def search():
        words = [*SEARCH, f"--run_dir={tmp_path}", "--workers=2"]
        return subprocess.Popen(
            [sys.executable, "-m", "reptile_tf", "search", *words],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdout=subprocess.PIPE,
            text=True,
        )

    process = search()
    # Settings, two generations, the preset's result, and one more.
    wait_for(lambda: lines(tmp_path) >= 5)
    [helper] = psutil.Process(process.pid).children()
    process.kill()
    process.communicate()
    wait_for(lambda: not helper.is_running())
    made = lines(tmp_path)
    process = search()
    printed, _ = process.communicate(timeout=LONG)
    assert process.returncode == 0
    assert made < lines(tmp_path) == lines(searched) == 10
    for name in ("search.csv", "best.json"):
        assert (tmp_path / name).read_bytes() == (searched / name).read_bytes()
    assert printed.startswith("Searching sine by cma: 6 trials of 8 outer it")
    assert "inner_steps=int:1..9, beginning at 2" in printed
    assert "The preset: trial 0: inner_steps 2" in printed
    assert "The best:   trial " in printed
    assert " (4 tasks)" in printed


def test_ctrl_c_saves_and_the_same_command_goes_on(tmp_path):
    """As on a terminal, which sends it to all processes of the command."""
    words = [*SEARCH, f"--run_dir={tmp_path}", "--workers=2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "reptile_tf", "search", *words],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: lines(tmp_path) >= 4)
    os.killpg(process.pid, signal.SIGINT)
    printed, told = process.communicate(timeout=LONG)
    assert process.returncode == 130
    assert printed.endswith("Stopped and saved; the same command resumes.\n")
    assert "Traceback" not in told
    assert lines(tmp_path) < 10


def test_train_takes_what_was_found(searched, tmp_path, capsys):
    best = json.loads((searched / "best.json").read_text())
    folder = tmp_path / "best"
    words = ["train", f"--config={searched / 'best.json'}"]
    words += [f"--run_dir={folder}", "--num_validation_tasks=2"]
    run_command(*words)
    run = Run.open(folder)
    assert run.learner().iteration == 12  # the preset's, not a trial's
    for name in ("learning_rate", "inner_steps", "shots"):
        assert getattr(run.preset, name) == best[name]
    run_command(*words, "--outer_iterations=13")  # it is a run like any other
    config = folder / "config.json"
    other = [f"--config={config}", f"--run_dir={tmp_path / 'other'}"]
    run_command("train", *other, "--seed=3", "--num_validation_tasks=2")
    assert Run.open(tmp_path / "other").seed == 3
    for wrong, message in (
        ([*words, "--preset=sine"], "give --preset or --config, not both"),
        (
            ["train", "--config=none", "--run_dir=a"],
            "none is not there; give --config",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            run_command(*wrong)


def test_the_pictures_of_a_search_and_of_a_run(searched, tmp_path, capsys):
    run_command("plot", f"--run_dir={searched}", f"--output={tmp_path}")
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn == {"best_so_far.png", "settings.png", "spread.png"}
    trial = searched / "trials" / "000"
    run_command("plot", f"--run_dir={trial}")
    for path in (*tmp_path.iterdir(), trial / "learning_curve.png"):
        with Image.open(path) as picture:
            assert picture.width > 300
    with pytest.raises(ValueError, match="task=3 is drawn of a run; .* search"):
        run_command("plot", f"--run_dir={searched}", "--task=3")
    with pytest.raises(ValueError, match="neither a run .* nor a search"):
        run_command("plot", f"--run_dir={tmp_path}")


def test_a_search_is_kept_among_the_results(searched, tmp_path):
    """Without the place of the data, which is not for others."""
    page = tmp_path / "page.md"
    page.write_text("# Nothing to fill\n")
    words = [f"--results={tmp_path}", f"--page={page}"]
    run_command("record", f"--run_dir={searched}", "--name=s/cma", *words)
    kept = tmp_path / "s" / "cma"
    assert {path.name for path in kept.iterdir()} == {
        *("search.jsonl", "search.csv", "best.json"),
        *("best_so_far.png", "settings.png", "spread.png"),
    }
    assert json.loads((kept / "best.json").read_text())["data_dir"] is None
    (kept / "spread.png").unlink()
    run_command("record", *words)
    assert (kept / "spread.png").exists()


def test_each_trial_is_a_line_of_the_table(searched):
    with open(searched / "search.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["trial"]) for row in rows] == list(range(6))
    for row in rows:
        assert row["state"] in ("finished", "pruned", "diverged")
        assert (row["ci95"] != "") == (row["state"] == "finished")
        if row["state"] == "finished":
            assert row["iterations"] == "8" and row["num_tasks"] == "4"


def test_a_search_goes_on_without_its_settings(searched, capsys):
    before = (searched / "search.jsonl").read_bytes()
    run_command("search", f"--run_dir={searched}", "--num_trials=6")
    assert (searched / "search.jsonl").read_bytes() == before
    for given, message in (
        (["--seed=1"], r"seed=1 \(the search has 0\)"),
        (["--shots=3"], r"shots=3 \(the search has 10\)"),
        (["--mode=transductive"], "mode=transductive"),
        (["--space=inner_steps=1..8"], r"space=inner_steps=int:1..8 \(the"),
    ):
        with pytest.raises(ValueError, match=message):
            run_command("search", f"--run_dir={searched}", *given)


def test_a_new_search_needs_a_preset(tmp_path):
    with pytest.raises(ValueError, match="holds no search.*--preset=glyphs"):
        run_command("search", f"--run_dir={tmp_path / 'new'}")
