"""What both APIs answer requests with."""

from typing import NamedTuple

from reptile_tf.serving.server.computing import Computing
from reptile_tf.serving.server.metrics import Metrics
from reptile_tf.serving.server.requests import Requests
from reptile_tf.serving.server.served_models import ServedModels


class Parts(NamedTuple):
    """What both APIs answer requests with.

    Attributes:
        models: what is served.
        computing: what computes.
        metrics: what is counted.
        timeout: seconds that a request may take, once it is received.
        requests: those that are under way.
    """

    models: ServedModels
    computing: Computing
    metrics: Metrics
    timeout: float
    requests: Requests
