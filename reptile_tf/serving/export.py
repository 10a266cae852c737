"""A learner as a SavedModel that adapts inside the server.

`FOLDER/VERSION` is what TF Serving loads. Its signatures, for a classifier:

| Signature | Inputs | Outputs |
|---|---|---|
| `adapt_and_predict` (the default) | `support_images`, `support_labels`, \
`query_images`, `steps` | `probabilities`, `labels` |
| `adapt_and_predict_transductive` | the same | the same |
| `adapt` | `support_images`, `support_labels`, `steps` | `weights` |
| `predict` | `weights`, `query_images` | `probabilities`, `labels` |
| `initialization` | none | `weights` |
| `limits` | none | `max_steps`, `max_examples`, `ways` |

TF Serving answers the two without inputs over gRPC, not over REST; what they
say is in `assets.extra/learner.json` too. The limits are also the `defaults` of
their signature, which REST's metadata show.

    support_images  float32 [S, ...] in the range that the model learned with
    support_labels  int32 [S], 0..N-1; classes that are absent get probability 0
    query_images    float32 [Q, ...]
    steps           int32 scalar, inner steps
    probabilities   float32 [Q, N]
    labels          int32 [Q], the most probable class
    weights         float32 [P], an adapted learner, for `predict`

`adapt_and_predict` and `predict` use the statistics of the support set, so that
queries do not influence one another; the transductive signature uses those of
the query set, the paper's "Reptile + Transduction". Signatures whose names end
in `_uint8` take raw uint8 images instead.

A regression model has `support_inputs`, `support_targets`, `query_inputs` and
`predictions` [Q, outputs] in their places.

`assets.extra/learner.json` says all this of the one model: the shapes, the
limits, and the names and shapes of the parts of `weights`.
"""

import json
import pathlib
import shutil
import tempfile
from typing import NamedTuple

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from reptile_tf.data.episodes import to_float
from reptile_tf.serving import graph_checks as requests
from reptile_tf.serving import warmup
from reptile_tf.serving.learner_graph import ServedLearner
from reptile_tf.training import task_checks as checks


class Signature(NamedTuple):
    """One thing that can be asked of a server.

    Attributes:
        function: the `tf.function`; it takes inputs of any shape.
        inputs: their `tf.TensorSpec`s, as clients are told.
    """

    function: tf.types.experimental.PolymorphicFunction
    inputs: list[tf.TensorSpec]


def export(
    learner, folder, *, uint8_images: bool, max_steps: int, max_examples: int
) -> pathlib.Path:
    """Writes a SavedModel; see `MetaLearner.export`."""
    checks.require_at_least(1, max_steps=max_steps, max_examples=max_examples)
    served = ServedLearner(learner)
    limits = {"max_steps": max_steps, "max_examples": max_examples}
    known = signatures(served, **limits)
    if uint8_images:
        raw = signatures(served, **limits, images=tf.uint8)
        known |= {f"{name}_uint8": value for name, value in raw.items()}
    known["initialization"] = _signature(
        lambda: {"weights": served.initialization()}
    )
    facts = limits | {"ways": served.outputs}
    known["limits"] = _signature(
        lambda: {name: tf.constant(fact) for name, fact in facts.items()}
    )
    traced = {
        name: signature.function.get_concrete_function()
        for name, signature in known.items()
    }
    known["serving_default"] = known["adapt_and_predict"]
    traced["serving_default"] = traced["adapt_and_predict"]
    module = tf.Module()
    module.variables_of_the_learner = served.variables
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    part = pathlib.Path(tempfile.mkdtemp(prefix=".part-", dir=folder))
    try:
        tf.saved_model.save(module, str(part), signatures=traced)
        _declare(part / "saved_model.pb", known, facts)
        extra = part / "assets.extra"
        extra.mkdir()
        (extra / "learner.json").write_text(
            json.dumps(_describe(learner, served, limits), indent=1) + "\n"
        )
        warmup.write(
            part / warmup.PLACE,
            folder.name,
            {name: signature.inputs for name, signature in known.items()},
        )
        part.chmod(0o755)
        return _publish(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def signatures(
    served: ServedLearner, max_steps: int, max_examples: int, images=tf.float32
) -> dict:
    """Returns name -> `Signature` of what takes examples."""
    kind, answer = (
        ("images", "labels") if served.classifier else ("inputs", "targets")
    )
    names = f"support_{kind}", f"support_{answer}", f"query_{kind}"
    support, target, query = names
    shape = list(served.input_shape)
    specs = {
        support: tf.TensorSpec([None, *shape], images, support),
        target: tf.TensorSpec([None], tf.int32, target)
        if served.classifier
        else tf.TensorSpec([None, served.outputs], tf.float32, target),
        query: tf.TensorSpec([None, *shape], images, query),
        "steps": tf.TensorSpec([], tf.int32, "steps"),
        "weights": tf.TensorSpec([served.size], tf.float32, "weights"),
    }

    def inputs_of(name, x):
        return to_float(requests.examples(x, shape, name, max_examples))

    def targets_of(y, x):
        if served.classifier:
            return requests.labels(
                y, x, served.outputs, (target, support), max_examples
            )
        y = requests.examples(y, [served.outputs], target, max_examples)
        return requests.same_number(y, x, (target, support))

    def support_set(given):
        x = inputs_of(support, given[support])
        y = targets_of(given[target], x)
        return x, y, requests.steps(given["steps"], max_steps)

    def adapt_and_predict(given, run):
        x, y, steps = support_set(given)
        query_x = inputs_of(query, given[query])
        return requests.finite_answers(run(x, y, query_x, steps))

    def adapt(given):
        weights = served.adapt(*support_set(given))
        return requests.finite_answers({"weights": weights})

    def predict(given):
        vector = requests.vector(given["weights"], served.size, "weights")
        answers = served.predict(vector, inputs_of(query, given[query]))
        return requests.finite_answers(answers)

    def signature(run, *wanted):
        return _signature(
            lambda *given: run(dict(zip(wanted, given, strict=True))),
            [specs[name] for name in wanted],
        )

    return {
        "adapt_and_predict": signature(
            lambda given: adapt_and_predict(given, served.adapt_and_predict),
            *(support, target, query, "steps"),
        ),
        "adapt_and_predict_transductive": signature(
            lambda given: adapt_and_predict(
                given, served.adapt_and_predict_transductive
            ),
            *(support, target, query, "steps"),
        ),
        "adapt": signature(adapt, support, target, "steps"),
        "predict": signature(predict, "weights", query),
    }


def _signature(run, inputs=()) -> Signature:
    # Of any shape: TensorFlow would take a declared shape for granted, and
    # optimize the checks of what really comes away.
    taken = [tf.TensorSpec(None, spec.dtype, spec.name) for spec in inputs]
    function = tf.function(run, input_signature=taken, autograph=False)
    return Signature(function, list(inputs))


def _declare(path: pathlib.Path, known: dict, facts: dict) -> None:
    """Tells clients the shapes and limits that the graph checks by itself."""
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    [graph] = model.meta_graphs
    for name, signature in known.items():
        declared = graph.signature_def[name].inputs
        for spec in signature.inputs:
            shape = declared[spec.name].tensor_shape
            shape.CopyFrom(spec.shape.as_proto())
    for name, fact in facts.items():
        value = tf.make_tensor_proto(fact, tf.int32)
        graph.signature_def["limits"].defaults[name].CopyFrom(value)
    path.write_bytes(model.SerializeToString())


def _describe(learner, served: ServedLearner, limits: dict) -> dict:
    parts, start = [], 0
    for name, shape in served.parts:
        parts.append({"name": name, "shape": list(shape), "start": start})
        start += tf.TensorShape(shape).num_elements()
    return {
        "model": learner.model.name,
        "input_shape": list(served.input_shape),
        "outputs": served.outputs,
        "classifier": served.classifier,
        "outer_iterations": learner.iteration,
        "steps": learner.eval_inner_steps,
        "inner_batch_size": learner.eval_inner_batch_size,
        **limits,
        "weights": {"size": served.size, "parts": parts},
    }


def _publish(part: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Gives a whole export the next number."""
    while True:
        versions = [int(p.name) for p in folder.iterdir() if p.name.isdigit()]
        target = folder / str(max(versions, default=0) + 1)
        try:
            return part.rename(target)
        except OSError:
            if not target.exists():  # no other export took the number
                raise
