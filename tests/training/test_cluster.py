"""Workers meet before TensorFlow waits for them."""

import json
import socket
import threading
import time

import pytest

from reptile_tf.training import cluster as clusters
from reptile_tf.training.cluster import Cluster, meet


def free_port():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        return other.getsockname()[1]


def addresses(count):
    """Returns addresses, of which only the first is listened at."""
    return (
        f"127.0.0.1:{free_port()}",
        *(f"there:{i}" for i in range(1, count)),
    )


def met(wants, count=None, timeout=20.0, before=lambda port: None):
    """Lets a worker for each of `wants` meet; returns what each raised."""
    at = addresses(count or len(wants))
    raised = [None] * len(wants)

    def one(index):
        try:
            meet(Cluster(at, index), wants[index], timeout)
        except (ValueError, TimeoutError) as error:
            raised[index] = error

    threads = [
        threading.Thread(target=one, args=[index])
        for index in range(len(wants))
    ]
    for thread in threads[1:]:
        thread.start()
    before(int(at[0].rsplit(":", 1)[1]))
    for thread in threads[:1]:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_workers_that_want_the_same_begin():
    start = time.monotonic()
    wants = {"seed": 1, "shots": (1, 2)}  # JSON makes a list of a tuple
    assert met([wants] * 4) == [None] * 4
    assert time.monotonic() - start < 5


def test_all_are_told_who_wants_something_else():
    raised = met([{"seed": 1}, {"seed": 1}, {"seed": 2, "more": 3}])
    for error in raised:
        assert isinstance(error, ValueError)
        assert str(error).startswith(
            "worker 2 (there:2) was started otherwise: more=3 (worker 0 has "
            "nothing), seed=2 (worker 0 has 1); start all"
        )


def test_one_that_does_not_come_is_named_in_time():
    start = time.monotonic()
    raised = met([{}, {}], count=4, timeout=1.0)
    assert time.monotonic() - start < 10
    for error in raised:
        assert "worker 2 (there:2), worker 3 (there:3) did not come" in str(
            error
        )


def test_a_chief_that_does_not_come_is_named_in_time():
    at = addresses(2)
    with pytest.raises(
        TimeoutError, match=r"worker 0 .*did not answer in time"
    ):
        meet(Cluster(at, 1), {}, 0.5)


def test_strangers_change_nothing():
    def strange(port):
        def connect():
            for content in (
                b"GET / HTTP/1.1\r\n\r\n\n",
                b"[1]\n",
                b'{"worker": 7}\n',
                b'{"worker": "1"}\n',
                b'{"worker": [], "wants": {}}\n',
                b'{"worker": true, "wants": {}}\n',
                b"x" * (1 << 21),
            ):
                for _ in range(100):
                    try:
                        with socket.create_connection(
                            ("127.0.0.1", port), 5
                        ) as connection:
                            connection.sendall(content)
                        break
                    except ConnectionRefusedError:
                        time.sleep(0.02)
                    except OSError:
                        break  # it was hung up on

        threading.Thread(target=connect, daemon=True).start()

    assert met([{"a": 1}] * 3, before=strange) == [None] * 3


def test_a_chief_that_is_stopped_lets_nobody_go(monkeypatch):
    heard, calls = clusters._heard, []

    def interrupted(connection, *patience):
        if threading.current_thread().name == "chief":
            calls.append(connection)
            if len(calls) == 2:
                raise KeyboardInterrupt
        return heard(connection, *patience)

    monkeypatch.setattr(clusters, "_heard", interrupted)
    at, raised = addresses(4), {}

    def join(index):
        try:
            meet(Cluster(at, index), {}, 1.0)
        except (KeyboardInterrupt, ValueError, TimeoutError) as error:
            raised[index] = error

    threads = [
        threading.Thread(target=join, args=[i], name="chief" if not i else "")
        for i in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert isinstance(raised[0], KeyboardInterrupt)
    texts = sorted(str(raised[i]) for i in (1, 2))
    assert "did not answer in time" in texts[0]  # it was not heard
    assert "was stopped before all were there" in texts[1]


def test_a_worker_that_is_started_again_is_let_in():
    at = addresses(3)

    def report():
        with socket.create_connection(
            ("127.0.0.1", int(at[0].rsplit(":", 1)[1])), 5
        ) as connection:
            clusters._say(connection, {"worker": 1, "wants": {}})

    ended = []

    def join(index):
        meet(Cluster(at, index), {}, 20.0)
        ended.append(index)

    threads = [threading.Thread(target=join, args=[i]) for i in range(3)]
    threads[0].start()
    for _ in range(100):
        try:
            report()  # and is killed
            break
        except ConnectionRefusedError:
            time.sleep(0.02)
    threads[2].start()
    time.sleep(0.5)  # all have been heard, of which one has ended
    threads[1].start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == [0, 1, 2]


def test_a_cluster_is_read_from_the_environment(monkeypatch):
    hosts = ["a:1", "b:2"]
    config = {
        "cluster": {"worker": hosts},
        "task": {"type": "worker", "index": 1},
    }
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    found = clusters.named_by_environment()
    assert found == Cluster(("a:1", "b:2"), 1)
    assert found.name(1) == "worker 1 (b:2)"


TASK = {"type": "worker", "index": 0}


@pytest.mark.parametrize(
    "config",
    [
        [],
        {"cluster": {}},
        {"cluster": {"worker": ["a:1"]}, "task": TASK | {"type": "ps"}},
        {"cluster": {"worker": ["a:1"]}, "task": TASK | {"index": 1}},
        {"cluster": {"worker": ["a"]}, "task": TASK},
        {"cluster": {"worker": ["a:x"]}, "task": TASK},
        {"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": TASK},
    ],
)
def test_what_is_no_cluster_is_refused(monkeypatch, config):
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    with pytest.raises(ValueError, match="TF_CONFIG="):
        clusters.named_by_environment()
    monkeypatch.setenv("TF_CONFIG", "{")
    with pytest.raises(ValueError, match="TF_CONFIG={ is no cluster"):
        clusters.named_by_environment()


def test_without_a_cluster_what_to_set_is_said(monkeypatch):
    for name in ("TF_CONFIG", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="set TF_CONFIG, as in"):
        clusters.named_by_environment()


def test_slurm_names_a_cluster(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    for name, value in {
        "SLURM_PROCID": "1",
        "SLURM_LOCALID": "0",
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_NODELIST": "n[3-4]",
        "SLURM_STEP_TASKS_PER_NODE": "1(x2)",
    }.items():
        monkeypatch.setenv(name, value)
    found = clusters.named_by_environment()
    assert found == Cluster(("n3:8888", "n4:8888"), 1)
