"""What was asked, and how long it took, as Prometheus reads it.

The names are those of TF Serving, so that its dashboards show them.
"""

import bisect
import collections
import contextlib
import threading
import time
from collections.abc import Iterator

from reptile_tf.serving.server import failures
from reptile_tf.serving.server.served_models import ServedModels

_COUNT = ":tensorflow:serving:request_count"
_LATENCY = ":tensorflow:serving:request_latency"
_LOADED = ":tensorflow:serving:version_loaded"

# Bounds of the latency's classes, in microseconds, up to a minute and more.
_BOUNDS = [10 * 1.8**i for i in range(33)]


class Metrics:
    """Counts requests.

    Args:
        models: whose versions are told, too.
    """

    def __init__(self, models: ServedModels):
        self._models = models
        self._counts: collections.Counter[tuple[str, str]]
        self._counts = collections.Counter()
        self._latencies: dict[tuple[str, str], list[int]] = {}
        self._sums: collections.Counter[tuple[str, str]] = collections.Counter()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def request(self, model: str, entrypoint: str) -> Iterator[None]:
        """Counts the request that is answered in a block.

        Args:
            model: the name of one that is served.
            entrypoint: REST or GRPC.
        """
        start, status = time.perf_counter(), "OK"
        try:
            yield
        except BaseException as error:
            status = failures.of(error).name
            raise
        finally:
            taken = (time.perf_counter() - start) * 1e6
            with self._lock:
                self._counts[model, status] += 1
                key = model, entrypoint
                classes = self._latencies.setdefault(
                    key, [0] * (len(_BOUNDS) + 1)
                )
                classes[bisect.bisect_left(_BOUNDS, taken)] += 1
                self._sums[key] += round(taken)

    def text(self) -> str:
        """Returns all that was counted, in Prometheus's text format."""
        with self._lock:
            lines = [f"# TYPE {_COUNT} counter"]
            for (model, status), count in sorted(self._counts.items()):
                labels = _labels(model_name=model, status=status)
                lines.append(f"{_COUNT}{labels} {count}")
            lines.append(f"# TYPE {_LATENCY} histogram")
            for key, classes in sorted(self._latencies.items()):
                lines += _histogram(key, classes, self._sums[key])
        lines.append(f"# TYPE {_LOADED} gauge")
        for name, versions in self._models.all_states().items():
            for version in versions:
                labels = _labels(model_name=name, version=str(version.number))
                loaded = int(version.state == "AVAILABLE")
                lines.append(f"{_LOADED}{labels} {loaded}")
        return "\n".join(lines) + "\n"


def _histogram(key: tuple[str, str], classes: list[int], total: int) -> list:
    model, entrypoint = key
    about = {"model_name": model, "API": "Predict", "entrypoint": entrypoint}
    lines, count = [], 0
    for bound, more in zip([*_BOUNDS, None], classes, strict=True):
        count += more
        most = "+Inf" if bound is None else f"{bound:.6g}"
        lines.append(f"{_LATENCY}_bucket{_labels(**about, le=most)} {count}")
    lines.append(f"{_LATENCY}_sum{_labels(**about)} {total}")
    lines.append(f"{_LATENCY}_count{_labels(**about)} {count}")
    return lines


def _labels(**values: str) -> str:
    """Returns names and values as Prometheus writes them."""
    written = []
    for name, value in values.items():
        for plain, escaped in (("\\", r"\\"), ('"', r"\""), ("\n", r"\n")):
            value = value.replace(plain, escaped)
        written.append(f'{name}="{value}"')
    return "{" + ",".join(written) + "}"
