"""Keras models as files for other programs: Keras's own, TFLite and ONNX."""

import json
import logging
import os
import pathlib
import textwrap
import zipfile
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from reptile_tf.models import keras_internals, tflite
from reptile_tf.utils.extras import extra
from reptile_tf.utils.files import whole_file
from reptile_tf.utils.paths import local

# What a file of each format ends in.
ENDINGS = {"keras": ".keras", "tflite": ".tflite", "onnx": ".onnx"}


def format_of(path: str | os.PathLike) -> str | None:
    """Returns the format that a file's name ends in, or None.

    Args:
        path: of the file.
    """
    suffix = pathlib.PurePath(path).suffix
    return next((f for f, ending in ENDINGS.items() if ending == suffix), None)


def require_packages(format: str) -> None:
    """Refuses a format of which the packages are not installed.

    Args:
        format: one of `ENDINGS`.

    Raises:
        ModuleNotFoundError: names the package and what installs it.
    """
    if format == "onnx":
        _onnx_packages()


def write(
    model: keras.Model,
    path: str | os.PathLike,
    about: Mapping[str, Any] | None = None,
    entry: str = "",
) -> None:
    """Writes a model in the format of the path's ending, whole or not at all.

    The files of TFLite and ONNX compute what the model's `predict` does, for
    any number of examples at once. Their inputs and outputs have the names of
    the model's, or are `inputs` and `outputs` where it has one.

    Args:
        model: any built Keras model.
        path: of the file, which ends in one of `ENDINGS`.
        about: what to tell of the model; in an ONNX file each key is one of
            its metadata, in the others all are one JSON file in a ZIP archive,
            which the file of TFLite has at its end.
        entry: the name of that JSON file.

    Raises:
        ValueError: the format cannot hold the model; says why.
    """
    path = local("path", path)
    if path.suffix == ".onnx":
        content = _as_onnx(model, about or {})
    elif path.suffix == ".tflite":
        function = as_function(model).get_concrete_function()
        kept = [v.value for v in model.variables]
        content = tflite.converted(
            *(function, "serving_default", f"model {model.name!r}"),
            kept + keras_internals.tables(model),
        )
    with whole_file(path) as part:
        if path.suffix == ".keras":
            model.save(part)
        else:
            part.write_bytes(content)
        if about and path.suffix != ".onnx":
            with zipfile.ZipFile(part, "a") as archive:
                archive.writestr(entry, json.dumps(about, indent=1))


def as_function(
    model: keras.Model,
) -> tf.types.experimental.PolymorphicFunction:
    """Returns a model in inference as a function to a dict of its outputs.

    Args:
        model: any built Keras model.

    Raises:
        ValueError: it does not say what inputs it takes.
    """
    x = keras_internals.inputs_of(model)
    if x is None:
        raise ValueError(
            f"model {model.name!r} does not say what inputs it takes; only "
            "functional and sequential models can be written as TFLite or "
            "ONNX; Keras's own format holds it"
        )
    leaves = tf.nest.flatten(x)
    own = leaves[0].name
    only = "inputs" if keras_internals.is_counted(own) else own
    specs = [
        tf.TensorSpec([None, *leaf.shape[1:]], leaf.dtype, name)
        for leaf, name in zip(
            leaves, keras_internals.input_names(model, only), strict=True
        )
    ]
    names = keras_internals.output_names(model, "outputs")
    mode = keras_internals.in_mode(model, training=False)

    def answer(*given: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = model(tf.nest.pack_sequence_as(x, given), **mode)
        return dict(zip(names, tf.nest.flatten(outputs), strict=True))

    return tf.function(answer, input_signature=specs, autograph=False)


def _onnx_packages() -> tuple[ModuleType, ModuleType]:
    with extra("formats"):
        import onnx
        import tf2onnx
    return onnx, tf2onnx


def _as_onnx(model: keras.Model, about: Mapping[str, Any]) -> bytes:
    onnx, tf2onnx = _onnx_packages()
    function = as_function(model).get_concrete_function()
    names = sorted(function.structured_outputs)
    # By ourselves: tf2onnx takes tensors that a layer keeps for inputs.
    frozen = convert_variables_to_constants_v2(
        function, lower_control_flow=False
    )
    inputs, outputs = (
        [t.name for t in x] for x in (frozen.inputs, frozen.outputs)
    )
    renamed = {name: name.removesuffix(":0") for name in inputs}
    renamed |= dict(zip(outputs, names, strict=True))
    told = logging.getLogger("tf2onnx")
    level = told.level
    told.setLevel(logging.CRITICAL)  # the checker says it shortly
    try:
        made, _ = tf2onnx.convert.from_graph_def(
            frozen.graph.as_graph_def(add_shapes=True),
            input_names=inputs,
            output_names=outputs,
            tensors_to_rename=renamed,
        )
        # Operations that ONNX has not are handed on as if it had them.
        onnx.checker.check_model(made, full_check=True)
    # Whatever it raises, what it made is no ONNX.
    except Exception as error:
        raise ValueError(
            f"model {model.name!r} cannot be written as ONNX: "
            + textwrap.shorten(str(error), 300, placeholder=" ...")
        ) from error
    finally:
        told.setLevel(level)
    for tensor in (*made.graph.input, *made.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "examples"
    for key, value in about.items():
        made.metadata_props.add(key=key, value=json.dumps(value))
    return made.SerializeToString()
