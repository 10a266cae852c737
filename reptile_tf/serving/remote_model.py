"""A model on a server, or what answers in its place."""

import contextlib
import http.client
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from reptile_tf.serving.server import json_codec, refusals, values

# Of an answer; ten million weights as JSON take less.
_MOST_BYTES = 1 << 28
# Until a server answers, and then until it has answered.
_PATIENCE = 600.0
_OF_A_PAGE = 60.0  # where somebody looks at a page
_FORM = "http://HOST:8501/v1/models/NAME"
_SHOWN = 100  # characters of what is no answer


class RemoteModel:
    """A model on a server.

    Args:
        url: such as http://localhost:8501/v1/models/NAME.

    Raises:
        ValueError: it cannot be reached, or has no such model, or is no server
            of models.
    """

    def __init__(self, url: str):
        self._url = url.rstrip("/")
        if not self._url.startswith(("http://", "https://")):
            raise ValueError(f"{url!r} is no URL of a model, such as {_FORM}")
        escaped = urllib.parse.quote(self._url, "%:/?#[]@!$&'()*+,;=~")
        if escaped != self._url:
            raise ValueError(
                f"model={url!r} must be a URL, without spaces and accents; "
                f"give {escaped}"
            )
        answer = self._ask(f"{self._url}/metadata")
        with described(url):
            known = answer["metadata"]["signature_def"]["signature_def"]
            self._dtypes = {
                name: {k: _dtype(v) for k, v in signature["outputs"].items()}
                for name, signature in known.items()
            }
        self._signatures: dict[str, dict] = known

    def metadata(self) -> dict[str, dict]:
        """Returns the signatures by name, as TF Serving tells them."""
        return self._signatures

    def predict(
        self, signature: str, inputs: Mapping[str, Any]
    ) -> dict[str, np.ndarray]:
        """Returns name -> array of the outputs.

        Args:
            signature: the name of the signature to ask.
            inputs: name -> value of each input.

        Raises:
            ValueError: the server refuses the inputs; holds its message.
        """
        body = {
            "signature_name": signature,
            "inputs": {
                k: values.to_json(k, values.as_array(k, v))
                for k, v in inputs.items()
            },
        }
        answer = self._ask(f"{self._url}:predict", body)
        with described(self._url):
            answer, dtypes = answer["outputs"], self._dtypes[signature]
            if len(dtypes) == 1:  # a single output comes unnamed
                answer = {name: answer for name in dtypes}
            return {
                name: values.to_array(name, answer[name], dtype)
                for name, dtype in dtypes.items()
            }

    def answer(self, body: bytes) -> tuple[int, bytes]:
        """Returns the status and the body of what a request is answered with.

        Args:
            body: of a request to `:predict`, in JSON.

        Raises:
            ValueError: the server does not answer.
        """
        return _answer(f"{self._url}:predict", body, _OF_A_PAGE)

    def _ask(self, url: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json_codec.dumps(body)
        status, content = _answer(url, data, _PATIENCE)
        if status != 200:
            known = "/v1/models/" in url
            hint = "" if known else f"; a model's URL is such as {_FORM}"
            raise ValueError(f"{url}: {_refusal(status, content)}{hint}")
        try:
            return json_codec.loads(content)
        except ValueError as error:
            raise _foreign(url, f"it answers {_shown(content)!r}") from error


def _why(error: Exception) -> str:
    """Returns why there is no answer, in words."""
    reason = getattr(error, "reason", error)  # as urllib wraps it
    if isinstance(reason, ConnectionRefusedError):
        return "no server answers there; is it running?"
    return getattr(reason, "strerror", None) or str(reason)


def _answer(url: str, data: bytes | None, patience: float) -> tuple[int, bytes]:
    """Returns the status and the body of an answer, also of a refusal."""
    try:
        with _opened(url, data, patience) as response:
            status, content = response.status, _content(response, patience)
            to = response.headers.get("Location", "")[:_SHOWN]
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ValueError(f"{url} cannot be asked: {_why(error)}") from error
    if 300 <= status < 400:
        raise ValueError(
            f"{url} sends on to {to!r}, which is not followed; give the "
            "URL that the model itself has"
        )
    return status, content


@contextlib.contextmanager
def described(model: str) -> Iterator[None]:
    """Says so where a model's description, or its answer, is of another kind.

    Args:
        model: names it.

    Raises:
        ValueError: what is looked for is not there, or not of its type.
    """
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        told = str(error) if type(error) is ValueError else repr(error)
        raise _foreign(model, told[:_SHOWN]) from error


def _foreign(model: str, why: str) -> ValueError:
    return ValueError(
        f"{model} is no model of TF Serving's REST API, exported by this "
        f"package: {why}; give a URL such as "
        "http://localhost:8501/v1/models/NAME"
    )


class _NotSentOn(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: no server of models makes one."""

    def redirect_request(self, *_: Any) -> None:
        """Leaves the answer as it is."""


def _opened(url: str, data: bytes | None, patience: float) -> Any:
    """Returns the answer, also if its status is one of errors."""
    opener = urllib.request.build_opener(_NotSentOn)
    try:
        return opener.open(url, data, timeout=patience)
    except urllib.error.HTTPError as error:
        return error


def _content(response: Any, patience: float) -> bytes:
    """Returns what a server answers, if that ends."""
    content, end = bytearray(), time.monotonic() + patience
    while part := response.read(1 << 16):
        content += part
        if len(content) > _MOST_BYTES:
            raise ValueError(
                f"its answer has more than {_MOST_BYTES:,} bytes, which are "
                "not read"
            )
        if time.monotonic() > end:
            raise TimeoutError(f"its answer takes more than {patience:.0f} s")
    if response.length:  # of what was announced
        raise http.client.IncompleteRead(bytes(content), response.length)
    return bytes(content)


def _refusal(status: int, content: bytes) -> str:
    """Returns why a server does not answer."""
    with contextlib.suppress(ValueError, LookupError, TypeError):
        told = json_codec.loads(content)["error"]
        if isinstance(told, str):
            return refusals.reason(told)
    shown = _shown(content)
    if not shown or shown.startswith("<"):
        return (
            f"it answers with status {status} and no reason, as TF Serving "
            "never does; give a URL such as "
            "http://localhost:8501/v1/models/NAME"
        )
    return shown


def _shown(content: bytes) -> str:
    """Returns the beginning of what a server said, on one line."""
    text = " ".join(content[: 10 * _SHOWN].decode(errors="replace").split())
    # A terminal would obey some of the others.
    return "".join(c if c.isprintable() else "?" for c in text[:_SHOWN])


def _dtype(info: Mapping[str, Any]) -> np.dtype:
    """Returns the dtype of the arrays of a signature's output."""
    number = types_pb2.DataType.Value(info["dtype"])
    return np.dtype(tf.as_dtype(number).as_numpy_dtype)
