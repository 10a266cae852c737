"""A real browser, where there is one."""

import contextlib
import json
import os
import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NEEDED = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no chromium (apt-get install chromium)"
)

# As easy to tell apart as can be: strokes as fractions of the pad.
SHAPES = {
    "zig": [[(0.2, 0.3), (0.8, 0.3), (0.2, 0.7), (0.8, 0.7)]],
    "cross": [[(0.25, 0.25), (0.75, 0.75)], [(0.75, 0.25), (0.25, 0.75)]],
    "box": [[(0.3, 0.3), (0.7, 0.3), (0.7, 0.7), (0.3, 0.7), (0.3, 0.3)]],
    "fork": [
        [(0.5, 0.2), (0.5, 0.8)],
        [(0.3, 0.2), (0.3, 0.45), (0.7, 0.45), (0.7, 0.2)],
    ],
    "line": [[(0.2, 0.5), (0.8, 0.5)]],
}


@contextlib.contextmanager
def browser():
    """Yields a browser of Playwright."""
    from playwright.sync_api import sync_playwright

    # In a container its sandbox has no place.
    args = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as play:
        found = play.chromium.launch(executable_path=CHROMIUM, args=args)
        yield found
        found.close()


class Visit:
    """A page that is open, and what was seen on it.

    Attributes:
        page: of Playwright.
        complaints: what the browser's console and the page's code said.
        requests: the bodies of what the model was asked.
    """

    def __init__(self, found, url, answer=None, **settings):
        self.context = found.new_context(**settings)
        self.page = self.context.new_page()
        self.complaints, self.requests = [], []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on("dialog", lambda dialog: dialog.accept())
        self.page.on("request", self._sent)
        if answer is not None:  # in a model's place
            outputs = {"probabilities": [answer], "labels": [0]}
            self.page.route(
                "**/predict",
                lambda route: route.fulfill(json={"outputs": outputs}),
            )
        self.page.goto(url)
        self.page.locator("main").wait_for()

    def _heard(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _sent(self, request):
        if request.method == "POST" and "predict" in request.url:
            self.requests.append(json.loads(request.post_data))

    def pad(self, index):
        """The pad of a class."""
        return self.page.locator("#classes .pad canvas").nth(index)

    @property
    def query(self):
        """The pad of the query."""
        return self.page.locator("#query canvas")

    def draw(self, pad, shape, by=(0.0, 0.0)):
        """Draws a shape on a pad with the mouse, moved by a fraction of it."""
        pad.scroll_into_view_if_needed()
        box = pad.bounding_box()
        for stroke in SHAPES[shape]:
            points = [
                (
                    box["x"] + (x + by[0]) * box["width"],
                    box["y"] + (y + by[1]) * box["height"],
                )
                for x, y in stroke
            ]
            self.page.mouse.move(*points[0])
            self.page.mouse.down()
            for point in points[1:]:
                self.page.mouse.move(*point, steps=3)
            self.page.mouse.up()

    def answered(self):
        """Waits for the answer to what is drawn; returns the percentages."""
        self.page.locator("#answer[aria-busy=false]").wait_for()
        told = self.page.locator("#bars .percent").all_inner_texts()
        return [float(percent.rstrip("%")) for percent in told]

    def focused(self):
        """Returns what a screen reader calls the element with the focus."""
        return self.page.evaluate(
            """() => {
                const e = document.activeElement;
                return e.getAttribute("aria-label") || e.labels?.[0]?.innerText
                    || e.innerText;
            }"""
        )

    def status(self, text):
        """Waits until the status says something."""
        self.page.locator("#status", has_text=text).wait_for()
