"""Writing a learner as a SavedModel that adapts inside the server.

FOLDER/VERSION is what TF Serving loads. What it can be asked, and what comes
back, is described in `reptile_tf.serving.signatures`; and, of the one model, in
its `assets.extra/learner.json`: the shapes, the limits, and the names and
shapes of the parts of `weights`.
"""

import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from reptile_tf.data.preparation import Preparation
from reptile_tf.serving import warmup
from reptile_tf.serving.learner_graph import ServedLearner
from reptile_tf.serving.signatures import Limits, Signature, make_signatures
from reptile_tf.training.learner import MetaLearner
from reptile_tf.utils.files import write_json
from reptile_tf.utils.paths import local
from reptile_tf.utils.validation import require_at_least


def export(
    learner: MetaLearner,
    folder: str | os.PathLike,
    *,
    uint8_images: bool,
    pictures: Preparation | None,
    class_names: Sequence[str],
    max_steps: int,
    max_examples: int,
) -> pathlib.Path:
    """Writes a SavedModel; see `MetaLearner.export`."""
    folder = local("folder", folder)
    require_at_least(1, max_steps=max_steps, max_examples=max_examples)
    served = ServedLearner(learner)
    ways = served.model.outputs[0].size
    limits = Limits(max_steps, max_examples, ways)
    signatures = make_signatures(
        served, limits, uint8_images, pictures is not None
    )
    # Traced before anything is written, so that a refusal leaves no folder.
    functions = {
        name: signature.function.get_concrete_function()
        for name, signature in signatures.items()
    }
    module = tf.Module()
    module.variables_of_the_learner = served.kept
    # By attributes, too, as `keras.layers.TFSMLayer` calls what it loads.
    for name, signature in signatures.items():
        if signature.inputs:
            setattr(module, name, _of_a_dict(functions[name], signature.inputs))
    folder.mkdir(parents=True, exist_ok=True)
    part = pathlib.Path(tempfile.mkdtemp(prefix=".part-", dir=folder))
    try:
        tf.saved_model.save(module, str(part), signatures=functions)
        _declare(part / "saved_model.pb", signatures, limits, pictures)
        description = _describe(learner, served, limits)
        description["pictures"] = pictures and pictures.as_dict()
        description["trained_on"] = list(class_names)
        extra = part / "assets.extra"
        extra.mkdir()
        try:
            learner.save(extra / "learner.zip")
        except ValueError as error:
            # What no file can hold, such as a lambda, the graph holds.
            description["no_learner"] = str(error)
        write_json(extra / "learner.json", description)
        warmup.write(
            part / warmup.PLACE,
            folder.name,
            {name: signature.inputs for name, signature in signatures.items()},
            served.model.closed_shapes(),
            functions,
        )
        part.chmod(0o755)
        return _publish(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _of_a_dict(
    function: Any, inputs: Sequence[tf.TensorSpec]
) -> tf.types.experimental.PolymorphicFunction:
    """Returns a signature as a function of one dict of its inputs.

    Args:
        function: that the signature is, traced.
        inputs: of the signature.
    """
    taken = {x.name: tf.TensorSpec(None, x.dtype, x.name) for x in inputs}
    return tf.function(
        lambda given: function(*(given[x.name] for x in inputs)),
        input_signature=[taken],
        autograph=False,
    )


def _declare(
    path: pathlib.Path,
    signatures: Mapping[str, Signature],
    limits: Limits,
    pictures: Preparation | None,
) -> None:
    """Tells clients what the graph checks by itself, and of pictures."""
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    [graph] = model.meta_graphs
    for name, signature in signatures.items():
        declared = graph.signature_def[name].inputs
        for spec in signature.inputs:
            shape = declared[spec.name].tensor_shape
            shape.CopyFrom(spec.shape.as_proto())
    for name, limit in limits._asdict().items():
        value = tf.make_tensor_proto(limit, tf.int32)
        graph.signature_def["limits"].defaults[name].CopyFrom(value)
    if pictures is not None:
        value = tf.make_tensor_proto(json.dumps(pictures.as_dict()))
        graph.signature_def["limits"].defaults["pictures"].CopyFrom(value)
    path.write_bytes(model.SerializeToString())


def _describe(
    learner: MetaLearner, served: ServedLearner, limits: Limits
) -> dict:
    """Returns what `assets.extra/learner.json` says of a model."""
    parts, start = [], 0
    for name, shape in served.parts:
        parts.append({"name": name, "shape": list(shape), "start": start})
        start += tf.TensorShape(shape).num_elements()
    return {
        "model": learner.model.name,
        "inputs": [
            {"name": x.name, "dtype": x.dtype.name, "shape": list(x.shape)}
            for x in served.model.inputs
        ],
        # Of the first, which is the only one of most models.
        "input_shape": list(served.model.inputs[0].shape),
        "outputs": served.model.outputs[0].size,
        "classifier": served.model.outputs[0].classifier,
        "outer_iterations": learner.iteration,
        "steps": learner.settings.eval_inner_steps,
        "inner_batch_size": learner.settings.eval_inner_batch_size,
        "max_steps": limits.max_steps,
        "max_examples": limits.max_examples,
        "weights": {"size": served.size, "parts": parts},
    }


def _publish(part: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Gives a whole export the next number; returns its folder."""
    while True:
        versions = [int(p.name) for p in folder.iterdir() if p.name.isdigit()]
        version = folder / str(max(versions, default=0) + 1)
        try:
            return part.rename(version)
        except OSError:
            if not version.exists():  # no other export took the number
                raise
