"""Attacks the local server while honest clients ask it.

Example:
    python benchmarks/attack.py --minutes=10

Four honest clients adapt the committed model, first alone and then while
strangers do over REST what is in attackers.py, do over gRPC what is in
grpc_attackers.py, and put damaged versions of the model beside it. Every honest
answer is compared with the one that was given before. A fifth client asks over
gRPC, and is counted apart. Writes attack.json.
"""

import concurrent.futures
import contextlib
import json
import multiprocessing
import os
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

import attackers
import grpc
import grpc_attackers
import numpy as np
import psutil
import report
from absl import app, flags
from attackers import MODEL, PATH, Target
from tensorflow_serving.apis import predict_pb2

from reptile_tf.utils.files import write_json

ROOT = pathlib.Path(__file__).resolve().parents[1]
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


class Server:
    """The server, as a process that may open few files."""

    def __init__(self, base: pathlib.Path, log: pathlib.Path):
        with open(log, "w") as file:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "reptile_tf", "serve"),
                    *(f"--model_base_path={base}", "--rest_api_port=0"),
                    "--port=0",
                ],
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                preexec_fn=lambda: resource.setrlimit(
                    resource.RLIMIT_NOFILE, (FILES, FILES)
                ),
            )
        line = self.process.stdout.readline()
        self.target = Target(*map(int, re.findall(r"1:(\d+)", line)))
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

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


def outputs(answer: bytes) -> dict[str, bytes]:
    """Returns what a model answers over gRPC, whichever version it is of."""
    found = predict_pb2.PredictResponse.FromString(answer).outputs
    return {k: v.SerializeToString() for k, v in found.items()}


class Honest:
    """Clients that ask again and again, and compare each answer.

    Args:
        server: that is asked.
        asked: the inputs of the requests.
    """

    def __init__(self, server: Server, asked: list):
        self._target = server.target
        self._bodies = [attackers.make_body(inputs) for inputs in asked]
        self._messages = [grpc_attackers.make_message(i) for i in asked]
        with contextlib.closing(self._target.connect(300)) as connection:
            self._answers = [self._post(connection, b) for b in self._bodies]
        with grpc_attackers.channel(self._target) as call:
            self._grpc_answers = [outputs(call(m)) for m in self._messages]

    def ask(self, seconds: float, clients: int = CLIENTS) -> dict:
        """Returns what was asked in a time, and how long it took.

        One more client asks over gRPC, a request a second.
        """
        end = time.monotonic() + seconds
        with concurrent.futures.ThreadPoolExecutor(clients + 1) as pool:
            over_grpc = pool.submit(self._grpc_client, end)
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
            "grpc": over_grpc.result(),
        }

    def _client(self, number: int, end: float) -> tuple[list[float], int]:
        taken, wrong, which = [], 0, number
        connection = self._target.connect(300)
        while time.monotonic() < end:
            which = (which + 1) % len(self._bodies)
            start = time.perf_counter()
            answer = self._post(connection, self._bodies[which])
            taken.append(1000 * (time.perf_counter() - start))
            wrong += answer != self._answers[which]
        connection.close()
        return taken, wrong

    def _post(self, connection, body: bytes) -> bytes:
        connection.request("POST", PATH, body)
        return connection.getresponse().read()

    def _grpc_client(self, end: float) -> dict:
        requests, wrong, refusals = 0, 0, []
        with grpc_attackers.channel(self._target) as call:
            while time.monotonic() < end:
                which = requests % len(self._messages)
                requests += 1
                try:
                    answer = call(self._messages[which], timeout=60)
                    wrong += outputs(answer) != self._grpc_answers[which]
                except grpc.RpcError as error:
                    refusals.append(f"{error.code().name}: {error.details()}")
                time.sleep(1)
        return {
            "requests": requests,
            "wrong_answers": wrong,
            "refused": len(refusals),
            "refusals": sorted(set(refusals))[:10],
        }


def attack(target: Target, stop) -> None:
    """Runs all attacks over the network, in a process of their own."""
    # As if from other machines: their own work takes no time of the server's.
    os.nice(19)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    threads = [
        threading.Thread(target=function, args=(target, stop))
        for function in (*attackers.ATTACKS, *grpc_attackers.ATTACKS)
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
    strangers = several.Process(target=attack, args=(server.target, stop))
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
    asked = [
        attackers.make_inputs(draw, queries=5 + i) for i in range(REQUESTS)
    ]
    with tempfile.TemporaryDirectory() as place:
        base, log = pathlib.Path(place) / "models", pathlib.Path(place) / "log"
        shutil.copytree(ROOT / "saved_models" / MODEL, base / MODEL)
        server = Server(base, log)
        try:
            honest = Honest(server, asked)  # and nobody else there
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
