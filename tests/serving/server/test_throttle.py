"""Long messages are read no faster than they may be."""

import asyncio
import time

import pytest
from rest_requests import GIVEN, predict

from reptile_tf.serving.server import request_body
from reptile_tf.serving.server.throttle import Throttle


def test_all_together_pass_no_faster():
    async def take():
        throttle = Throttle(bytes_per_s=1e6)
        start = time.monotonic()
        await asyncio.gather(*[throttle.passed(20_000) for _ in range(5)])
        together = time.monotonic() - start
        await asyncio.sleep(0.1)  # which nobody else can make up for
        start = time.monotonic()
        await throttle.passed(50_000)
        return together, time.monotonic() - start

    together, alone = asyncio.run(take())
    assert together >= 0.1
    assert alone >= 0.05


@pytest.fixture
def passed(monkeypatch):
    """The bytes of each piece that had to wait."""
    sizes = []

    async def note(_, size):
        sizes.append(size)

    monkeypatch.setattr(Throttle, "passed", note)
    return sizes


def test_what_is_long_has_to_wait_over_rest(ask, monkeypatch, passed):
    monkeypatch.setattr(request_body, "LONG", 5_000)
    assert predict(ask, GIVEN)[0] == 200
    assert not passed
    assert predict(ask, GIVEN | {"query_inputs": [[1.0]] * 1_000})[0] == 200
    assert sum(passed) > 5_000
