"""The commands, end to end, on small settings."""

import ast
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import types

import numpy as np
import pytest
from absl import flags
from command import Command, run_command
from PIL import Image

from reptile_tf import MetaLearner, experiments
from reptile_tf.cli import main as cli
from reptile_tf.data import sources
from reptile_tf.experiments import build, ending

ROOT = pathlib.Path(__file__).parents[2]
# Seconds after which a process hangs, also on a very busy machine.
LONG = 900
# Small enough for a second of training; ways stay, so that labels matter.
TINY = (
    "--outer_iterations=6",
    "--meta_batch_size=2",
    "--inner_steps=2",
    "--eval_inner_steps=2",
    "--num_validation_tasks=2",
)


@pytest.fixture(autouse=True)
def users_cache(monkeypatch):
    """Making the glyphs takes half a minute; done once on a machine."""
    monkeypatch.delenv("REPTILE_TF_CACHE")


@pytest.fixture(scope="module")
def sine_run(tmp_path_factory):
    """A finished run, and the command that made it."""
    folder = tmp_path_factory.mktemp("sine")
    command = ["train", "--preset=sine", f"--run_dir={folder}", *TINY]
    command += ["--eval_every=1"]
    run_command(*command)
    return folder, command


def weights(run_dir):
    """The bytes of phi and of the optimizers' state of a run's result."""
    newest = max(pathlib.Path(run_dir, "checkpoints").glob("*.zip"))
    learner = MetaLearner.load(newest)
    return [
        *learner.model.get_weights(),
        *(t.numpy() for t in learner.inner_state),
        *(v.numpy() for v in learner.meta_optimizer.variables),
    ]


def assert_same(a, b):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


def test_sine_from_training_to_picture(sine_run):
    folder, _ = sine_run
    for name in ("maml", "1"):
        run_command(
            *("train", "--preset=sine", f"--run_dir={folder}/{name}"),
            *(
                "--outer_iterations=2",
                "--inner_steps=1",
                "--num_validation_tasks=2",
            ),
            *(f"--algorithm={name}", "--meta_optimizer=adam"),
        )
    run_command(
        *("sine", "--num_tasks=4", "--steps=0", "--steps=3"),
        *(f"--run_dir={folder}", f"--run_dir={folder}/maml"),
        f"--run_dir={folder}/1",
    )
    results = json.loads((folder / "sine.json").read_text())
    assert [(r["initialization"], r["steps"]) for r in results] == [
        (name, steps)
        for name in (folder.name, "maml", "1", "random")
        for steps in (0, 3)
    ]
    errors = {
        r["initialization"]: r["mean_squared_error"]
        for r in results
        if r["steps"] == 3
    }
    assert len(set(errors.values())) == 4
    assert all(r["num_tasks"] == 4 and r["ci95"] > 0 for r in results)
    assert (folder / "sine.png").read_bytes().startswith(b"\x89PNG")


def test_gradients_are_analyzed(tmp_path, capsys):
    run_command(
        *("analyze_gradients", "--num_tasks=2", "--halvings=1"),
        f"--output={tmp_path}",
    )
    result = json.loads((tmp_path / "expansion.json").read_text())
    assert [e["algorithm"] for e in result["expansions"]] == [
        name for name in ("maml", "fomaml", "reptile") for _ in range(2)
    ]
    assert (tmp_path / "expansion.png").read_bytes().startswith(b"\x89PNG")
    assert len(capsys.readouterr().out.splitlines()) == 10


def test_gradients_are_compared(tmp_path, capsys):
    """Two curves, one of them in a second call, and a call with no work."""
    args = (
        *("--dataset=glyphs", "--training_shots=10", "--inner_batch_size=5"),
        *("--outer_iterations=4", "--eval_every=2", "--num_validation_tasks=2"),
        *(
            "--num_tasks=3",
            f"--run_dir={tmp_path}/runs",
            f"--keep={tmp_path}/kept",
        ),
    )
    for curves in (["mean_g1+g2"], ["g4"], ["mean_g1+g2", "g4"]):
        run_command(
            "compare_gradients", *args, *(f"--curve={c}" for c in curves)
        )
    weights = {"mean_g1+g2": "1/2,1/2", "g4": "0,0,0,1"}
    for curve, expected in weights.items():
        folder = tmp_path / "kept" / curve
        config = json.loads((folder / "config.json").read_text())
        assert config["algorithm"] == expected
        assert config["inner_steps"] == len(expected.split(","))
        assert len((folder / "history.csv").read_text().splitlines()) == 3
        entries = json.loads((folder / "evaluation.json").read_text())
        assert [e["num_tasks"] for e in entries] == [3, 3, 3]
    told = capsys.readouterr().out
    assert told.count(f"{tmp_path}/runs/g4:\n") == 2
    assert told.count("support accuracy: ") == 4  # of each that is asked for
    assert told.count(f"Look at {tmp_path}/kept/figure3.png") == 3
    assert len(list((tmp_path / "kept").iterdir())) == 3
    picture = (tmp_path / "kept/figure3.png").read_bytes()
    assert picture.startswith(b"\x89PNG")


def test_algorithms_are_compared_at_an_equal_budget(tmp_path):
    command = Command("compare_algorithms")
    try:
        flags.FLAGS(["", "--budget_1shot=3600", "--budget_5shot=4000"])
        experiments = {
            (shots, name): command.module.preset(shots, name)
            for shots in ("1", "5")
            for name in command.module.ALGORITHMS
        }
    finally:
        command.forget_flags()
    for (shots, name), preset in experiments.items():
        budget = {"1": 3600, "5": 4000}[shots]
        seen = preset.outer_iterations * build.example_gradients(preset)
        assert budget - build.example_gradients(preset) < seen <= budget
        assert (preset.ways, preset.shots) == (5, int(shots))
        assert preset.algorithm == name


def test_glyphs_from_training_to_tables(tmp_path, capsys):
    run = tmp_path / "run"
    glyphs = "--preset=glyphs", "--eval_every=1"
    run_command("train", *glyphs, f"--run_dir={run}", *TINY)
    assert list((run / "logs").rglob("events*"))
    assert len((run / "history.csv").read_text().splitlines()) == 7
    run_command("evaluate", f"--run_dir={run}", "--num_tasks=4", "--mode=all")
    entries = json.loads((run / "evaluation.json").read_text())
    assert [e["mode"] for e in entries] == [
        "transductive",
        "support_and_query",
        "support",
    ]
    for entry in entries:
        assert 0 <= entry["accuracy"] <= 1
        assert entry["num_tasks"] == 4 and entry["outer_iterations"] == 6
        assert (entry["ways"], entry["shots"], entry["seed"]) == (5, 5, 0)
    printed = capsys.readouterr().out
    assert "support accuracy" in printed and "4 tasks" in printed
    less = "--num_tasks=3", "--mode=transductive"
    for times in (1, 0):  # the second takes the place of its like
        capsys.readouterr()
        run_command("evaluate", f"--run_dir={run}", *less)
        told = capsys.readouterr().out
        assert told.count(f"They replace what {run}/evaluation.json") == times
        assert told.count("(95% interval, 4 tasks)") == 3 * times

    model = tmp_path / "models" / "tiny"
    run_command("export", f"--run_dir={run}", f"--output={model}")
    assert f"Exported to {model / '1'}" in capsys.readouterr().out
    saved = (model / "1" / "saved_model.pb").read_bytes()
    assert b"adapt_and_predict_uint8" in saved
    about = (model / "1" / "assets.extra" / "learner.json").read_text()
    assert json.loads(about)["pictures"]["ink"] == "dark"
    with pytest.raises(ValueError, match="known to be dark; leave --ink out"):
        run_command(
            *("export", f"--run_dir={run}", f"--output={model}", "--ink=light")
        )

    run_command(
        "evaluate_export",
        *(f"--run_dir={run}", f"--model={model}", "--num_tasks=4"),
    )
    through_it = json.loads((run / "export_evaluation.json").read_text())
    modes = "transductive", "support"
    assert [(e["learner"], e["mode"]) for e in through_it] == [
        (learner, mode) for learner in ("export", "run") for mode in modes
    ]
    assert all(e["num_tasks"] == 4 and "ci95" in e for e in through_it)
    other = shutil.copytree(model, tmp_path / "models" / "other")
    about = other / "1" / "assets.extra" / "learner.json"
    said = json.loads(about.read_text())
    tested = [*json.loads((run / "classes.json").read_text())["test"]]
    said["trained_on"] += tested[:3]
    about.write_text(json.dumps(said))
    with pytest.raises(ValueError, match="3 of the run's [0-9]+ test classes"):
        run_command(
            *("evaluate_export", f"--run_dir={run}", f"--model={other}"),
            "--num_tasks=4",
        )
    shutil.rmtree(other)
    capsys.readouterr()

    examples = ROOT / "examples" / "characters"
    run_command(
        "classify",
        f"--model={model}",
        f"--support={examples / 'support'}",
        f"--query={examples / 'query'}",
        "--steps=1",
    )
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split()[1:6] == [
        "anchor",
        "fish",
        "gate",
        "kite",
        "spiral",
    ]
    assert len(printed) == 16 and printed[1].startswith("anchor-1.png")

    for trained in (run, model):
        file = tmp_path / "my own.keras"
        run_command(
            *("adapt", f"--model={trained}", f"--output={file}", "--steps=2"),
            f"--support=folder:{examples / 'support'}",
        )
        printed = capsys.readouterr().out
        told = printed.splitlines()[-1]
        assert shlex.split(told)[:3] == [
            *("reptile-tf", "classify", f"--model={file}")
        ]
        assert "5 classes: anchor, fish, gate, kite, spiral" in printed
        assert re.search(
            r"support accuracy on pictures left out, 5 folds: [\d.]+% "
            r"\(95% interval [\d.]+% to [\d.]+%, 25 pictures\)",
            printed,
        )
        asked = [
            str(examples / "query" / f"{x}.png") for x in ("kite-1", "fish-2")
        ]
        run_command("classify", f"--model={file}", *asked)
        printed = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in printed[1:]] == [
            "kite-1.png",
            "fish-2.png",
        ]
        assert all(len(line.split()) == 7 for line in printed)

    run_command(
        *("evaluate", f"--run_dir={run}", "--num_tasks=2"),
        *("--split=validation", "--mode=support"),
    )
    assert "162 validation classes: " in capsys.readouterr().out
    assert (run / "evaluation_validation.json").exists()

    readme = tmp_path / "README.md"
    readme.write_text(
        "before\n<!-- accuracies: made by reptile-tf record -->\nold\n"
        "<!-- end -->\nafter\n"
    )
    run_command(
        "record",
        f"--run_dir={run}",
        "--name=tiny",
        f"--results={tmp_path / 'results'}",
        f"--page={readme}",
    )
    text = readme.read_text()
    assert "old" not in text and text.startswith("before\n")
    assert text.endswith("<!-- end -->\nafter\n")
    mode = entries[0]["mode"]
    assert f"| tiny | 5-way 5-shot | 6 of 6 | test | {mode} |" in text
    assert (
        "data_dir"
        not in (tmp_path / "results" / "tiny" / "config.json").read_text()
    )


def test_what_classify_and_adapt_cannot_do(tmp_path):
    run, model = tmp_path / "run", tmp_path / "m.keras"
    picture = str(ROOT / "examples" / "characters" / "query" / "kite-1.png")
    model.touch()
    support = f"--support=folder:{tmp_path}"
    for words, message in (
        (["classify", f"--model={run}", picture], "give --support=folder:PATH"),
        (["classify", f"--model={model}", picture, support], "has no use"),
        (["classify", f"--model={model}", picture], "no model that reptile-tf"),
        (["classify", f"--model={model}"], "name a picture"),
        (["classify", f"--model={model}", str(model) + "x"], "neither a pict"),
        (
            ["adapt", f"--model={run}", support, "--output=x.h5"],
            "output=x.h5 must end in .keras, .tflite or .onnx",
        ),
        *(
            (["classify", f"--model={name}", picture], "is for other programs")
            for name in ("x.tflite", "x.onnx")
        ),
        (
            ["adapt", f"--model={run}", support, "--output=x.keras"],
            "neither a run folder, .* nor a folder that reptile-tf export",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            run_command(*words)


def test_pictures_of_a_folder_from_training_to_an_answer(tmp_path, capsys):
    """Photos of one's own: trained on, exported, and new ones classified."""
    photos = tmp_path / "my photos"
    for c in range(29):
        (photos / f"thing {c}").mkdir(parents=True)
        for i in range(6):
            Image.new("RGB", (9 + i, 12), (8 * c, 255 - 8 * c, 40 * i)).save(
                photos / f"thing {c}" / f"{i}.jpg"
            )
    run, model = tmp_path / "run", tmp_path / "models" / "mine"
    run_command(
        *("train", "--preset=photos", f"--dataset=folder:{photos}"),
        *(f"--run_dir={run}", "--image_size=16", "--training_shots=4"),
        *(*TINY, "--eval_every=3", "--resize=squash", "--inner_batch_size=2"),
    )
    run_command("evaluate", f"--run_dir={run}", "--num_tasks=2")
    assert "6 test classes: thing" in capsys.readouterr().out
    export = "export", f"--run_dir={run}", f"--output={model}"
    run_command(*export, "--ink=light")
    about = (model / "1" / "assets.extra" / "learner.json").read_text()
    assert json.loads(about)["pictures"] == {
        **{"height": 16, "width": 16, "channels": 3, "resize": "squash"},
        "ink": "light",
    }
    assert len(json.loads(about)["trained_on"]) == 18
    few = tmp_path / "few"
    for c in (3, 8):
        shutil.copytree(photos / f"thing {c}", few / f"thing {c}")
    capsys.readouterr()
    new = str(photos / "thing 3" / "0.jpg")
    classify = "classify", f"--model={model}", new
    run_command(*classify, f"--support=folder:{few}")
    answer = capsys.readouterr().out
    assert answer.splitlines()[0].split()[1:] == [
        *("thing", "3", "thing", "8", "answer")
    ]
    # In the model's own number of steps, of adapt's kinds of support sets.
    run_command(*classify, f"--support=folder:{few}", "--steps=2")
    assert capsys.readouterr() == (answer, "")
    about = model / "1" / "assets.extra" / "learner.json"
    about.rename(about.with_name("elsewhere"))
    run_command(*classify, f"--support=folder:{few}")
    assert "evaluated with, so 50 are taken" in capsys.readouterr().err
    about.with_name("elsewhere").rename(about)
    rows = [
        f"{p.parent.name}/{p.name},{p.parent.name}" for p in few.glob("*/*")
    ]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["filename,label", *rows]) + "\n")
    for name in (
        ".ipynb_checkpoints/1.jpg",
        "thing 3/._1.jpg",
        "__MACOSX/1.jpg",
    ):
        (few / name).parent.mkdir(exist_ok=True)
        (few / name).write_bytes(b"no picture")
    run_command(*classify, f"--support=folder:{few}", f"--csv={table}")
    assert capsys.readouterr().out == answer
    (few / "thing 3" / "damaged.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="thing 3/damaged.jpg cannot be read"):
        run_command(*classify, f"--support=folder:{few}")
    run_command(*classify, f"--support=folder:{few}", "--skip_unreadable")
    head, rest = capsys.readouterr().out.split("\n", 1)
    assert head.endswith("1 pictures that cannot be read are left out")
    assert rest == answer
    (few / "thing 3" / "damaged.jpg").unlink()
    with pytest.raises(ValueError, match="(?s)2 classes.*reptile-tf adapt"):
        run_command(
            *("train", "--preset=photos", f"--dataset=folder:{few}"),
            f"--run_dir={tmp_path / 'other'}",
        )
    assert not (tmp_path / "other").exists()


def test_tour_makes_a_new_run_each_time(tmp_path, capsys):
    (tmp_path / "tour-1").mkdir()
    # It evaluates ten times on the way, or after each iteration.
    run_command(
        "tour",
        f"--root={tmp_path}",
        "--num_tasks=100",
        "--outer_iterations=2",
        *TINY[1:4],
    )
    folder = tmp_path / "tour-2"
    for name in ("evaluation.json", "learning_curve.png", "task.png"):
        assert (folder / name).stat().st_size
    assert str(folder) in capsys.readouterr().out
    assert not list((tmp_path / "tour-1").iterdir())


def test_tour_has_no_setting_without_effect():
    command = Command("tour")
    command.forget_flags()
    unused = {"dataset", *sources.get("glyphs").without_effect}
    assert {*command.module.WITHOUT_EFFECT} == unused
    assert not unused & command.own


def test_a_finished_run_says_so_and_stays(sine_run, capsys):
    folder, command = sine_run
    before = weights(folder)
    (folder / "learning_curve.png").unlink()
    run_command(*command)
    printed = capsys.readouterr().out
    assert "Finished: 6 outer iterations" in printed
    assert_same(before, weights(folder))
    assert (folder / "learning_curve.png").exists()
    about = r"This command took \d+ s\.\nOn 2 validation tasks after 6 outer "
    about += r"iterations:\n  support mean_squared_error: [\d.]+ \+- [\d.]+ "
    assert re.search(about + r"\(95% interval, 2 tasks\)\n", printed)
    assert printed.endswith(f"Next: reptile-tf evaluate --run_dir={folder}\n")


def test_without_matplotlib_a_training_says_what_draws(sine_run, monkeypatch):
    monkeypatch.delattr(experiments, "plots")
    monkeypatch.delitem(sys.modules, "reptile_tf.experiments.plots")
    monkeypatch.setitem(sys.modules, "matplotlib.axes", None)
    told = ending.told(sine_run[0], 1)
    assert "There is no learning_curve.png: matplotlib.axes is not " in told[-2]
    assert told[-2].endswith("pip install 'reptile_tf[plots]'")


def test_a_run_and_its_task_are_drawn(sine_run, tmp_path, capsys):
    folder, _ = sine_run
    words = ["--task=1", "--format=svg", f"--output={tmp_path}", "--width=6.9"]
    run_command("plot", str(folder), *words)
    assert capsys.readouterr().out == "".join(
        f"Wrote {tmp_path}/{name}.svg.\n" for name in ("learning_curve", "task")
    )
    picture = (tmp_path / "task.svg").read_text()
    assert 'width="496.8pt"' in picture  # in points, of which an inch has 72
    for words, message in (
        ([], "name what to draw, as in reptile-tf plot runs/o55"),
        (["a", "b", "--task=1"], "task=1 is drawn of a single run; received 2"),
        (["a", "b"], "run_dir=a, b holds no run"),
        (["a", "/b"], "run_dir=a, /b holds no run"),
        ([str(folder), "--name=a"], "name=a is of several runs, .* alone"),
        (["s3://b/run"], "run_dir=s3://b/run is a URL"),
    ):
        with pytest.raises(ValueError, match=message):
            run_command("plot", *words)


@pytest.mark.parametrize(
    "flag, message",
    [
        ("--inner_steps=3", "inner_steps=3 (the run has 2)"),
        ("--seed=1", "seed=1 (the run has 0)"),
        ("--learning_rate=0.5", "learning_rate=0.5 (the run has 0.005)"),
    ],
)
def test_contradicting_settings_are_refused(sine_run, flag, message):
    _, command = sine_run
    with pytest.raises(ValueError, match="other settings") as error:
        run_command(*command, flag)
    assert message in str(error.value)


def test_a_run_goes_on_by_its_folder_alone(sine_run, tmp_path, capsys):
    """To more iterations than it was begun with, too; not to fewer."""
    run = tmp_path / "run"
    shutil.copytree(sine_run[0], run)
    run_command("train", f"--run_dir={run}")
    assert "Finished: 6 outer iterations" in capsys.readouterr().out
    more = f"--run_dir={run}", "--outer_iterations=8"
    run_command("train", *more, "--num_validation_tasks=2")
    printed = capsys.readouterr().out
    assert "jumps there from 0 to 0.025 and falls to 0 at 8" in printed
    assert "Finished: 8 outer iterations" in printed
    assert len((run / "history.csv").read_text().splitlines()) == 9
    run_command("evaluate", f"--run_dir={run}", "--num_tasks=2")
    [entry] = json.loads((run / "evaluation.json").read_text())
    assert entry["outer_iterations"] == 8
    with pytest.raises(ValueError, match="=7 is less than the 8 .* use 8 to"):
        run_command("train", f"--run_dir={run}", "--outer_iterations=7")
    with pytest.raises(ValueError, match=r"seed=1 \(the run has 0\)"):
        run_command("train", f"--run_dir={run}", "--seed=1")
    with pytest.raises(ValueError, match="holds no run .* give --preset"):
        run_command("train", f"--run_dir={tmp_path / 'other'}")


@pytest.mark.parametrize(
    "args, message",
    [
        (["--preset=sine", "--shots=0"], "shots must be at least 1"),
        (["--preset=sine", "--outer_iterations=-5"], "outer_iterations"),
        (["--preset=sine", "--inner_batch_size=11"], "use at most 10"),
        (["--preset=glyphs", "--ways=100000"], "ways=100000"),
        (["--preset=glyphs", "--training_shots=20"], "training_shots=20"),
        (["--preset=glyphs", "--shots=20"], "shots=20"),
        (["--preset=glyphs", "--dataset=nothing"], "dataset must be"),
        (["--preset=glyphs", "--image_size=32"], "image_size=32 has no use"),
        (["--preset=sine", "--augmentation=flip"], "flip has no use"),
        (
            ["--preset=sine", "--network=omniglot_cnn"],
            r"omniglot_cnn takes pictures; .*sine have shape \[1\]: use .*mlp",
        ),
        (
            ["--preset=omniglot_5shot_5way", "--data_dir=nowhere"],
            "data_dir=nowhere",
        ),
    ],
)
def test_impossible_settings_are_refused_before_work(tmp_path, args, message):
    with pytest.raises(ValueError, match=message):
        run_command("train", f"--run_dir={tmp_path / 'run'}", *args)
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_an_unknown_choice_is_refused(tmp_path):
    with pytest.raises(flags.IllegalFlagValueError, match="preset"):
        run_command("train", f"--run_dir={tmp_path}", "--preset=omnigolt")
    with pytest.raises(flags.IllegalFlagValueError, match=r"adam\|sgd"):
        run_command(
            *("train", f"--run_dir={tmp_path}", "--preset=glyphs"),
            "--inner_optimizer=lbfgs",
        )
    with pytest.raises(flags.IllegalFlagValueError, match="mode"):
        run_command("evaluate", f"--run_dir={tmp_path}", "--mode=best")


def test_an_unwritable_run_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ValueError, match="run_dir=.*cannot be written"):
        run_command("train", "--preset=sine", f"--run_dir={tmp_path}/file/run")


def test_a_folder_without_a_run_cannot_be_evaluated(tmp_path):
    with pytest.raises(ValueError, match="holds no run"):
        run_command("evaluate", f"--run_dir={tmp_path}")


def test_killed_at_any_moment_it_resumes_to_the_same_weights(tmp_path):
    """SIGKILL and SIGTERM; real processes, since these end them."""
    words = (
        *("--preset=sine", "--outer_iterations=120", "--checkpoint_every=10"),
        *("--inner_steps=4", "--eval_every=120", "--num_validation_tasks=2"),
    )
    stopped, straight = (
        (*words, f"--run_dir={tmp_path / name}")
        for name in ("stopped", "straight")
    )
    for number, code in ((signal.SIGKILL, -9), (signal.SIGTERM, 143)):
        process = subprocess.Popen(
            [sys.executable, ROOT / "scripts" / "train.py", *stopped],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        seen = len(list((tmp_path / "stopped").rglob("iteration-*")))
        deadline = time.monotonic() + LONG
        while time.monotonic() < deadline:
            names = list((tmp_path / "stopped").rglob("iteration-*"))
            if len(names) > seen:
                break
            time.sleep(0.02)
        process.send_signal(number)
        assert process.wait(LONG) == code
    run_command("train", *stopped)
    run_command("train", *straight)
    assert_same(weights(tmp_path / "stopped"), weights(tmp_path / "straight"))


@pytest.mark.parametrize(
    "raises, code",
    [
        (ValueError("wrong"), "reptile-tf train: wrong"),
        (
            FileExistsError(17, "File exists"),
            "reptile-tf train: [Errno 17] File exists",
        ),
        (
            ModuleNotFoundError("pip install 'reptile_tf[serve]'"),
            "reptile-tf train: pip install 'reptile_tf[serve]'",
        ),
        (KeyboardInterrupt(), 130),
    ],
)
def test_what_ends_a_command_is_one_line(monkeypatch, raises, code):
    def main():
        raise raises

    monkeypatch.setattr(cli, "_start_tensorflow", lambda: None)
    with pytest.raises(SystemExit) as ended:
        cli._run("train", types.SimpleNamespace(main=main))
    assert ended.value.code == code


def test_flags_come_after_the_command(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["reptile-tf", "--seed=1", "train"])
    with pytest.raises(SystemExit, match="before its flags; received --seed=1"):
        cli.main()


GIVEN = "--preset=sine", "--run_dir=run"


@pytest.mark.parametrize(
    "words, message",
    [
        ([*GIVEN, "ways=10"], "ways=10: settings are flags, as in --seed=1"),
        (["--no_such_flag=1"], "Unknown command line flag 'no_such_flag'"),
        (["--seed=x"], "flag --seed=x: "),
        (["--preset=sine"], "--run_dir must be given"),
    ],
)
def test_a_command_line_that_is_wrong_ends_with_what_to_do(words, message):
    command = Command("train")
    try:
        flags.FLAGS.unparse_flags()
        with pytest.raises(SystemExit) as ended:
            cli._parse(["reptile-tf train", *words])
    finally:
        command.forget_flags()
    first, *_, last = str(ended.value).splitlines()
    assert first.startswith(f"reptile-tf train: {message}")
    assert last == "reptile-tf train --help explains the flags"


def test_an_unknown_command_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["reptile-tf", "trian"])
    with pytest.raises(SystemExit, match="'trian'; did you mean train?"):
        cli.main()


def test_there_is_a_launcher_for_each_command():
    launchers = {
        path.stem: path.read_text() for path in (ROOT / "scripts").glob("*.py")
    }
    assert launchers.keys() == cli.COMMANDS.keys()
    for name, text in launchers.items():
        first, last = filter(None, text.splitlines())
        assert first == "from reptile_tf.cli.main import main"
        assert last == f'main("{name}")'


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself_without_tensorflow(name):
    """In a process of its own, in which TensorFlow cannot be imported."""
    code = (
        "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None;"
        f"sys.argv = ['reptile-tf', {name!r}, '--help'];"
        "from reptile_tf.cli.main import main; main();"
        "import resource; usage = resource.getrusage(resource.RUSAGE_SELF);"
        "print(usage.ru_utime + usage.ru_stime, file=sys.stderr)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    # Not imported: two commands may define a flag of the same name.
    source = (ROOT / "reptile_tf" / "cli" / f"{name}.py").read_text()
    told = ast.get_docstring(ast.parse(source), clean=False)
    assert process.stdout.startswith(told)
    told = re.findall(r"^  --(\w+)=.*\n      \S", process.stdout, re.MULTILINE)
    assert {"verbosity", "intra_op_threads"} < set(told)
    assert float(process.stderr) < 1  # seconds of CPU; a fifth of one, usually


def test_the_overview_names_every_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["reptile-tf"])
    cli.main()
    printed = capsys.readouterr().out
    for name, text in cli.COMMANDS.items():
        assert f"  {name} " in printed and text in printed
