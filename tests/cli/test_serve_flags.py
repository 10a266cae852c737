"""The flags of `serve` that cannot be, before anything is loaded."""

import pytest
from absl import flags
from command import Command, run_command

from reptile_tf.cli import main as cli


@pytest.mark.parametrize(
    "word",
    [
        "--rest_api_port=70000",
        "--port=-1",
        "--client_timeout=inf",
        "--client_timeout=nan",
        "--file_system_poll_wait_seconds=inf",
        "--rest_api_timeout_in_ms=0",
    ],
)
def test_flags_out_of_range_are_told(word):
    command = Command("serve")
    try:
        flags.FLAGS.unparse_flags()
        with pytest.raises(SystemExit) as ended:
            cli._parse(["reptile-tf serve", word])
    finally:
        command.forget_flags()
    told, hint = str(ended.value).splitlines()
    assert told.startswith(f"reptile-tf serve: flag {word}: ")
    assert "--help" in hint


def test_an_unset_host_opens_the_server_to_nobody(tmp_path):
    base = f"--model_base_path={tmp_path}"
    with pytest.raises(ValueError, match="host must be an address"):
        run_command("serve", base, "--host=", "--rest_api_port=0")
