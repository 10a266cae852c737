"""A contestant as a process of its own, told over a pipe what to run.

Contestants want different threads and libraries, so each has its own process;
only one of them works at a time. A line `train 5` runs five outer iterations
and is answered by one line of JSON. Standard library only: every contestant's
environment can import it.
"""

import json
import os
import resource
import subprocess
import sys
import time


class Timer:
    """Milliseconds between `start` and `stop`: by the clock, and of CPU time.

    CPU time leaves out the moments in which the machine ran something else.
    """

    def start(self):
        """Starts to measure."""
        self._start = time.perf_counter(), time.process_time()

    def stop(self):
        """Sets `wall_ms` and `cpu_ms`."""
        self.wall_ms = (time.perf_counter() - self._start[0]) * 1000
        self.cpu_ms = (time.process_time() - self._start[1]) * 1000


def load_settings() -> dict:
    """Returns the settings that the worker was started with.

    Those that all contestants share, and the contestant's own.
    """
    with open(sys.argv[1]) as file:
        return json.load(file) | json.loads(sys.argv[2])


def serve(commands: dict, **hello) -> None:
    """Runs commands from standard input until it ends.

    Args:
        commands: name -> function(count, timer), which runs `count` iterations
            and has the timer run while they do.
        **hello: what to tell about this worker at the start.
    """
    # Libraries print; answers must be alone on their channel.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    answers.write(json.dumps(hello) + "\n")
    for line in sys.stdin:
        name, count = line.split()
        timer = Timer()
        commands[name](int(count), timer)
        answers.write(
            json.dumps(
                {
                    "ms": timer.wall_ms / int(count),
                    "cpu_ms": timer.cpu_ms / int(count),
                    "peak_mb": _peak_mb(),
                }
            )
            + "\n"
        )


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Worker:
    """The other end: starts a contestant and asks it to run.

    Args:
        command: interpreter, script, and file of the settings that all
            contestants share.
        own: settings of this contestant alone.
        environment: variables of its process, besides those of this one.

    Attributes:
        hello: what the contestant told about itself.
    """

    def __init__(self, command, own: dict, environment=None):
        self._command = [*map(str, command), json.dumps(own)]
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={
                "TF_CPP_MIN_LOG_LEVEL": "2",
                **os.environ,
                **(environment or {}),
            },
        )
        self.hello = self._answer()

    def run(self, command: str, count: int) -> dict:
        """Returns what one iteration took, as the mean of `count`."""
        self._process.stdin.write(f"{command} {count}\n")
        return self._answer()

    def close(self) -> None:
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            raise RuntimeError(f"{self._command} ended with code {code}")
        return json.loads(line)
