"""Attacks the local server while honest clients ask it.

Example:
    python benchmarks/attack.py --minutes=10

Four honest clients adapt the committed model, first alone and then while
strangers hold a crowd of connections, send bodies a byte at a time and in
thousands of pieces, send the longest bodies that there may be, leave while long
requests are computed, and put damaged versions of the model beside it. Every
honest answer is compared with that of the model itself. Writes attack.json.
"""

import concurrent.futures
import contextlib
import http.client
import json
import multiprocessing
import pathlib
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable

import numpy as np
import psutil
import report
from absl import app, flags

from reptile_tf.utils.files import write_json

ROOT = pathlib.Path(__file__).resolve().parents[1]
MODEL = "omniglot_5shot_5way"
PATH = f"/v1/models/{MODEL}:predict"
MINUTES = flags.DEFINE_float("minutes", 10.0, "How long it is attacked.", 0.1)
QUIET_MINUTES = flags.DEFINE_float(
    "quiet_minutes", 1.0, "How long it is not, before and after.", 0.1
)
OUTPUT = flags.DEFINE_string(
    "output",
    str(ROOT / "results" / "benchmarks" / "attack.json"),
    "The file for the results.",
)
CLIENTS, REQUESTS, FILES = 4, 8, 1024


def make_request(draw: np.random.Generator, shots=5, steps=50, queries=5):
    """Returns the body of a request to tell five classes apart."""

    def pictures(count):
        return draw.integers(0, 256, (count, 28, 28, 1)).tolist()

    inputs = {
        "support_images": pictures(5 * shots),
        "support_labels": [i % 5 for i in range(5 * shots)],
        "query_images": pictures(queries),
        "steps": steps,
    }
    body = {"signature_name": "adapt_and_predict_uint8", "inputs": inputs}
    return json.dumps(body).encode()


class Server:
    """The server, as a process that may open few files."""

    def __init__(self, base: pathlib.Path, log: pathlib.Path):
        with open(log, "w") as file:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "reptile_tf", "serve"),
                    *(f"--model_base_path={base}", "--rest_api_port=0"),
                ],
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                preexec_fn=lambda: resource.setrlimit(
                    resource.RLIMIT_NOFILE, (FILES, FILES)
                ),
            )
        line = self.process.stdout.readline()
        self.port = int(re.search(r":(\d+)$", line.strip())[1])
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def connect(self, timeout: float = 300) -> http.client.HTTPConnection:
        """Returns a connection to it."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout)

    def megabytes(self) -> int:
        """Returns the memory that it has, without its parser's process."""
        process = psutil.Process(self.process.pid)
        return round(process.memory_info().rss / 2**20)

    def megabytes_of_parser(self) -> int:
        """Returns the memory of the process that parses long bodies."""
        total = 0
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += child.memory_info().rss
        return round(total / 2**20)


class Honest:
    """Clients that ask again and again, and compare each answer.

    Args:
        server: that is asked.
        bodies: of the requests.
        answers: that are right.
    """

    def __init__(self, server: Server, bodies: list, answers: list):
        self._server, self._bodies, self._answers = server, bodies, answers

    def ask(self, seconds: float, clients: int = CLIENTS) -> dict:
        """Returns what was asked in a time, and how long it took."""
        end = time.monotonic() + seconds
        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            found = list(
                pool.map(self._client, range(clients), [end] * clients)
            )
        taken = sorted(ms for times, _ in found for ms in times)
        return {
            "clients": clients,
            "requests": len(taken),
            "wrong_answers": sum(wrong for _, wrong in found),
            "median_ms": round(taken[len(taken) // 2], 1),
            "p99_ms": round(taken[int(0.99 * len(taken))], 1),
            "max_ms": round(taken[-1], 1),
            "requests_per_s": round(len(taken) / seconds, 2),
        }

    def _client(self, number: int, end: float) -> tuple[list[float], int]:
        taken, wrong, which = [], 0, number
        connection = self._server.connect()
        while time.monotonic() < end:
            which = (which + 1) % len(self._bodies)
            start = time.perf_counter()
            connection.request("POST", PATH, self._bodies[which])
            answer = connection.getresponse().read()
            taken.append(1000 * (time.perf_counter() - start))
            wrong += answer != self._answers[which]
        connection.close()
        return taken, wrong


def idle_crowd(connect: Callable, stop) -> None:
    """Holds more connections than the server may have, and asks nothing."""
    held = []
    while not stop.wait(0.02):
        with contextlib.suppress(OSError):
            connection = connect()
            connection.connect()
            held.append(connection)
        for old in held[:-1500]:
            old.close()
        held = held[-1500:]


def slow_bodies(connect: Callable, stop) -> None:
    """Sends bodies a byte at a time, twenty of them at once."""
    held = []
    while not stop.wait(0.01):
        if len(held) < 20:
            with contextlib.suppress(OSError):
                connection = connect()
                connection.connect()
                connection.sock.sendall(
                    f"POST {PATH} HTTP/1.1\r\nHost: x\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n".encode()
                )
                held.append(connection)
        for connection in list(held):
            try:
                connection.sock.sendall(b"1\r\n \r\n")
            except OSError:
                connection.close()
                held.remove(connection)


def many_pieces(connect: Callable, stop) -> None:
    """Sends a body in as many pieces as it has bytes, again and again."""
    pieces = b"1\r\n \r\n" * 20_000
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked"
    while not stop.wait(0.2):
        with contextlib.suppress(OSError):
            connection = connect()
            connection.connect()
            connection.sock.sendall(head.encode() + b"\r\n\r\n" + pieces)
            connection.sock.recv(1000)
            connection.close()


def large_bodies(connect: Callable, stop) -> None:
    """Sends bodies of 35 megabytes, one after another."""
    numbers = json.dumps([0.1234567] * 3_200_000)
    body = f'{{"inputs": {{"support_images": {numbers}}}}}'.encode()
    while not stop.wait(0.1):
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = connect()
            connection.request("POST", PATH, body)
            connection.getresponse().read()
            connection.close()


def leaving(connect: Callable, stop) -> None:
    """Asks for what takes long, and leaves before it is there."""
    body = make_request(np.random.default_rng(1), shots=40, steps=1000)
    while not stop.wait(0.1):
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = connect()
            connection.request("POST", PATH, body)
            stop.wait(0.5)
            connection.close()


ATTACKS = idle_crowd, slow_bodies, many_pieces, large_bodies, leaving, leaving


def attack(port: int, stop) -> None:
    """Runs all attacks over the network, in a process of their own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))

    def connect():
        return http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    threads = [
        threading.Thread(target=function, args=(connect, stop))
        for function in ATTACKS
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def hostile_versions(folder: pathlib.Path, stop, count: list[int]) -> None:
    """Puts versions beside the good one, and takes them away again."""
    draw = random.Random(0)
    good = (folder / "1" / "saved_model.pb").read_bytes()
    while not stop.wait(2):
        count[0] += 1
        version = folder / str(count[0] + 1)
        shutil.copytree(folder / "1", version)
        content = bytearray(good)
        match count[0] % 4:
            case 0:  # a good one, which answers as the one before
                pass
            case 1:
                del content[draw.randrange(len(content)) :]
            case 2:
                content = content.replace(b"MatMul", b"MutMal")
            case 3:
                for _ in range(20):
                    content[draw.randrange(len(content))] = draw.randrange(256)
        (version / "saved_model.pb").write_bytes(content)
        stop.wait(6)
        shutil.rmtree(version)


def attacked(honest: Honest, server: Server, base: pathlib.Path) -> dict:
    """Returns what honest clients see while all attacks go on."""
    several = multiprocessing.get_context("spawn")
    stop, count = several.Event(), [0]
    strangers = several.Process(target=attack, args=(server.port, stop))
    versions = threading.Thread(
        target=hostile_versions, args=(base / MODEL, stop, count)
    )
    strangers.start()
    versions.start()
    memory, parser, done = [], [], threading.Event()

    def watch():
        while not done.wait(5):
            memory.append(server.megabytes())
            parser.append(server.megabytes_of_parser())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        found = honest.ask(60 * MINUTES.value)
    finally:
        done.set()
        stop.set()
        versions.join()
        strangers.join()
        watching.join()
    third = max(1, len(memory) // 3)
    return {
        **found,
        "hostile_versions": count[0],
        "megabytes": memory,
        "megabytes_of_parser": parser,
        "most_megabytes_of_last_third_more_than_of_first": (
            max(memory[-third:]) - max(memory[:third])
        ),
    }


def main(_):
    """Runs the benchmark."""
    draw = np.random.default_rng(0)
    bodies = [make_request(draw, queries=5 + i) for i in range(REQUESTS)]
    with tempfile.TemporaryDirectory() as place:
        base, log = pathlib.Path(place) / "models", pathlib.Path(place) / "log"
        shutil.copytree(ROOT / "saved_models" / MODEL, base / MODEL)
        server = Server(base, log)
        try:
            answers = []
            for body in bodies:  # one at a time, and nobody else there
                connection = server.connect()
                connection.request("POST", PATH, body)
                answers.append(connection.getresponse().read())
                connection.close()
            honest = Honest(server, bodies, answers)
            seconds = 60 * QUIET_MINUTES.value
            one, two = honest.ask(seconds / 2, 1), honest.ask(seconds / 2, 2)
            quiet = honest.ask(seconds)
            before = server.megabytes()
            under = attacked(honest, server, base)
            after, memory = honest.ask(seconds), server.megabytes()
        finally:
            server.process.terminate()
            code = server.process.wait()
        text = log.read_text()
    ratio = under["p99_ms"] / quiet["p99_ms"]
    result = {
        "minutes": MINUTES.value,
        "machine": report.machine(),
        "quiet": quiet,
        "attacked": under,
        "quiet_after": after,
        "p99_times_quiet": round(ratio, 2),
        "two_clients_times_one": round(
            two["requests_per_s"] / one["requests_per_s"], 2
        ),
        "megabytes_before": before,
        "megabytes_after": memory,
        "tracebacks_in_the_log": text.count("Traceback"),
        "megabytes_of_log": round(len(text) / 2**20, 2),
        "ended_with": code,
    }
    write_json(OUTPUT.value, result)
    print(json.dumps(result, indent=2))
    if result["tracebacks_in_the_log"]:
        print(text[text.index("Traceback") - 500 :][:5000])


if __name__ == "__main__":
    app.run(main)
