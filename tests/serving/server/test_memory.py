"""The memory of a server that answers for long."""

import gc
import json
import os
import pathlib

import pytest
from rest_requests import GIVEN

STATM = pathlib.Path("/proc/self/statm")


def resident():
    """The bytes of this process, in which the server runs, that are in RAM."""
    gc.collect()
    pages = int(STATM.read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.long
@pytest.mark.skipif(not STATM.exists(), reason="only Linux tells of itself")
def test_thousands_of_requests_take_no_memory(ask):
    """Not even half of the 1600 bytes that the queries are as a tensor."""
    inputs = GIVEN | {"query_inputs": [[1]] * 400}
    body = json.dumps({"inputs": inputs})
    path = "/v1/models/line:predict"
    for _ in range(300):
        status, answer = ask("POST", path, body.encode())
    assert (status, len(answer["outputs"])) == (200, 400)
    before = resident()
    for _ in range(2000):
        ask("POST", path, body.encode())
    assert resident() - before < 2000 * 800
