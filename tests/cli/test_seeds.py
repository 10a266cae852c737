"""--seeds: how it is written, and what the commands make of it."""

import json
import shutil

import pytest
import tensorflow as tf
from absl import flags
from command import Command, run_command
from PIL import Image

from reptile_tf.experiments import plots

TINY = (
    *("--outer_iterations=2", "--meta_batch_size=1", "--inner_steps=1"),
    *("--eval_inner_steps=1", "--num_validation_tasks=2"),
)


@pytest.mark.parametrize(
    "text, seeds",
    [
        ("3", (0, 1, 2)),
        ("1", (0,)),
        ("7,", (7,)),
        ("0,1", (0, 1)),
        ("5, 2", (5, 2)),
    ],
)
def test_a_number_is_a_count_and_commas_are_between_seeds(text, seeds):
    command = Command("train")
    try:
        flags.FLAGS.unparse_flags()
        flags.FLAGS(["", "--run_dir=x", f"--seeds={text}"])
        assert command.module.SEEDS.value == seeds
    finally:
        command.forget_flags()


@pytest.mark.parametrize(
    "text, told",
    [
        ("", "give a number of seeds, as in --seeds=3"),
        (",", "give a number of seeds"),
        ("a", "give a number of seeds"),
        ("-1", "give a number of seeds"),
        ("0,,1", "give a number of seeds"),
        ("0", "a number alone is how many .* the seed 0 alone is --seeds=0,"),
        ("1234", "the seed 1234 alone is --seeds=1234,"),
        ("1,2,1", "name each seed once"),
    ],
)
def test_seeds_that_are_none_are_refused(tmp_path, text, told):
    with pytest.raises(flags.IllegalFlagValueError, match=told):
        run_command("train", f"--run_dir={tmp_path}", f"--seeds={text}")


@pytest.mark.parametrize("name", ["train", "compare_algorithms"])
def test_a_seed_and_seeds_are_not_given_together(tmp_path, name):
    with pytest.raises(ValueError, match="--seed or --seeds, not both"):
        run_command(name, f"--run_dir={tmp_path}", "--seeds=2", "--seed=0")
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """A folder of the seeds 0 and 2, trained."""
    folder = tmp_path_factory.mktemp("seeds")
    sine = "train", "--preset=sine", f"--run_dir={folder}", *TINY
    tf.config.run_functions_eagerly(True)  # tracing takes longer
    run_command(*sine, "--seeds=0,2")
    yield folder
    tf.config.run_functions_eagerly(False)


def test_from_several_seeds_to_a_table_and_a_picture(seeds, tmp_path, capsys):
    run_command("evaluate", f"--run_dir={seeds}", "--num_tasks=3")
    *_, head, rule, row, wrote, look = capsys.readouterr().out.splitlines()
    assert head.startswith("| Mode    | Mean squared error +- 95% (seeds) |")
    [entry] = json.loads((seeds / "evaluation_of_seeds.json").read_text())
    assert row.split()[1:] == [
        *("support", "|", f"{entry['mean_squared_error']:.4g}", "+-"),
        *(f"{entry['ci95_over_seeds']:.2g}", "|", "+-"),
        *(f"{entry['ci95_over_tasks']:.2g}", "|", "3", "|", "0,", "2", "|"),
    ]
    assert len(head) == len(rule) == len(row)
    assert look == f"Look at {seeds}/seeds.png"
    with Image.open(seeds / "seeds.png") as picture:
        assert picture.width > 300
    run_command("evaluate", f"--run_dir={seeds}", "--num_tasks=3")
    assert "Seed 0 was evaluated before: " in capsys.readouterr().out
    run_command("plot", f"--run_dir={seeds}", f"--output={tmp_path}")
    assert (tmp_path / "seeds.png").exists()
    of_one = (seeds / "seed-2" / "evaluation.json").read_text()
    run_command("evaluate", f"--run_dir={seeds / 'seed-2'}", "--num_tasks=3")
    assert (seeds / "seed-2" / "evaluation.json").read_text() == of_one


def test_one_of_the_seeds_has_no_interval_over_seeds(seeds, capsys):
    words = "evaluate", f"--run_dir={seeds}", "--num_tasks=3"
    run_command(*words, "--seeds=2,", "--split=train")
    printed = capsys.readouterr().out
    assert "There is no interval over seeds of one seed." in printed
    assert "These means are not written" in printed
    assert not list(seeds.glob("*_train.*"))
    run_command(*words, "--split=train")
    assert f"Look at {seeds}/seeds_train.png\n" in capsys.readouterr().out
    assert (seeds / "seeds_train.png").exists()
    with pytest.raises(ValueError, match="seeds=1 is not in .* seeds 0, 2"):
        run_command(*words, "--seeds=2")


def test_several_seeds_go_on_by_their_folder_alone(seeds, capsys):
    run_command("train", f"--run_dir={seeds}")
    printed = capsys.readouterr().out
    assert "Seed 2 (2 of 2) is trained: " in printed
    assert "2 outer iterations with each of the seeds 0, 2, in" in printed
    for words, told in (
        (["--seeds=2"], "of which seeds=0, 1 leaves out 2; name all"),
        (["--seed=0"], "leave out --seed=0 to resume them"),
        (["--inner_steps=2"], r"seed-0 .*inner_steps=2 \(the run has 1\)"),
    ):
        with pytest.raises(ValueError, match=told):
            run_command("train", f"--run_dir={seeds}", *words)
    with pytest.raises(ValueError, match="holds one run, .* leave out --seeds"):
        run_command("train", f"--run_dir={seeds / 'seed-0'}", "--seeds=2")


def test_a_command_of_one_run_asks_which(seeds, tmp_path):
    with pytest.raises(ValueError, match="name one of these, .*seed-0"):
        run_command("export", f"--run_dir={seeds}", f"--output={tmp_path}/x")
    with pytest.raises(ValueError, match="holds no seeds"):
        words = f"--run_dir={seeds / 'seed-0'}", "--seeds=2"
        run_command("evaluate", *words)


def test_seeds_without_an_epoch_are_not_drawn(seeds, tmp_path, capsys):
    (tmp_path / "seed-0").mkdir()
    for name in ("seeds.json", "seed-0/config.json"):
        shutil.copy(seeds / name, tmp_path / name)
    with pytest.raises(ValueError, match="holds nothing to draw yet; train"):
        run_command("plot", str(tmp_path))
    assert "seed-0 along the way: it has no epoch" in capsys.readouterr().out


def test_several_seeds_are_kept(seeds, tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "learning_curve", lambda _, to: to.touch())
    run_command("evaluate", f"--run_dir={seeds}", "--num_tasks=3")
    page = tmp_path / "page.md"
    page.write_text("nothing")
    words = f"--results={tmp_path}", f"--page={page}"
    run_command("record", f"--run_dir={seeds}", "--name=sines", *words)
    kept = tmp_path / "sines"
    files = {"evaluation_of_seeds.json", "seeds.json", "seeds.png"}
    assert files <= {path.name for path in kept.iterdir()}
    assert (kept / "seed-2" / "learning_curve.png").exists()
    assert not list(kept.rglob("*.zip"))
    (kept / "config.json").touch()
    with pytest.raises(ValueError, match="sines keeps one run"):
        run_command("record", f"--run_dir={seeds}", "--name=sines", *words)
