"""What the page's server answers, without a browser."""

import contextlib
import json
import socket
import threading
import time
import urllib.error
import urllib.request

import example
import numpy as np
import pytest
import running
import uvicorn
from starlette.routing import Route

from reptile_tf.data import image_files
from reptile_tf.data.preparation import Preparation
from reptile_tf.serving.page import proxy, server
from reptile_tf.serving.page.application import application
from reptile_tf.serving.picture_model import PictureModel
from reptile_tf.serving.server.model_config import OneModel

KITE = example.CHARACTERS / "query" / "kite-1.png"
COMMITTED = example.ROOT / "saved_models" / "omniglot_5shot_5way"
ABOUT = PictureModel(5, Preparation(28, 28, 1, "nearest", "dark"), 30, 40)


@pytest.fixture(scope="module")
def port():
    """A page without a model."""
    app = application("mine", "/v1/models/mine:predict", lambda: ABOUT)
    with running.answering(uvicorn.Server(uvicorn.Config(app, port=0))) as port:
        yield port


def ask(port, path, body=None, **headers):
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", body, headers
    )
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_the_page_is_there(port):
    status, content = ask(port, "/")
    assert (status, content[:15]) == (200, b"<!DOCTYPE html>")
    scripts = ("main.js", "pad.js", "picture.js", "asker.js", "state.js")
    for name in (*scripts, "style.css"):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}") as found:
            # Those of another version would not fit together.
            assert found.headers["Cache-Control"] == "no-cache"
    assert ask(port, "/application.py")[0] in (400, 404)


def test_the_page_is_told_of_the_model(port):
    status, content = ask(port, "/model.json")
    assert status == 200
    assert json.loads(content) == {
        "name": "mine",
        "server": None,
        "predict": "/v1/models/mine:predict",
        "signature": "adapt_and_predict_uint8",
        "ways": 5,
        "max_steps": 30,
        "max_examples": 40,
        "pictures": {
            "height": 28,
            "width": 28,
            "channels": 1,
            "resize": "nearest",
            "ink": "dark",
        },
    }


def test_a_picture_is_prepared_as_classify_does(port):
    status, content = ask(port, "/picture", KITE.read_bytes())
    assert status == 200
    pixels = np.reshape(json.loads(content)["pixels"], (1, 28, 28, 1))
    expected = image_files.load([KITE], ABOUT.preparation)
    np.testing.assert_array_equal(pixels, expected)


def test_what_is_no_picture_is_refused(port):
    status, content = ask(port, "/picture", b"no picture")
    assert status == 400
    assert "cannot be read: it is none of BMP" in json.loads(content)["error"]


def test_other_sites_cannot_ask(port):
    """Whose name may lead to this machine."""
    status, _ = ask(port, "/model.json", Host="elsewhere.example")
    assert status == 400
    png = KITE.read_bytes()
    for headers, expected in (
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": f"http://127.0.0.1:{port}"}, 200),
    ):
        assert ask(port, "/picture", png, **headers)[0] == expected
        assert ask(port, "/", **headers)[0] == 200  # by a link
    assert ask(port, "/model.json", Host=f"localhost:{port}")[0] == 200


def test_a_server_elsewhere_is_asked_for_the_page():
    """With the status and the words that it answers with."""
    models = running.load(COMMITTED.parent)
    pixels = image_files.load([KITE], ABOUT.preparation).tolist()
    inputs = {
        "support_images": pixels * 2,
        "support_labels": [1, 4],
        "query_images": pixels,
        "steps": 0,
    }
    body = {"signature_name": "adapt_and_predict_uint8", "inputs": inputs}
    with contextlib.ExitStack() as stack:
        there = stack.enter_context(running.serving(models))
        model = f"/v1/models/{COMMITTED.name}"
        url = f"http://127.0.0.1:{there}{model}"
        with pytest.raises(ValueError, match=r"is such as http://HOST:8501/v1"):
            server.before(f"http://127.0.0.1:{there}")
        with running.answering(server.before(url, port=0)) as port:
            told = json.loads(ask(port, "/model.json")[1])
            assert (told["name"], told["ways"]) == (COMMITTED.name, 5)
            assert told["server"] == url
            assert told["pictures"] == ABOUT.preparation.as_dict()
            asked = json.dumps(body).encode()
            answer = ask(port, told["predict"], asked)
            assert answer == ask(there, f"{model}:predict", asked)
            assert answer[0] == 200
            inputs["steps"] = -1
            wrong = json.dumps(body).encode()
            status, content = ask(port, told["predict"], wrong)
            assert status == 400
            assert "steps" in json.loads(content)["error"]
            stack.close()
            status, content = ask(port, told["predict"], asked)
            assert status == 502
            assert f"{url}:predict cannot be asked" in content.decode()


def test_a_server_elsewhere_that_hangs():
    """It holds up neither other requests nor the end of the page's server."""
    free = threading.Event()

    class Hung:
        def answer(self, body):
            free.wait(20)

    route = Route("/predict", proxy.predict(Hung()), methods=["POST"])
    app = application("mine", "/predict", lambda: ABOUT, [route])
    settings = uvicorn.Config(app, port=0, timeout_graceful_shutdown=1)
    try:
        with running.answering(uvicorn.Server(settings)) as port:
            head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\n"
            for _ in range(40):  # more than there are threads
                with socket.create_connection(("127.0.0.1", port)) as asked:
                    asked.sendall(head + b"Content-Length: 1\r\n\r\n1")
            start = time.monotonic()
            status, _ = ask(port, "/picture", KITE.read_bytes())
        assert status == 200
        assert time.monotonic() - start < 5
    finally:
        free.set()


def test_a_newer_version_may_take_other_limits():
    limits = iter((30, 60))
    app = application(
        "mine", "/predict", lambda: ABOUT._replace(max_steps=next(limits))
    )
    with running.answering(uvicorn.Server(uvicorn.Config(app, port=0))) as port:
        told = [json.loads(ask(port, "/model.json")[1]) for _ in range(2)]
    assert [one["max_steps"] for one in told] == [30, 60]


def test_the_example_is_that_of_the_repository():
    assert example.PLACE.read_text() == example.example(), (
        "python tests/serving/page/example.py writes it anew"
    )


def test_one_model_is_a_folder_of_versions_or_a_version(tmp_path):
    [found] = OneModel(COMMITTED)()
    assert (found.name, found.candidates()) == (COMMITTED.name, [1])
    for number in ("1", "2"):
        (tmp_path / "mine" / number).mkdir(parents=True)
        (tmp_path / "mine" / number / "saved_model.pb").touch()
    [found] = OneModel(tmp_path / "mine")()
    assert (found.name, found.candidates()) == ("mine", [2, 1])
    [found] = OneModel(tmp_path / "mine" / "1")()
    assert (found.name, found.candidates()) == ("mine", [1])
    with pytest.raises(ValueError, match="holds no exported model; give"):
        OneModel(tmp_path)
