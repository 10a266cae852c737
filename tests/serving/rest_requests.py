"""Requests to the server of the tests' `line`, a regression model."""

MAX_BODY_BYTES = 20_000


GIVEN = {
    "support_inputs": [[1.0]],
    "support_targets": [[6.0]],
    "query_inputs": [[1.0], [2.0]],
    "steps": 3,
}


def predict(ask, inputs=GIVEN, model="line", **body):
    path = f"/v1/models/{model}:predict"
    return ask("POST", path, {"inputs": inputs, **body})
