"""Measures how soon the page answers, draws on it, and takes its picture.

Example:
    python benchmarks/page.py

Chromium opens the page before the committed model. It loads the example, which
is 25 drawings, and asks about it again and again with 50 inner steps. Then five
shapes are drawn once each, and 35 more for the model to recognize. Writes
page.json, and docs/page.png.
"""

import pathlib
import statistics
import subprocess
import sys

from absl import app, flags

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "serving" / "page"))

import browser
import numpy as np
import report

from reptile_tf.utils.files import write_json

ROUNDS = flags.DEFINE_integer("rounds", 40, "How often it is asked.", 1)
OUTPUT = flags.DEFINE_string(
    "output",
    str(ROOT / "results" / "benchmarks" / "page.json"),
    "The file for the results.",
)
PICTURE = flags.DEFINE_string(
    "picture", str(ROOT / "docs" / "page.png"), "The file for the picture."
)
STEPS, QUERIES = 50, 7


def example(visit, rounds):
    """Returns the ms from each request to the page's answer."""
    visit.page.locator("#example").click()
    visit.status(f"after {STEPS} inner steps on 25 drawings")
    taken = []
    for _ in range(rounds):
        with visit.page.expect_response("**/*:predict") as answer:
            visit.page.locator("#steps").dispatch_event("input")
        answer.value.finished()
        visit.answered()
        timing = answer.value.request.timing
        taken.append(timing["responseEnd"])
    return taken


def shapes(visit):
    """Returns how many of the shapes that are drawn it recognizes."""
    visit.page.get_by_text("Start over").click()
    for index, shape in enumerate(browser.SHAPES):
        visit.draw(visit.pad(index), shape)
    draw, right = np.random.default_rng(0), 0
    for label, shape in enumerate(browser.SHAPES):
        for _ in range(QUERIES):
            visit.page.locator("#query .clear").click(force=True)
            visit.draw(visit.query, shape, by=draw.uniform(-0.1, 0.1, 2))
            right += int(np.argmax(visit.answered()) == label)
    return right


def main(_):
    """Runs the benchmark."""
    command = [sys.executable, "-m", "reptile_tf", "page", "--port=0"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as served:
        url = served.stdout.readline().split()[-1]
        with browser.browser() as found:
            visit = browser.Visit(
                found, url, viewport={"width": 1120, "height": 800}
            )
            taken = example(visit, ROUNDS.value)
            visit.page.screenshot(path=PICTURE.value, full_page=True)
            right = shapes(visit)
        served.terminate()
    results = {
        "model": "omniglot_5shot_5way",
        "steps": STEPS,
        "drawings": 25,
        "requests": len(taken),
        "median_ms": round(statistics.median(taken), 1),
        "p90_ms": round(float(np.quantile(taken, 0.9)), 1),
        "shapes": QUERIES * len(browser.SHAPES),
        "shapes_recognized": right,
        "machine": report.machine(),
    }
    write_json(OUTPUT.value, results)
    print(results)


if __name__ == "__main__":
    app.run(main)
