"""The command `serve`: which models, where, and when it says so."""

import contextlib
import http.client
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import types

import pytest
import running
from rest_requests import GIVEN

from reptile_tf.serving import client
from reptile_tf.serving.server import listening
from reptile_tf.serving.server.model_config import ModelFolder

SCRIPT = pathlib.Path(__file__).parents[3] / "scripts" / "serve.py"


def serve(base, port):
    return subprocess.Popen(
        [sys.executable, SCRIPT, f"--model_base_path={base}"]
        + [f"--rest_api_port={port}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def folders(line_folder, tmp_path):
    """Models in folders of any name, and some that cannot be served."""
    for name in ("zwei Wörter", "+%&?#", "a:b", ".hidden"):
        shutil.copytree(line_folder, tmp_path / name / "1")
    shutil.copytree(line_folder, tmp_path / "unversioned")
    shutil.copytree(line_folder, tmp_path / "named" / "newest")
    (tmp_path / "broken" / "1").mkdir(parents=True)
    (tmp_path / "broken" / "1" / "saved_model.pb").write_text("not whole")
    (tmp_path / "notes").mkdir()
    (tmp_path / "models.config").touch()
    return tmp_path


def test_the_script_serves_until_it_is_told_to_stop(folders):
    process = serve(folders, 0)
    try:
        line = process.stdout.readline()
        assert line.startswith("Serving +%&?#, zwei Wörter at http://127.0.0.1")
        url = line.split()[-1]
        # At once, as it says so when it answers; and names are escaped.
        for name in ("zwei%20W%C3%B6rter", "%2B%25%26%3F%23"):
            model = client.connect(f"{url}/v1/models/{name}")
            answer = model.predict("adapt_and_predict", GIVEN)["predictions"]
            assert answer.shape == (2, 1)
        process.terminate()
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    said = [line for line in errors.splitlines() if "is left out" in line]
    left_out = ("a:b", ".hidden", "broken", "named", "unversioned")
    assert len(said) == len(left_out)
    for name in left_out:
        [line] = [line for line in said if f"{folders / name}" in line]
        assert "; " in line  # what would do
    assert "Traceback" not in errors


def test_a_port_in_use_is_one_line(folders):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = serve(folders, port)
        said, errors = process.communicate(timeout=60)
        assert (process.returncode, said) == (1, "")
        [line] = errors.splitlines()
        assert f"127.0.0.1, port {port}: Address already in use; give" in line
        # Then nothing keeps the socket that could not be bound.
        with pytest.raises(ValueError, match="; give another port"):
            listening.bind("127.0.0.1", port)


def test_a_port_is_taken_from_the_start():
    """Before anybody answers there, so that two do not load for one port."""
    with listening.bind("127.0.0.1", 0) as place:
        port = place.getsockname()[1]
        with pytest.raises(ValueError, match="Address already in use"):
            listening.bind("127.0.0.1", port)


def test_addresses_that_are_not_here_and_those_of_two_kinds():
    with pytest.raises(ValueError, match="cannot listen at 192.0.2.1"):
        listening.bind("192.0.2.1", 0)
    with listening.bind("127.0.0.1", 0) as place:
        port = place.getsockname()[1]
        assert listening.url(place) == f"http://127.0.0.1:{port}"
    other = types.SimpleNamespace(getsockname=lambda: ("::1", 80, 0, 0))
    assert listening.url(other) == "http://[::1]:80"


def test_a_models_own_folder_has_no_models(line_folder):
    models = ModelFolder(line_folder.parent)
    assert (models(), models.left_out()) == ([], {})


def test_the_second_interrupt_ends_at_once(tmp_path):
    """Whatever is being computed, and cannot be ended otherwise."""
    running.save_loop(tmp_path / "endless" / "1")
    process = serve(tmp_path, 0)
    try:
        url = process.stdout.readline().split()[-1]
        host = url.removeprefix("http://")
        with contextlib.closing(http.client.HTTPConnection(host)) as asking:
            body = '{"inputs": {"steps": 1000000000}}'
            asking.request("POST", "/v1/models/endless:predict", body)
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)  # it waits for the answer
            process.send_signal(signal.SIGINT)
            assert process.wait(5) == 130
    finally:
        process.kill()
        process.communicate()
