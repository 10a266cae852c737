"""The local server, over a real socket."""

import concurrent.futures
import contextlib
import http.client
import json
import shutil
import socket
import time

import numpy as np
import pytest
import running
from exported import WAYS
from rest_requests import GIVEN, predict


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


def test_inputs_are_answered_as_the_adapted_clone_answers(ask, line_learner):
    expected = line_learner.adapt([[1.0]], [[6.0]], steps=3)(
        np.float32([[1], [2]])
    )
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


@pytest.mark.parametrize(
    "method, path, status, words",
    [
        ("GET", "/v1/models/other", 404, "other"),
        ("GET", "/v1/models/" + "a" * 300, 404, "any versions"),
        ("GET", "/v1/models/" + "%C3%A9" * 255, 404, "any versions"),
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


def test_messages_are_short(ask):
    status, answer = predict(ask, signature_name="x" * 15_000)
    assert status == 400 and len(answer["error"]) <= 1000
    # And without what TensorFlow puts around them.
    _, answer = predict(ask, GIVEN | {"steps": 5000})
    assert answer["error"] == "steps must be 0 to 1000; received 5000"


def test_requests_side_by_side_get_the_answers_that_each_gets_alone(
    port, ask, base, folder, served_models
):
    """Bit for bit, though they differ in size; of a network with statistics."""
    shutil.copytree(folder, base / "toy" / "1", dirs_exist_ok=True)
    served_models.refresh(at_once=True)
    rng = np.random.default_rng(0)

    def examples(count):
        return rng.random((count, 8, 8, 1)).round(2).tolist()

    tasks = [
        {
            "support_images": examples(3 + i % 5),
            "support_labels": rng.integers(0, WAYS, 3 + i % 5).tolist(),
            "query_images": examples(1 + i % 3),
            "steps": 1 + i % 4,
        }
        for i in range(64)
    ]
    path = "/v1/models/toy:predict"
    alone = [ask("POST", path, {"inputs": task}) for task in tasks]
    assert {status for status, _ in alone} == {200}
    assert len({json.dumps(answer) for answer in alone}) == 64

    def one(task):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("POST", path, json.dumps({"inputs": task}))
        response = connection.getresponse()
        answer = response.status, json.loads(response.read())
        connection.close()
        return answer

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        assert list(pool.map(one, tasks)) == alone


def test_a_url_as_a_proxy_is_asked(ask, port):
    for host in (f"http://127.0.0.1:{port}", "https://any"):
        status, answer = ask("GET", f"{host}/v1/models/line")
        assert status == 200 and "model_version_status" in answer
    path = f"http://127.0.0.1:{port}/v1/models/line:predict"
    assert ask("POST", path, {"inputs": GIVEN})[0] == 200
    for path in ("http://", "https://x?y"):
        assert ask("GET", path)[0] == 400
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 400 " in connection.recv(100)


@pytest.mark.long  # as the pause is
def test_a_connection_outlasts_a_pause(port, ask):
    """Uvicorn closes one that was idle for five seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", "/v1/models/line")
        assert connection.getresponse().read()
        held = connection.sock
        time.sleep(6)
        connection.request("GET", "/v1/models/line")
        assert connection.getresponse().read()
        assert connection.sock is held  # and none was opened in its place


def test_pages_from_elsewhere_may_ask_if_they_are_let(served_models, port):
    origin = {"Origin": "http://example.org"}
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    with running.serving(served_models, cors=True) as open_port:
        for place, allowed in ((port, None), (open_port, "*")):
            connection = http.client.HTTPConnection("127.0.0.1", place)
            with contextlib.closing(connection):
                path = "/v1/models/line"
                connection.request("GET", path, headers=origin)
                response = connection.getresponse()
                response.read()
                name = "access-control-allow-origin"
                assert response.headers[name] == allowed
                path += ":predict"
                connection.request("OPTIONS", path, headers=origin | asked)
                response = connection.getresponse()
                response.read()
                assert response.headers[name] == allowed
                assert response.status == (200 if allowed else 400)


def test_what_was_asked_is_told_to_prometheus(served_models):
    with running.serving(served_models) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        with contextlib.closing(connection):
            for path, inputs in (
                ("line:predict", GIVEN),
                ("line:predict", GIVEN | {"steps": -1}),
                ("other:predict", GIVEN),  # which is no model
            ):
                body = json.dumps({"inputs": inputs})
                connection.request("POST", f"/v1/models/{path}", body)
                connection.getresponse().read()
            connection.request("GET", "/monitoring/prometheus/metrics")
            response = connection.getresponse()
            lines = response.read().decode().splitlines()
    count = ":tensorflow:serving:request_count"
    line = 'model_name="line"'
    about = f'{line},API="Predict",entrypoint="REST"'
    latency = ":tensorflow:serving:request_latency"
    for expected in (
        f'{count}{{{line},status="OK"}} 1',
        f'{count}{{{line},status="INVALID_ARGUMENT"}} 1',
        f'{latency}_bucket{{{about},le="+Inf"}} 2',
        f"{latency}_count{{{about}}} 2",
        f':tensorflow:serving:version_loaded{{{line},version="1"}} 1',
    ):
        assert expected in lines
    assert not [line for line in lines if "other" in line]
    assert response.headers["content-type"].startswith("text/plain")
