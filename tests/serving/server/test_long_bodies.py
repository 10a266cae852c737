"""The process that reads long bodies."""

import subprocess
import sys

SERVER = """
import asyncio, os
import numpy as np
from reptile_tf.serving.server.long_bodies import LongBodies

async def main():
    dtypes = {"serving_default": {"a": np.dtype("float32")}}
    body = b'{"inputs": {"a": [1, 2]}}'
    request = await LongBodies().read(body, dtypes)
    print(request.inputs["a"].tolist(), flush=True)
    os.kill(os.getpid(), 9)

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_it_ends_with_its_server_however_that_ends(tmp_path):
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    process = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True
    )
    # Both have the pipe, which ends when both have ended.
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (-9, "[1.0, 2.0]\n")
