"""TF Serving's gRPC API: Predict, GetModelMetadata and GetModelStatus."""

import asyncio
import math
import resource
import socket
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from reptile_tf.serving.server import json_codec, request_body
from reptile_tf.serving.server.computing import within
from reptile_tf.serving.server.crowd import Crowd
from reptile_tf.serving.server.grpc_calls import Calls
from reptile_tf.serving.server.grpc_door import Door
from reptile_tf.serving.server.parts import Parts
from reptile_tf.serving.server.saved_models import SavedModel
from reptile_tf.utils.extras import extra

with extra("serve"):
    import grpc
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_pb2,
        predict_pb2,
    )

_STREAMS = 32  # of a connection, at a time
_IDLE_MS = 75_000  # that a connection may have no stream
_AGE_MS = 600_000  # after which a client connects anew, by itself
_CONNECTIONS = 200

_STATES = get_model_status_pb2.ModelVersionStatus.State


class GrpcServer:
    """Answers over gRPC.

    Args:
        parts: what requests are answered with.
        max_bytes: longest request.
        client_timeout: seconds that a client may take to send a request, and to
            read the answer.
        most: connections at a time; if None, an eighth of the files that the
            process may open, and no more than two hundred.
    """

    def __init__(
        self,
        parts: Parts,
        max_bytes: int,
        client_timeout: float,
        most: int | None,
    ):
        self._parts = parts
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        crowd = Crowd(
            most or min(_CONNECTIONS, max(1, files // 8)),
            request_body.LONG_BODIES * max_bytes,
        )
        self._door = Door(client_timeout, crowd)
        patience_ms = round(1000 * (parts.timeout + 2 * client_timeout))
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", max_bytes),
                ("grpc.max_send_message_length", -1),
                # A message that is packed becomes long when it is read.
                ("grpc.per_message_decompression", 0),
                ("grpc.max_concurrent_streams", _STREAMS),
                ("grpc.max_connection_idle_ms", _IDLE_MS),
                ("grpc.max_connection_age_ms", _AGE_MS),
                ("grpc.max_connection_age_grace_ms", patience_ms),
                ("grpc.server_handshake_timeout_ms", patience_ms),
            ],
        )
        services = _Services(parts, max_bytes)
        calls = Calls(self._door, parts.models, max_bytes, client_timeout)
        for service, methods in services.methods().items():
            handlers = {
                method.__name__: calls.handler(method, kind)
                for method, kind in methods.items()
            }
            self._server.add_registered_method_handlers(service, handlers)
        self._server.add_insecure_port(self._door.address)

    async def start(self, place: socket.socket) -> None:
        """Begins to answer clients who come to a socket."""
        await self._server.start()
        await self._door.open(place)

    async def stop(self) -> None:
        """Ends when all that is being computed has been answered."""
        self._door.shut()
        await self._server.stop(self._parts.timeout)
        await self._door.close()


class _Services:
    """What answers: a method for each kind of request, named as TF Serving's.

    Args:
        parts: what requests are answered with.
        max_bytes: longest request.
    """

    def __init__(self, parts: Parts, max_bytes: int):
        self._parts, self._max_bytes = parts, max_bytes

    def methods(self) -> dict[str, dict[Any, Any]]:
        """Returns service -> method -> the class of its requests."""
        return {
            "tensorflow.serving.PredictionService": {
                self.Predict: predict_pb2.PredictRequest,
                self.GetModelMetadata: (
                    get_model_metadata_pb2.GetModelMetadataRequest
                ),
            },
            "tensorflow.serving.ModelService": {
                self.GetModelStatus: get_model_status_pb2.GetModelStatusRequest
            },
        }

    async def Predict(  # noqa: D102
        self, request: predict_pb2.PredictRequest
    ) -> predict_pb2.PredictResponse:
        model = self._asked(request.model_spec)
        with self._parts.metrics.request(request.model_spec.name, "GRPC"):
            # It is cancelled when the client goes, or its deadline passes.
            with self._parts.requests.one_more():
                return await within(
                    self._parts.timeout, self._predict(request, model)
                )

    async def GetModelMetadata(  # noqa: D102
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        model = self._asked(request.model_spec)
        unknown = set(request.metadata_field) - {"signature_def"}
        if unknown or not request.metadata_field:
            raise ValueError(
                "metadata_field must be signature_def; received "
                f"{', '.join(sorted(unknown))[:100] or 'none'}"
            )
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, definition in model.signatures.items():
            signatures.signature_def[name].CopyFrom(definition)
        answer = get_model_metadata_pb2.GetModelMetadataResponse()
        answer.model_spec.CopyFrom(_spec(request.model_spec, model))
        answer.metadata["signature_def"].Pack(signatures)
        return answer

    async def GetModelStatus(  # noqa: D102
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        answer = get_model_status_pb2.GetModelStatusResponse()
        spec = request.model_spec
        for version in self._parts.models.versions(spec.name, *_which(spec)):
            told = answer.model_version_status.add()
            told.version = version.number
            told.state = _STATES.Value(version.state)
            told.status.error_code = version.error_code
            told.status.error_message = version.error_message
        return answer

    async def _predict(
        self, request: predict_pb2.PredictRequest, model: SavedModel
    ) -> predict_pb2.PredictResponse:
        signature = json_codec.signature_name(
            request.model_spec.signature_name, model.signatures
        )
        dtypes = model.dtypes[signature]
        json_codec.require_inputs(request.inputs, dtypes, "the request")
        most = model.most_numbers or self._max_bytes // 8
        _require_sizes(request.inputs, most)
        inputs = await asyncio.to_thread(_arrays, request.inputs, dtypes)
        outputs = await self._parts.computing.predict(model, signature, inputs)
        answer = predict_pb2.PredictResponse()
        answer.model_spec.CopyFrom(_spec(request.model_spec, model))
        answer.model_spec.signature_name = signature
        for name, value in _filtered(outputs, request.output_filter).items():
            answer.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return answer

    def _asked(self, spec: model_pb2.ModelSpec) -> SavedModel:
        return self._parts.models.get(spec.name, *_which(spec))


def _which(spec: model_pb2.ModelSpec) -> tuple[int | None, str | None]:
    """Returns the version or the label that is asked for."""
    number = spec.version.value if spec.HasField("version") else None
    return number, spec.version_label or None


def _spec(asked: model_pb2.ModelSpec, model: SavedModel) -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=asked.name)
    spec.version.value = model.version
    return spec


def _require_sizes(inputs: Mapping[str, Any], most: int) -> None:
    """Refuses tensors that are larger together than requests may be.

    One number of a tensor stands for any number of equal ones.
    """
    count = 0
    for name, tensor in inputs.items():
        sizes = [dim.size for dim in tensor.tensor_shape.dim]
        lists = (v for f, v in tensor.ListFields() if f.is_repeated)
        count += max(math.prod(sizes), *map(len, lists), 0)
        if min(sizes, default=0) < 0 or count > most:
            raise ValueError(
                f"{name} is too large: a request has at most {most} numbers; "
                f"received shape {sizes}"[:300]
            )


def _arrays(
    inputs: Mapping[str, Any], dtypes: Mapping[str, np.dtype]
) -> dict[str, np.ndarray]:
    """Returns the arrays that tensors are."""
    arrays = {}
    for name, tensor in inputs.items():
        try:
            received = np.dtype(tf.as_dtype(tensor.dtype).as_numpy_dtype)
            arrays[name] = tf.make_ndarray(tensor)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} is no tensor: {error}") from error
        if received != dtypes[name]:
            raise ValueError(
                f"{name} must be of type {dtypes[name]}; received {received}"
            )
    return arrays


def _filtered(
    outputs: Mapping[str, np.ndarray], names: Any
) -> Mapping[str, np.ndarray]:
    """Returns the outputs that were asked for; all if none was."""
    for name in names:
        if name not in outputs:
            raise ValueError(
                f"output_filter must be of {', '.join(sorted(outputs))}; "
                f"received {name[:100]}"
            )
    return {name: outputs[name] for name in names} if names else outputs
