"""What answers where a server of models should be."""

import contextlib
import http.server
import json
import re
import threading

import numpy as np
import pytest

from reptile_tf.data import image_files
from reptile_tf.serving import client, remote_model

JSON = "application/json"
SIZES = [{"size": str(size)} for size in (-1, 2)]
OUTPUT = {"dtype": "DT_FLOAT", "tensor_shape": {"dim": SIZES}}
NAME = "adapt_and_predict_uint8"


def metadata(**signatures):
    return {"metadata": {"signature_def": {"signature_def": signatures}}}


def classifying(**other):
    """The metadata of a model that tells two classes of 8x8 pictures apart."""
    dims = [{"size": str(size)} for size in (-1, 8, 8, 1)]
    about = {
        "inputs": {"query_images": {"tensor_shape": {"dim": dims}}},
        "outputs": {"probabilities": OUTPUT},
    }
    limits = {"outputs": {}, "defaults": {}}
    return metadata(**{NAME: about | other, "limits": limits})


@contextlib.contextmanager
def serving(answers):
    """The URL of a server that answers so: path -> (status, headers, body)."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = answers[self.path]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):  # who asked has enough
                for part in body if isinstance(body, list) else [body]:
                    self.wfile.write(part)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/m"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def refused(status, headers, body, *words):
    with serving({"/m/metadata": (status, headers, body)}) as url:
        with pytest.raises(ValueError) as error:
            client.connect(url)
    told = str(error.value)
    assert told.startswith(url) and "\n" not in told
    assert len(told) < 500
    for word in words:
        assert re.search(word, told), told


PAGE = b"<!DOCTYPE html>\n<html>\n" + b"<p>Hello</p>\n" * 5000


@pytest.mark.parametrize("status", [200, 404, 502])
def test_a_page_is_no_answer(status):
    word = "is no model of TF Serving" if status == 200 else f"status {status}"
    would_do = "give a URL such as http://localhost:8501/v1/models/NAME"
    refused(status, {"Content-Type": "text/html"}, PAGE, word, would_do)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirection_is_followed(status):
    """Nor a loop of them; pictures would go wherever it says."""
    for to in ("/m/metadata", "http://localhost:1/other", "file:///etc/passwd"):
        refused(status, {"Location": to}, b"", f"sends on to '{to}'")
    refused(304, {}, b"", "sends on to ''")


def test_an_answer_without_end_is_given_up(monkeypatch):
    monkeypatch.setattr(remote_model, "_MOST_BYTES", 1 << 20)
    for status in (200, 500):
        endless = [b" " * (1 << 16)] * 1000
        refused(status, {}, endless, "cannot be asked: .* more than 1,048,576")
    monkeypatch.setattr(remote_model, "_PATIENCE", -1.0)
    monkeypatch.setattr(
        remote_model.urllib.request.OpenerDirector,
        "open",
        lambda *_, **__: contextlib.nullcontext(Drips()),
    )
    with pytest.raises(ValueError, match="its answer takes more than"):
        client.connect("http://localhost/m")


class Drips:
    status, headers, length = 200, {}, None

    def read(self, size):
        return b" "


@pytest.mark.parametrize(
    "answer",
    [
        *(5, [], {}, None, "text", {"metadata": None}, {"metadata": []}),
        *(metadata(a=5), metadata(a={"outputs": 5}), metadata(a={})),
        metadata(a={"outputs": {"b": {"dtype": "DT_NONE"}}}),
        metadata(a={"outputs": {"b": {"dtype": []}}}),
        metadata(a={"outputs": {"b": {}}}),
    ],
    ids=str,
)
def test_other_json_is_no_model(answer):
    refused(200, {}, json.dumps(answer).encode(), "is no model of TF Serving")


@pytest.mark.parametrize(
    "body",
    [b"", b"[" * 100_000, b"\xff\xfe", b"NaN", b"{'a': 1}", b"\0" * 999],
    ids=lambda body: ascii(body[:9]),
)
def test_what_is_no_json_is_no_model(body):
    refused(200, {}, body, "is no model of TF Serving's REST API")


@pytest.mark.parametrize(
    "error", [{"error": 5}, {"error": None}, {"error": ["x"]}, 5, []]
)
def test_errors_of_another_kind_are_shown(error):
    refused(400, {}, json.dumps(error).encode(), "/metadata: ")
    refused(400, {}, b"\x1b[31m\n no", re.escape("/metadata: ?[31m no"))


@pytest.fixture
def pictures(monkeypatch):
    def load(paths, preparation):
        return np.zeros((len(paths), *preparation.shape), np.uint8)

    monkeypatch.setattr(image_files, "load", load)
    return {"a": ["1.png"], "b": ["2.png"]}


def classified(pictures, about, answer):
    answers = {
        "/m/metadata": (200, {}, json.dumps(about).encode()),
        "/m:predict": (200, {}, json.dumps(answer).encode()),
    }
    with serving(answers) as url:
        return client.classify(client.connect(url), pictures, ["3.png"], 1)


def test_a_model_that_answers_as_it_should(pictures):
    answer = {"outputs": [[0.25, 0.75]]}
    found = classified(pictures, classifying(), answer)
    np.testing.assert_array_equal(found, [[0.25, 0.75]])


@pytest.mark.parametrize(
    "answer",
    [
        *({}, [], {"outputs": None}, {"outputs": []}, {"outputs": 0.5}),
        *({"outputs": [[0.5]]}, {"outputs": [["a", "b"]]}),
        {"outputs": [[0.5, 0.5]] * 2},
    ],
    ids=str,
)
def test_other_answers_are_refused(pictures, answer):
    with pytest.raises(ValueError, match="is no model of|answers with prob"):
        classified(pictures, classifying(), answer)


@pytest.mark.parametrize(
    "other",
    [
        {"inputs": 5},
        {"inputs": {}},
        {"inputs": {"query_images": {"tensor_shape": {}}}},
        {
            "inputs": {
                "query_images": {
                    "tensor_shape": {"dim": [{"size": "999999"}] * 4}
                }
            }
        },
        {"outputs": {"probabilities": {"dtype": "DT_FLOAT"}}},
        {
            "outputs": {
                "probabilities": OUTPUT
                | {"tensor_shape": {"dim": [{"size": "x"}] * 2}}
            }
        },
    ],
    ids=lambda other: str(other)[:60],
)
def test_other_descriptions_are_refused(pictures, other):
    with pytest.raises(ValueError, match="the model is no model of"):
        classified(pictures, classifying(**other), {"outputs": [[0.5, 0.5]]})
