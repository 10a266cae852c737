"""What the page refuses before it is there."""

import pathlib
import socket

import pytest
from command import run_command

ROOT = pathlib.Path(__file__).parents[2]
COMMITTED = ROOT / "saved_models" / "omniglot_5shot_5way"


def test_what_cannot_be_shown_is_refused_in_a_line(tmp_path, monkeypatch):
    for words, message in [
        ([f"--model={tmp_path}"], "holds no exported model"),
        (["--server=http://127.0.0.1:9/v1/models/m"], "cannot be asked"),
        (["--server=localhost:8501"], "such as http://HOST:8501/v1/models/"),
        ([f"--model={COMMITTED}", "--server=http://h/m"], "give one of the"),
    ]:
        with pytest.raises(ValueError, match=message):
            run_command("page", "--port=0", *words)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="run the command there, or give --mo"):
        run_command("page", "--port=0")
    monkeypatch.chdir(ROOT)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"port {port}: .* give another"):
            run_command("page", f"--port={port}")
