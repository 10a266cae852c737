"""What a command says of files that are damaged, full or badly named."""

import os
import pathlib
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from command import run_command
from interpreters import by_onnx

from reptile_tf.cli import main as cli
from reptile_tf.experiments.run import Run

ROOT = pathlib.Path(__file__).parents[2]
TINY = (
    *("--outer_iterations=2", "--meta_batch_size=1", "--inner_steps=1"),
    *("--eval_inner_steps=1", "--num_validation_tasks=2"),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    run_command("train", "--preset=sine", f"--run_dir={folder}", *TINY)
    return folder


@pytest.fixture
def run(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize(
    "words",
    [
        *(["train", "--outer_iterations=4"], ["evaluate"], ["export"]),
        *(["train", "--preset=sine"], ["adapt"], ["record"]),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("text", ['{"ways": 5', "[]", '{"seed": 0}', "\xff"])
def test_a_damaged_config_is_named_by_every_command(run, words, text):
    (run / "config.json").write_text(text, "latin1")
    given = {
        "export": ["--output=x"],
        "adapt": ["--support=folder:x", "--output=x.keras"],
        "record": ["--name=x", f"--results={run}", f"--page={run / 'x.md'}"],
    }
    (run / "x.md").touch()
    folder = "model" if words[0] == "adapt" else "run_dir"
    with pytest.raises(ValueError, match=r"config.json .* put back .*remove"):
        run_command(*words, f"--{folder}={run}", *given.get(words[0], []))


def test_record_looks_for_its_pages_before_it_keeps_a_run(run, tmp_path):
    results, page = tmp_path / "results", tmp_path / "missing.md"
    with pytest.raises(ValueError, match="missing.md is no file; call record"):
        run_command(
            *("record", f"--run_dir={run}", "--name=x"),
            *(f"--results={results}", f"--page={page}"),
        )
    assert not results.exists()


def test_a_damaged_history_is_named(run):
    (run / "history.csv").write_text("epoch,loss\n0,1\n1,2,3\n2,4\n")
    message = "history.csv is damaged: line 3 .*remove the file"
    with pytest.raises(ValueError, match=message):
        run_command("train", f"--run_dir={run}", "--outer_iterations=4")
    with pytest.raises(ValueError, match=message):
        run_command(
            "record", f"--run_dir={run}", "--name=x", f"--results={run}"
        )
    assert not (run / "x").exists()


def test_a_full_disk_ends_a_training_with_the_files_name(finished, tmp_path):
    """A file may hold so little that the checkpoint does not fit."""
    run = tmp_path / "run"
    process = subprocess.run(
        [
            *(sys.executable, ROOT / "scripts" / "train.py"),
            *("--preset=sine", f"--run_dir={run}", *TINY),
        ],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (1 << 14, 1 << 14)
        ),
    )
    assert process.returncode == 1
    assert process.stderr == (
        f"reptile-tf train: {run}/checkpoints/iteration-00000001.zip cannot be "
        "written: File too large; make room there, or write to another place\n"
    )
    # With room the same command goes on.
    run_command("train", f"--run_dir={run}", "--num_validation_tasks=2")
    assert (run / "checkpoints" / "iteration-00000002.zip").exists()


@pytest.mark.parametrize(
    "error, told",
    [
        (
            tf.errors.ResourceExhaustedError(
                None, None, "{{node x}} logs/events; No space left on device"
            ),
            "logs/events; No space left on device; make room there",
        ),
        (
            tf.errors.ResourceExhaustedError(None, None, "OOM\nmore"),
            "OOM; use smaller batches",
        ),
        (MemoryError("Unable to allocate 9 TiB"), "Unable to allocate 9 TiB"),
    ],
)
def test_what_tensorflow_says_of_room_is_one_line(monkeypatch, error, told):
    class Fails:
        @staticmethod
        def main():
            try:
                raise error
            except tf.errors.OpError as cause:  # as TFDS does it
                raise RuntimeError(str(cause)) from cause

    monkeypatch.setattr(cli, "_start_tensorflow", lambda: None)
    with pytest.raises(SystemExit) as ended:
        cli._run("train", Fails)
    assert ended.value.code.startswith(f"reptile-tf train: {told}")
    assert "\n" not in ended.value.code


def test_an_error_of_the_program_keeps_its_traceback(monkeypatch):
    class Fails:
        @staticmethod
        def main():
            raise tf.errors.OutOfRangeError(None, None, "End of sequence")

    monkeypatch.setattr(cli, "_start_tensorflow", lambda: None)
    with pytest.raises(tf.errors.OutOfRangeError):
        cli._run("train", Fails)


@pytest.mark.parametrize(
    "output, message",
    [
        ("models/my model", "use .*models/my_model$"),
        ("a:b", "use .*/a_b$"),
        (".hidden", "use .*/hidden$"),
        ("ä/", "use .*/_$"),
        ("x" * 101, "use .*/x{100}$"),
        ("", "does not end in a name"),
    ],
)
def test_a_name_that_cannot_be_served_is_refused_before_work(
    tmp_path, output, message
):
    output = f"{tmp_path}/{output}" if output else ".."
    with pytest.raises(ValueError, match=f"(?s)output=.*{message}"):
        run_command("export", "--run_dir=nowhere", f"--output={output}")
    with pytest.raises(ValueError, match="output='.' does not name a folder"):
        run_command("export", "--run_dir=nowhere", "--output=.")


def test_an_export_to_a_file_of_another_format(finished, tmp_path, capsys):
    run, path = f"--run_dir={finished}", tmp_path / "sine.onnx"
    words = ["export", run, "--format=onnx", f"--output={path}"]
    path.mkdir()
    with pytest.raises(ValueError, match="is a folder; name a file"):
        run_command(*words)
    path.rmdir()
    run_command(*words)
    assert f"Exported to {path}" in capsys.readouterr().out
    run, _ = by_onnx(path)
    x = np.linspace(-5, 5, 7, dtype=np.float32)[:, None]
    learner = Run.open(finished).learner()
    np.testing.assert_allclose(
        run(inputs=x)["outputs"], learner.model(x), atol=1e-6
    )
    for flags in (
        ["--format=onnx", "--adapting"],
        ["--format=onnx", "--steps=3"],
    ):
        with pytest.raises(ValueError, match="is for format=tflite"):
            run_command(
                "export", *flags, "--run_dir=nowhere", "--output=x.onnx"
            )


def test_a_place_that_cannot_be_written_to_is_refused_before_work(tmp_path):
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "mine"
    for words in (
        ["export", "--run_dir=nowhere", f"--output={place}"],
        [
            *("adapt", "--model=nowhere", "--support=folder:x"),
            f"--output={place}/x.keras",
        ],
    ):
        with pytest.raises(ValueError, match="output=.*/file is not a folder"):
            run_command(*words)
    assert os.listdir(tmp_path) == ["file"]
