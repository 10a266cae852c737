"""What both APIs answer requests with."""

from typing import NamedTuple

from reptile_tf.serving.server.computing import Computing
from reptile_tf.serving.server.metrics import Metrics
from reptile_tf.serving.server.served_models import ServedModels


class Parts(NamedTuple):
    """What both APIs answer requests with.

    Attributes:
        models: what is served.
        computing: what computes.
        metrics: what is counted.
        timeout: seconds that a request may take, once it is received.
        most_requests: of each API, that are under way at a time.
    """

    models: ServedModels
    computing: Computing
    metrics: Metrics
    timeout: float
    most_requests: int
