"""The page in a real Chromium."""

import base64

import browser
import numpy as np
import pytest
import running
import uvicorn
from browser import SHAPES, Visit
from example import CHARACTERS, ROOT

from reptile_tf.data import image_files
from reptile_tf.data.preparation import Preparation
from reptile_tf.serving.page import server
from reptile_tf.serving.page.application import application
from reptile_tf.serving.picture_model import PictureModel
from reptile_tf.serving.server.model_config import OneModel
from reptile_tf.serving.server.served_models import ServedModels

pytestmark = browser.NEEDED
COMMITTED = ROOT / "saved_models" / "omniglot_5shot_5way"


def load(folder):
    source = OneModel(folder)
    models = ServedModels(source)
    models.refresh(at_once=True)
    return models, source.name


def here(models, name):
    return server.here(models, name, port=0)


@pytest.fixture(scope="module")
def found():
    with browser.browser() as found:
        yield found


@pytest.fixture(scope="module")
def models():
    return load(COMMITTED)


@pytest.fixture(scope="module")
def url(models):
    with running.answering(here(*models)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def visit(found, url):
    visit = Visit(found, url)
    yield visit
    visit.context.close()
    assert not visit.complaints


def draw_all(visit):
    for index, shape in enumerate(SHAPES):
        visit.draw(visit.pad(index), shape)


def sent(visit, name="support_images"):
    return np.array(visit.requests[-1]["inputs"][name])


def test_what_is_drawn_is_learned(visit):
    draw_all(visit)
    for label, shape in enumerate(SHAPES):
        visit.page.locator("#query .clear").click(force=True)
        visit.draw(visit.query, shape, by=(0.05, -0.04))
        percentages = visit.answered()
        assert np.argmax(percentages) == label, (shape, percentages)
        assert sum(percentages) == pytest.approx(100, abs=0.5)
    # One request at a time, each of all that was drawn until then.
    last = visit.requests[-1]
    assert last["signature_name"] == "adapt_and_predict_uint8"
    assert last["inputs"]["support_labels"] == [0, 1, 2, 3, 4]
    assert last["inputs"]["steps"] == 50


def test_paper_is_light_and_ink_is_dark_in_what_is_sent(visit):
    """Turned round there would be no error, and nearly the same answers."""
    draw_all(visit)
    visit.draw(visit.query, "line")
    visit.answered()
    pixels = sent(visit)
    assert pixels.shape == (5, 28, 28, 1)
    assert set(np.unique(pixels)) == {0, 255}
    line = sent(visit, "query_images")[0, ..., 0]
    rows, columns = np.nonzero(line == 0)
    # From 0.2 to 0.8 of the pad, in the middle of it; the rest is paper.
    assert columns.min() in (5, 6) and columns.max() in (21, 22)
    assert set(rows) <= {13, 14}
    drawn = (pixels == 0).mean((1, 2, 3))
    assert np.all((drawn > 0.01) & (drawn < 0.15))


def test_steps_are_what_it_learns_by(visit):
    visit.page.locator("#example").click()
    visit.status("after 50 inner steps on 25 drawings")
    assert np.argmax(visit.answered()) == 3  # a kite
    steps = visit.page.locator("#steps")
    steps.focus()
    steps.press("Home")
    ignorant = visit.answered()
    visit.status("after 0 inner steps")
    for _ in range(5):
        steps.press("ArrowRight")
    knowing = visit.answered()
    visit.status("after 5 inner steps")
    assert visit.requests[-1]["inputs"]["steps"] == 5
    assert np.argmax(knowing) == 3
    assert knowing[3] > 80 > 60 > max(ignorant)


def test_the_example_is_what_classify_would_send(visit):
    visit.page.locator("#example").click()
    visit.status("on 25 drawings")
    files = sorted((CHARACTERS / "support").glob("*/*.png"))
    expected = image_files.load(files, Preparation(28, 28, 1, "nearest"))
    np.testing.assert_array_equal(sent(visit), expected)


def test_adding_taking_back_and_clearing(visit):
    card = visit.page.locator(".class").first
    visit.draw(visit.pad(0), "zig")
    visit.draw(visit.pad(1), "box")
    visit.draw(visit.query, "box")
    visit.answered()
    one = sent(visit)
    card.get_by_text("Add", exact=True).click()
    visit.draw(visit.pad(0), "cross")
    visit.answered()
    assert len(sent(visit)) == 3
    np.testing.assert_array_equal(sent(visit)[[0, 2]], one)
    undo = card.get_by_text("Undo")
    undo.click()  # of the two strokes of the cross the second
    visit.answered()
    assert (sent(visit)[1] == 0).sum() < 25 < (sent(visit)[0] == 0).sum()
    undo.click()  # the first
    undo.click()  # and the drawing before is on the pad again
    visit.answered()
    np.testing.assert_array_equal(sent(visit), one)
    assert not card.locator(".shelf li").count()
    card.get_by_text("Clear").click()
    undo.click()  # nothing is lost by it
    visit.answered()
    np.testing.assert_array_equal(sent(visit), one)
    card.get_by_text("Add", exact=True).click()
    card.get_by_label("Remove drawing 1").press("Enter")
    assert visit.focused() == "Class 1: empty, draw here or drop a picture"
    visit.status("First draw at least one drawing of each of two classes.")


def test_a_stroke_on_a_picture_begins_a_drawing(visit):
    visit.page.locator("#example").click()
    visit.status("on 25 drawings")
    before = sent(visit, "query_images")
    visit.draw(visit.query, "zig")
    visit.answered()
    after = sent(visit, "query_images")
    assert (after != before).any()
    undo = visit.page.locator("#query").get_by_text("Undo")
    undo.click()  # the stroke
    visit.status("Now draw a drawing to recognize")
    undo.click()  # and the picture is there again
    visit.status("on 25 drawings")
    np.testing.assert_array_equal(sent(visit, "query_images"), before)


def test_undo_can_be_pressed_where_there_is_something_to_undo(visit):
    card = visit.page.locator(".class").first
    undo = card.get_by_text("Undo")
    assert undo.is_disabled()
    visit.draw(visit.pad(0), "zig")
    assert undo.is_enabled()
    card.get_by_text("Add", exact=True).click()
    assert undo.is_enabled()
    card.get_by_label("Remove drawing 1").click()
    assert undo.is_disabled()


def test_nothing_is_lost_when_the_page_is_loaded_again(visit):
    draw_all(visit)
    card = visit.page.locator(".class").nth(1)
    card.get_by_text("Add", exact=True).click()
    visit.page.get_by_label("Name of class 2").fill("my cross")
    assert card.get_attribute("aria-label") == "my cross"
    assert card.get_by_label("Remove drawing 1 of my cross").count() == 1
    visit.draw(visit.query, "cross")
    visit.page.locator("#steps").press("ArrowRight")
    before = visit.answered()
    visit.status("It is “my cross”, with ")
    visit.page.reload()
    visit.status("It is “my cross”, with ")
    assert visit.answered() == before
    assert visit.requests[-1] == visit.requests[-2]
    visit.page.get_by_text("Start over").click()
    visit.status("First draw at least")
    visit.page.reload()
    visit.status("First draw at least")
    visit.page.evaluate(
        """() => localStorage.setItem(Object.keys(localStorage)[0],
            JSON.stringify({ classes: [{}, {}, {}, {}, {}], steps: 99 }))"""
    )
    visit.page.reload()  # with what another page kept
    visit.status("First draw at least")


def test_two_tabs_show_the_same(visit, url):
    """What one did would else be lost when the other keeps its own."""
    draw_all(visit)
    visit.draw(visit.query, "cross")
    expected = visit.answered()
    other = visit.context.new_page()
    other.goto(url)
    other.locator("#status", has_text="It is “Class 2”").wait_for()
    other.get_by_label("Name of class 2").fill("my cross")
    visit.status("It is “my cross”, with ")
    assert visit.answered() == expected
    visit.page.locator("#query .clear").click()
    visit.draw(visit.query, "line")
    other.locator("#status", has_text="It is “Class 5”").wait_for()
    other.close()


def drop(visit, place, path):
    """Drops a file on the page, as from a folder."""
    place.evaluate(
        """(place, text) => {
            const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], "dropped.png"));
            const what = { dataTransfer, bubbles: true, cancelable: true };
            const event = new DragEvent("drop", what);
            place.dispatchEvent(event);
            if (!event.defaultPrevented) throw new Error("it is opened");
        }""",
        base64.b64encode(path.read_bytes()).decode(),
    )


def test_files_that_come_late_replace_nothing(visit):
    """They are read when the page has gone on."""
    waiting = []
    visit.page.route("**/picture", lambda route: waiting.append(route))

    def read(count):
        """Lets the page's server answer, and the page take it."""
        while len(waiting) < count:
            visit.page.wait_for_timeout(10)
        while waiting:
            with visit.page.expect_response("**/picture") as answer:
                waiting.pop().continue_()
            answer.value.finished()
        visit.page.wait_for_timeout(50)

    files = [CHARACTERS / "query" / f"{c}.png" for c in ("gate-2", "kite-1")]
    draw_all(visit)
    query = visit.page.locator("#question")  # beside its pad
    for file in files:
        drop(visit, query, file)
    read(2)  # the later one first
    visit.answered()
    expected = image_files.load(files[1:], Preparation(28, 28, 1, "nearest"))
    np.testing.assert_array_equal(sent(visit, "query_images"), expected)
    drop(visit, query, files[0])
    visit.page.locator("#query .clear").click()
    visit.draw(visit.query, "line")
    visit.answered()
    before = sent(visit, "query_images")
    read(1)
    visit.answered()
    np.testing.assert_array_equal(sent(visit, "query_images"), before)
    drop(visit, visit.page.locator("footer"), files[0])  # is nobody's
    drop(visit, visit.page.locator(".class").first, files[0])
    visit.page.get_by_text("Start over").click()
    read(1)
    visit.status("First draw at least")
    assert not visit.page.locator(".shelf li").count()


def test_pictures_of_files(visit, tmp_path):
    files = [CHARACTERS / "support" / f"{c}/1.png" for c in ("fish", "gate")]
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    for index, path in enumerate(files):
        card = visit.page.locator(".class").nth(index)
        card.locator("input[type=file]").set_input_files([path, broken])
        visit.page.locator("#trouble", has_text="broken.png").wait_for()
    dropped = CHARACTERS / "query" / "gate-2.png"
    drop(visit, visit.query, dropped)
    visit.status("on 2 drawings")
    preparation = Preparation(28, 28, 1, "nearest")
    expected = image_files.load(files, preparation)
    np.testing.assert_array_equal(sent(visit), expected)
    np.testing.assert_array_equal(
        sent(visit, "query_images"), image_files.load([dropped], preparation)
    )
    # The browser itself says that the two were refused.
    assert len(visit.complaints) == 2
    assert all("400" in one for one in visit.complaints)
    visit.complaints.clear()


def test_a_server_that_is_down(found, models):
    with running.answering(here(*models)) as port:
        visit = Visit(found, f"http://127.0.0.1:{port}")
        draw_all(visit)
        visit.draw(visit.query, "zig")
        visit.answered()
    visit.page.locator("#steps").press("Home")
    visit.status("The server does not answer. It is asked again until it does.")
    with running.answering(here(*models), port):
        visit.status("after 0 inner steps on 5 drawings")
    visit.context.close()


def test_what_the_server_says_is_shown(visit):
    visit.page.route(
        "**/*:predict",
        lambda route: route.fulfill(
            status=400, json={"error": "steps must be fewer."}
        ),
    )
    draw_all(visit)
    visit.draw(visit.query, "zig")
    visit.status("The server refuses: steps must be fewer.")
    visit.page.locator("#answer[aria-busy=false]").wait_for()
    visit.page.route(
        "**/*:predict",
        lambda route: route.fulfill(status=502, json={"error": "None there?"}),
    )
    visit.page.locator("#steps").press("End")
    told = visit.page.locator("#status", has_text="None there? It is asked")
    told.wait_for()
    assert told.inner_text().startswith("None there?")  # nobody refuses
    visit.page.route(
        "**/*:predict", lambda route: route.fulfill(json={"outputs": None})
    )
    visit.page.locator("#steps").press("Home")
    visit.status("The server's answer has no probabilities.")
    visit.page.route("**/picture", lambda route: route.abort())
    visit.page.locator("#example").click()
    visit.status("The page's server does not answer.")
    visit.page.unroute("**/*:predict")
    visit.page.locator("#steps").press("End")
    visit.status("on 5 drawings")  # which are still there
    visit.page.locator("#answer[aria-busy=false]").wait_for()
    visit.complaints.clear()


def test_a_phone(found, url):
    """Nothing is cut off, and a finger draws."""
    visit = Visit(
        found,
        url,
        viewport={"width": 360, "height": 740},
        has_touch=True,
        is_mobile=True,
        device_scale_factor=3,
    )
    width = visit.page.evaluate("document.documentElement.scrollWidth")
    assert width == 360
    for index in (0, 1):
        visit.pad(index).tap()
    visit.query.tap()
    visit.status("on 2 drawings")
    dot = sent(visit, "query_images")[0, ..., 0]
    assert 1 <= (dot == 0).sum() <= 4
    visit.page.locator("#query .clear").click()
    visit.query.scroll_into_view_if_needed()
    box = visit.query.bounding_box()
    visit.page.mouse.move(box["x"] + 61, box["y"] + 70)
    visit.page.mouse.down()
    visit.page.mouse.move(box["x"] + 61, box["y"] + 70.5)  # as fingers shake
    visit.page.mouse.up()
    visit.answered()
    assert (sent(visit, "query_images") == 0).any()
    visit.page.get_by_label("Name of class 1").fill("W" * 40)
    visit.answered()
    width = visit.page.evaluate("document.documentElement.scrollWidth")
    assert width == 360
    assert not visit.complaints
    visit.context.close()


def test_windows_of_any_width(visit):
    """No button leaves its card, nor does its text leave the button."""
    parts = "button, .choose, canvas, meter"
    outside = """(parts) => [...document.querySelectorAll(".class, #asking")]
        .flatMap((card) => [...card.querySelectorAll(parts)].filter((part) => {
                const [inner, outer] = [part, card].map(
                    (each) => each.getBoundingClientRect());
                return part.checkVisibility() && (inner.left < outer.left ||
                    inner.right > outer.right ||
                    part.scrollWidth > Math.ceil(inner.width));
            })).map((part) => part.outerHTML)"""
    draw_all(visit)
    visit.page.locator(".class .add").first.click()
    for width in range(300, 1240, 8):
        visit.page.set_viewport_size({"width": width, "height": 700})
        assert visit.page.evaluate(outside, parts) == [], width
        room = visit.page.evaluate("document.documentElement.scrollWidth")
        assert room <= width


def test_everything_has_a_name_and_is_reached_by_keys(visit):
    draw_all(visit)
    names = set()
    for _ in range(80):
        visit.page.keyboard.press("Tab")
        names.add(visit.focused())
    assert "" not in names
    for expected in (
        "Load an example",
        "What is this?: empty, draw here or drop a picture",
        "Inner steps",
        "Name of class 5",
        "Class 5: holds a drawing",
        "Undo, Class 5",
        "Choose a picture, Class 5",
    ):
        assert expected in names
    visit.pad(0).focus()
    visit.page.keyboard.press("Delete")
    visit.draw(visit.query, "box")
    visit.status("on 4 drawings")


def test_a_model_of_photos(found):
    """The page asks for pictures of its size and its colours."""
    pictures = Preparation(6, 9, 3, "squash")
    about = PictureModel(3, pictures, 9, 9)
    app = application("mine", "/predict", lambda: about)
    with running.answering(uvicorn.Server(uvicorn.Config(app, port=0))) as port:
        visit = Visit(found, f"http://127.0.0.1:{port}", answer=[0.2, 0.7, 0.1])
        assert visit.page.locator(".class").count() == 3
        assert not visit.page.locator("#example").is_visible()
        visit.draw(visit.pad(0), "zig")  # which does nothing
        assert not visit.requests
        files = sorted((CHARACTERS / "query").glob("*.png"))[:3]
        for index in (0, 1):
            card = visit.page.locator(".class").nth(index)
            card.locator("input[type=file]").set_input_files(files[index])
        visit.page.locator("#query input").set_input_files(files[2])
        visit.status(
            "It is “Class 2”, with 70.0%, after 8 inner steps on 2 pictures."
        )
        expected = image_files.load(files[:2], pictures)
        np.testing.assert_array_equal(sent(visit), expected)
        card.get_by_text("Undo").click()
        visit.status(
            "First choose at least one picture of each of two classes."
        )
        assert not visit.complaints
        visit.context.close()
