"""The local server, over a real socket."""

import concurrent.futures
import contextlib
import http.client
import json
import pathlib
import random
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import tracemalloc

import numpy as np
import pytest
import uvicorn
from toys import Constants, regression

from reptile_tf.serving import client, warmup
from reptile_tf.serving.server import app as rest
from reptile_tf.serving.server.saved_models import Model, Models, NotFound

MOST_BYTES = 20_000
GIVEN = {
    "support_inputs": [[1.0]],
    "support_targets": [[6.0]],
    "query_inputs": [[1.0], [2.0]],
    "steps": 3,
}


@pytest.fixture(scope="module")
def learner():
    learner = regression(inner_steps=2)
    learner.fit(Constants(*range(5)), 1, verbose=0)
    return learner


@pytest.fixture(scope="module")
def base(learner, tmp_path_factory):
    """Two versions of a model, and a file that no request may reach."""
    folder = tmp_path_factory.mktemp("server")
    learner.export(folder / "models" / "line")
    (folder / "secret").mkdir()
    (folder / "secret" / "1").mkdir()
    (folder / "secret" / "1" / "saved_model.pb").write_text("secret")
    return folder / "models"


@pytest.fixture(scope="module")
def port(base):
    config = rest.config(
        Models(base),
        max_body_bytes=MOST_BYTES,
        client_timeout=0.5,
        port=0,
        log_level="critical",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.fixture
def ask(port):
    """Sends a request; returns (status, JSON answer)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(method, path, body=None):
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    yield ask
    connection.close()


def predict(ask, inputs=GIVEN, model="line", **body):
    path = f"/v1/models/{model}:predict"
    return ask("POST", path, {"inputs": inputs, **body})


def test_the_status_names_the_versions(ask):
    status, answer = ask("GET", "/v1/models/line")
    assert status == 200
    assert answer["model_version_status"] == [
        {
            "version": "1",
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
    ]
    assert ask("GET", "/v1/models/line/versions/1") == (status, answer)
    status, answer = ask("GET", "/v1/models/line/versions/2")
    assert (status, "version 2 of model line" in answer["error"]) == (404, True)


def test_the_metadata_are_the_signatures(ask):
    status, answer = ask("GET", "/v1/models/line/metadata")
    assert status == 200
    assert answer["model_spec"] == {
        "name": "line",
        "signature_name": "",
        "version": "1",
    }
    known = answer["metadata"]["signature_def"]["signature_def"]
    steps = known["adapt_and_predict"]["inputs"]["steps"]
    assert steps["dtype"] == "DT_INT32"
    assert steps["tensor_shape"] == {"dim": [], "unknown_rank": False}
    most = known["limits"]["defaults"]["max_steps"]
    assert most["int_val"] == [1000]
    dims = known["predict"]["inputs"]["query_inputs"]["tensor_shape"]["dim"]
    assert [d["size"] for d in dims] == ["-1", "1"]


def test_columns_are_answered_as_the_adapted_clone_answers(ask, learner):
    expected = learner.adapt([[1.0]], [[6.0]], steps=3)(np.float32([[1], [2]]))
    unnamed = {"signature_name": ""}
    for path, name in (("line", {}), ("line/versions/1", unnamed)):
        status, answer = predict(ask, model=path, **name)
        assert status == 200
        np.testing.assert_allclose(answer["outputs"], expected, atol=1e-4)


def test_a_signature_by_name_and_a_vector_there_and_back(ask):
    _, whole = predict(ask)
    given = {k: v for k, v in GIVEN.items() if k != "query_inputs"}
    _, adapted = predict(ask, given, signature_name="adapt")
    _, answer = predict(
        ask,
        {"weights": adapted["outputs"], "query_inputs": [[1.0], [2.0]]},
        signature_name="predict",
    )
    np.testing.assert_allclose(answer["outputs"], whole["outputs"], atol=1e-4)
    # As TF Serving; without inputs there is gRPC.
    status, answer = predict(ask, {}, signature_name="limits")
    assert status == 400 and "input map" in answer["error"]


def test_rows(ask, base):
    """Where each row has all inputs: here a Keras export of one input."""
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.export(base / "plain" / "1", verbose=False)
    model.export(base / "plain" / "3", verbose=False)
    rows = [[1.0, 2.0], [3.0, 4.0]]
    [name] = Models(base).get("plain").dtypes("serving_default")
    for instances in (rows, [{name: row} for row in rows]):
        status, answer = ask(
            "POST", "/v1/models/plain:predict", {"instances": instances}
        )
        assert status == 200
        expected = model(np.float32(rows))
        np.testing.assert_allclose(answer["predictions"], expected, rtol=1e-5)
    # Added while it serves; the newest answers.
    _, answer = ask("GET", "/v1/models/plain/metadata")
    assert answer["model_spec"]["version"] == "3"


@pytest.mark.parametrize(
    "method, path, status, words",
    [
        ("GET", "/v1/models/other", 404, "other"),
        ("GET", "/v1/models/" + "a" * 300, 404, "any versions"),
        ("POST", "/v1/models/other:predict", 404, "Latest(other)"),
        ("POST", "/v1/models/line/versions/9:predict", 404, "Specific(9)"),
        ("GET", "/v1/models/line/versions/x", 400, "Malformed request: GET"),
        ("GET", "/v1/models/line/", 400, "Malformed request: GET"),
        ("GET", "/v1/model", 400, "Malformed request: GET /v1/model"),
        ("POST", "/v1/models/line", 400, "Malformed request: POST"),
        ("GET", "/v1/models/line:predict", 400, "Malformed request: GET"),
        ("POST", "/v1/models/line:classify", 400, "Malformed request: POST"),
    ],
)
def test_what_is_not_there(ask, method, path, status, words):
    got, answer = ask(method, path, {"inputs": GIVEN})
    assert (got, list(answer)) == (status, ["error"])
    assert words in answer["error"]


@pytest.mark.parametrize(
    "path",
    ["../secret", "%2e%2e%2fsecret", "..%2fsecret", "%2e%2e", ".", "line%00"],
)
def test_no_path_leaves_the_folder(ask, path):
    for url, method in (
        (f"/v1/models/{path}", "GET"),
        (f"/v1/models/{path}/metadata", "GET"),
        (f"/v1/models/{path}:predict", "POST"),
    ):
        status, answer = ask(method, url, {"inputs": GIVEN})
        assert status in (400, 404) and list(answer) == ["error"]


@pytest.mark.parametrize(
    "body, words",
    [
        (b"", ["JSON Parse error"]),
        (b'{"inputs": ', ["JSON Parse error"]),
        (b"\xff\xfe\x00", ["JSON Parse error"]),
        (json.dumps({"inputs": GIVEN}).encode("utf-16"), ["JSON Parse error"]),
        (b"[" * 15_000, ["JSON Parse error"]),
        (b"[]", ["must be an object"]),
        (b"{}", ["instances", "inputs"]),
        (b'{"signature_name": "\\ud800", "inputs": {}}', ["JSON Parse error"]),
        ({"inputs": GIVEN, "instances": [GIVEN]}, ["not both"]),
        ({"instances": []}, ["at least one row"]),
        ({"inputs": [1]}, ["must name the inputs", "steps"]),
        ({"inputs": GIVEN, "signature_name": "x"}, ['"x"', "adapt"]),
        ({"inputs": GIVEN, "signature_name": [1]}, ["signature"]),
        ({"inputs": {"steps": 1}}, ["support_inputs", "received steps"]),
        ({"inputs": GIVEN | {"more": 1}}, ["received", "more"]),
        ({"inputs": GIVEN | {"steps": 1.5}}, ["steps", "whole numbers"]),
        ({"inputs": GIVEN | {"steps": True}}, ["steps", "whole numbers"]),
        ({"inputs": GIVEN | {"steps": 1 << 40}}, ["steps", "int32"]),
        ({"inputs": GIVEN | {"steps": -1}}, ["steps must be 0 to 1000"]),
        ({"inputs": GIVEN | {"query_inputs": "x"}}, ["query_inputs"]),
        ({"inputs": GIVEN | {"query_inputs": None}}, ["query_inputs"]),
        ({"inputs": GIVEN | {"query_inputs": [[True], [1]]}}, ["numbers"]),
        ({"inputs": GIVEN | {"query_inputs": [[1], [1, 2]]}}, ["full array"]),
        ({"inputs": GIVEN | {"query_inputs": [[1e99]]}}, ["finite"]),
        ({"inputs": GIVEN | {"query_inputs": []}}, ["query_inputs", "[n 1]"]),
    ],
)
def test_impossible_bodies(ask, body, words):
    status, answer = ask("POST", "/v1/models/line:predict", body)
    assert (status, list(answer)) == (400, ["error"])
    for word in words:
        assert word in answer["error"]


def test_a_body_over_the_limit(ask):
    status, answer = predict(ask, GIVEN | {"query_inputs": [[1.0]] * 10_000})
    assert status == 413 and "20000 bytes" in answer["error"]


def test_slow_clients_are_dropped_and_hold_up_nobody(port, ask):
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
    for connection in slow:
        connection.sendall(
            b"POST /v1/models/line:predict HTTP/1.1\r\nHost: x\r\n"
            b'Content-Length: 1000\r\n\r\n{"inputs"'
        )
    assert predict(ask)[0] == 200
    for connection in slow:
        connection.settimeout(30)
        assert connection.recv(100).startswith(b"HTTP/1.1 408")
        connection.close()


@pytest.mark.parametrize("before", [b"", b"GET /v1/models/line HTTP/1.1\r\n"])
def test_a_head_that_never_ends_closes_the_connection(port, ask, before):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(30)
        connection.sendall(before)
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(100) == b""
    # The second request of a connection, too, though bytes keep coming.
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(30)
        head = b"GET /v1/models/line HTTP/1.1\r\nHost: x\r\n"
        connection.sendall(head + b"\r\n")
        assert b"200 OK" in connection.recv(1000)
        connection.sendall(head)
        start = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - start < 20:
                connection.sendall(b"X: y\r\n")
                time.sleep(0.1)
    assert ask("GET", "/v1/models/line")[0] == 200


def test_long_bodies_are_bounded_together(port, ask, monkeypatch):
    monkeypatch.setattr(rest, "_SHORT_BODY", 5_000)
    head = b"POST /v1/models/line:predict HTTP/1.1\r\nHost: x\r\n"
    head += f"Content-Length: {MOST_BYTES}\r\n\r\n".encode()
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
    for connection in held:
        connection.settimeout(30)
        connection.sendall(head + b" " * (MOST_BYTES - 1))
    assert predict(ask)[0] == 200  # short ones come through
    answers = [connection.recv(2000) for connection in held]
    statuses = sorted(answer.split()[1] for answer in answers)
    assert statuses == [b"408"] * 4 + [b"503"]
    for connection in held:
        connection.close()
    long = GIVEN | {"query_inputs": [[1.0]] * 1_000}
    assert predict(ask, long)[0] == 200


def test_clients_that_do_not_read_are_dropped(port, ask):
    path = "/v1/models/line/metadata"
    asked = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(1)
        start = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - start < 20:
                with contextlib.suppress(TimeoutError):
                    connection.sendall(asked * 100)
    assert ask("GET", path)[0] == 200


def test_one_text_does_not_make_every_number_as_long(ask):
    inputs = GIVEN | {"query_inputs": [[1.0]] * 1000 + [["x" * 8000]]}
    tracemalloc.start()
    status, answer = predict(ask, inputs)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert status == 400 and "query_inputs must be numbers" in answer["error"]
    assert peak < 10 << 20


def test_messages_are_short(ask):
    status, answer = predict(ask, signature_name="x" * 15_000)
    assert status == 400 and len(answer["error"]) <= 1000
    # And without what TensorFlow puts around them.
    _, answer = predict(ask, GIVEN | {"steps": 5000})
    assert answer["error"] == "steps must be 0 to 1000; received 5000"


def test_requests_side_by_side(port, ask):
    tasks = [GIVEN | {"support_targets": [[float(i)]]} for i in range(64)]
    alone = [predict(ask, task)[1] for task in tasks]
    assert len({json.dumps(answer) for answer in alone}) == 64

    def one(task):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        body = json.dumps({"inputs": task})
        connection.request("POST", "/v1/models/line:predict", body)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        assert list(pool.map(one, tasks)) == alone


def test_after_thousands_of_random_bodies_it_answers(ask):
    draw = random.Random(0)
    good = json.dumps({"inputs": GIVEN}).encode()
    pieces = [b"null", b"{}", b"[]", b'""', b"-1", b"1e999", b"NaN", b",", b"["]
    statuses = set()
    for _ in range(3000):
        body = bytearray(good)
        for _ in range(draw.randint(1, 4)):
            place = draw.randrange(len(body))
            match draw.randrange(4):
                case 0:
                    body[place] = draw.randrange(256)
                case 1:
                    del body[place : place + draw.randint(1, 9)]
                case 2:
                    body[place:place] = draw.choice(pieces)
                case 3:
                    body[place : place + draw.randint(1, 9)] = draw.choice(
                        pieces
                    )
            body = body or bytearray(b" ")
        status, answer = ask("POST", "/v1/models/line:predict", bytes(body))
        statuses.add(status)
        assert status == 200 or list(answer) == ["error"]
    assert statuses == {200, 400}
    assert predict(ask)[0] == 200


def test_the_client_asks_a_server_and_a_folder_alike(base, port):
    url = f"http://127.0.0.1:{port}/v1/models/line"
    models = [client.connect(m) for m in (url, base / "line", base / "line/1")]
    for model in models:
        assert model.metadata() == models[0].metadata()
        answer = model.predict("adapt_and_predict", GIVEN)
        np.testing.assert_allclose(
            answer["predictions"],
            models[1].predict("adapt_and_predict", GIVEN)["predictions"],
            atol=1e-6,
        )
        for steps, words in ((-1, "0 to 1000"), (1.5, "int32")):
            with pytest.raises(ValueError, match=f"steps must be .*{words}"):
                model.predict("adapt_and_predict", GIVEN | {"steps": steps})
        with pytest.raises(ValueError, match="must have the inputs.*received"):
            model.predict("adapt_and_predict", GIVEN | {"more": 1})


def test_models_that_cannot_be_asked(base, port):
    with pytest.raises(ValueError, match="other/metadata: .*Latest"):
        client.connect(f"http://127.0.0.1:{port}/v1/models/other")
    with pytest.raises(ValueError, match="cannot be asked"):
        client.connect("http://127.0.0.1:1/v1/models/line")
    with pytest.raises(ValueError, match="holds no exported model"):
        client.connect(base)


def test_a_version_that_cannot_be_loaded_leaves_the_one_before(ask, base):
    (base / "line" / "2").mkdir()
    (base / "line" / "2" / "saved_model.pb").write_bytes(b"not whole")
    assert predict(ask)[0] == 200
    assert predict(ask, model="line/versions/2")[0] == 404
    _, answer = ask("GET", "/v1/models/line/versions/2")
    [state] = answer["model_version_status"]
    assert state["state"] == "END" and state["status"]["error_message"]
    shutil.rmtree(base / "line" / "2")


def test_a_broken_version_is_not_loaded_for_every_request(
    base, tmp_path, monkeypatch
):
    shutil.copytree(base / "line" / "1", tmp_path / "line" / "1")
    (tmp_path / "line" / "2").mkdir()
    (tmp_path / "line" / "2" / "saved_model.pb").write_bytes(b"not whole")
    models, tried, load = Models(tmp_path), [], Models._load

    def note(self, name, version):
        tried.append(version)
        return load(self, name, version)

    monkeypatch.setattr(Models, "_load", note)
    assert [models.get("line").version for _ in range(3)] == [1, 1, 1]
    assert tried == [2, 1, 1, 1]
    monkeypatch.setattr("reptile_tf.serving.server.saved_models._PAUSE", 0.0)
    models.get("line")  # now it is tried again
    assert tried[4:] == [2, 1]


def test_the_warm_up_is_made_before_a_model_answers(
    base, tmp_path, monkeypatch
):
    shutil.copytree(base / "line" / "1", tmp_path / "line" / "1")
    asked, predict = [], Model.predict

    def note(model, signature, inputs):
        asked.append(signature)
        return predict(model, signature, inputs)

    monkeypatch.setattr(Model, "predict", note)
    model = Models(tmp_path).get("line")
    assert sorted(asked) == sorted(model.signatures)
    # As in TF Serving, a version whose warm-up fails is not served.
    place = tmp_path / "line" / "1" / warmup.PLACE
    place.write_bytes(place.read_bytes()[:-1])
    with pytest.raises(NotFound, match="can be loaded"):
        Models(tmp_path).get("line")


def test_the_script_serves_until_it_is_told_to_stop(base):
    script = pathlib.Path(__file__).parents[3] / "scripts" / "serve.py"
    process = subprocess.Popen(
        [sys.executable, script, f"--model_base_path={base}"]
        + ["--rest_api_port=0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for line in process.stderr:
            if found := re.search(r"running on (http://127.0.0.1:\d+)", line):
                break
        model = client.connect(f"{found[1]}/v1/models/line")
        answer = model.predict("adapt_and_predict", GIVEN)["predictions"]
        assert answer.shape == (2, 1)
        process.terminate()
        process.communicate(timeout=60)
    finally:
        process.kill()


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="model_base_path=.*missing"):
        Models(tmp_path / "missing")
