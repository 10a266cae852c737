"""A toy classifier and a toy regression model, exported and served."""

import http.client
import json
import shutil

import keras
import pytest
import running
import tensorflow as tf
from exported import MAX_EXAMPLES, MAX_STEPS, WAYS, BareSession
from rest_requests import MAX_BODY_BYTES
from toys import Constants, dense, regression

from reptile_tf import Adam, Episodes, MetaLearner, models


@pytest.fixture(scope="session")
def learner(classes):
    """The toy classifier."""
    model = dense(
        keras.layers.Conv2D(4, 3), models.BatchNormalization(), ways=WAYS
    )
    learner = MetaLearner(
        model, inner_optimizer=Adam(0.01), inner_steps=3, inner_batch_size=4
    )
    learner.fit(Episodes(classes, WAYS, shots=2), 3, verbose=0)
    return learner


@pytest.fixture(scope="session")
def folder(learner, tmp_path_factory):
    """The toy classifier's export."""
    return learner.export(
        tmp_path_factory.mktemp("models") / "toy",
        uint8_images=True,
        max_steps=MAX_STEPS,
        max_examples=MAX_EXAMPLES,
    )


@pytest.fixture(scope="session")
def served(folder):
    """The toy classifier in a bare session."""
    return BareSession(folder)


@pytest.fixture(scope="session")
def task(classes):
    """A task for the toy classifier."""
    return Episodes(classes, WAYS, shots=3, query_shots=2, seed=5).sample(
        tf.constant(0, tf.int64)
    )


@pytest.fixture(scope="session")
def line_learner():
    """The toy regression model, which the server serves as `line`."""
    learner = regression(inner_steps=2)
    learner.fit(Constants(*range(5)), 1, verbose=0)
    return learner


@pytest.fixture(scope="session")
def line_folder(line_learner, tmp_path_factory):
    """The toy regression model's export."""
    return line_learner.export(tmp_path_factory.mktemp("models") / "line")


@pytest.fixture(scope="module")
def base(line_folder, tmp_path_factory):
    """A folder of models, and beside it a file that no request may reach."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copytree(line_folder, folder / "models" / "line" / "1")
    (folder / "secret" / "1").mkdir(parents=True)
    (folder / "secret" / "1" / "saved_model.pb").write_text("secret")
    return folder / "models"


@pytest.fixture(scope="module")
def served_models(base):
    """What the server serves, which a test may have look for new versions."""
    return running.load(base)


@pytest.fixture(scope="module")
def port(served_models):
    """The port of a server of the folder."""
    with running.serving(
        served_models, max_body_bytes=MAX_BODY_BYTES, client_timeout=0.5
    ) as port:
        yield port


@pytest.fixture
def ask(port):
    """Sends a request; returns (status, JSON answer)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(method, path, body=None):
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    yield ask
    connection.close()
