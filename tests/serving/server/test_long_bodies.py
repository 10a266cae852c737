"""The process that reads long bodies."""

import asyncio
import subprocess
import sys

import numpy as np

from reptile_tf.serving.server.long_bodies import LongBodies, _Turns

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


def test_the_shortest_is_read_next_and_who_left_is_passed_over():
    async def several():
        turns, order = _Turns(), []

        async def one(size):
            await turns.take(size)
            order.append(size)
            await asyncio.sleep(0)
            turns.pass_on()

        await turns.take(9)
        tasks = [asyncio.create_task(one(n)) for n in (8, 3, 5, 1, 4)]
        await asyncio.sleep(0)
        tasks[3].cancel()
        await asyncio.sleep(0)
        turns.pass_on()
        tasks[1].cancel()  # whose turn has just come
        await asyncio.gather(*tasks, return_exceptions=True)
        await one(7)
        return order

    assert asyncio.run(several()) == [4, 5, 8, 7]


def test_clients_that_leave_hold_up_nobody():
    """Also where a deadline passes and the client leaves, both at once."""

    async def several():
        reader = LongBodies()
        dtypes = {"serving_default": {"a": np.dtype("float32")}}
        body = b'{"inputs": {"a": [1, 2]}}'
        try:
            for _ in range(20):
                task = asyncio.create_task(reader.read(body, dtypes))
                await asyncio.sleep(0.001)
                task.cancel()
                await asyncio.sleep(0)
                task.cancel()
            async with asyncio.timeout(30):
                request = await reader.read(body, dtypes)
            return request.inputs["a"].tolist()
        finally:
            reader.close()

    assert asyncio.run(several()) == [1.0, 2.0]
