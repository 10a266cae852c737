"""All that a user does, one command after another, as a shell runs them."""

import pathlib
import subprocess
import sys
import urllib.request

import pytest
from PIL import Image

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples" / "characters"
PICTURES = [str(EXAMPLES / "query" / f"{x}-1.png") for x in ("fish", "kite")]
SMALL = (
    *("--meta_batch_size=2", "--inner_steps=2", "--eval_inner_steps=2"),
    *("--num_validation_tasks=2", "--eval_every=2"),
)


@pytest.mark.long
def test_from_training_to_answers(tmp_path):
    """In a cache of its own, so that the glyphs are drawn and written too."""

    def start(*words):
        return subprocess.Popen(
            [sys.executable, "-m", "reptile_tf", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )

    def run(*words):
        process = start(*words)
        said, errors = process.communicate(timeout=900)
        assert process.returncode == 0, errors
        return said

    train = ("train", "--preset=glyphs", "--run_dir=run", *SMALL)
    assert "Drawing 20,240 glyphs" in run(*train, "--outer_iterations=4")
    assert "resuming at iteration 4" in run(*train, "--outer_iterations=6")
    assert "4 tasks" in run("evaluate", "--run_dir=run", "--num_tasks=4")
    run("plot", "--run_dir=run")
    with Image.open(tmp_path / "run" / "learning_curve.png") as picture:
        assert picture.width > 300

    support = (f"--support={EXAMPLES / 'support'}", "--steps=2")
    run("adapt", "--model=run", "--output=mine.keras", *support)
    answers = [run("classify", "--model=mine.keras", *PICTURES)]
    run("export", "--run_dir=run", "--output=models/tiny")
    server = start("serve", "--model_base_path=models", "--rest_api_port=0")
    try:
        line = server.stdout.readline()
        assert line.startswith("Serving tiny at http://127.0.0.1"), line
        url = f"{line.split()[-1]}/v1/models/tiny"
        with urllib.request.urlopen(url) as answer:
            assert b"AVAILABLE" in answer.read()
        for model in (url, "models/tiny"):
            asked = (f"--model={model}", *support, *PICTURES)
            answers.append(run("classify", *asked))
    finally:
        server.kill()
        server.communicate()
    for printed in answers:
        rows = [row.split()[0] for row in printed.splitlines()]
        assert rows[-2:] == ["fish-1.png", "kite-1.png"]

    said = run(
        *("search", "--preset=sine", "--run_dir=search", *SMALL),
        *("--space=inner_steps=int:1..9", "--num_trials=6", "--num_tasks=4"),
        *("--trial_iterations=2", "--outer_iterations=4"),
    )
    assert (tmp_path / "search" / "best.json").exists(), said
