"""Adapts an exported model to pictures of your own, and classifies others.

Example:
    python scripts/classify.py --model=saved_models/omniglot_5shot_5way \
        --support=examples/characters/support \
        --query=examples/characters/query

SUPPORT holds a folder for each class, with a few pictures in each; QUERY holds
pictures to classify. MODEL is a folder that scripts/export.py wrote, or a
server's http://HOST:8501/v1/models/NAME.
"""

import pathlib

import numpy as np
from absl import flags

from reptile_tf import command_line
from reptile_tf.data import pictures
from reptile_tf.serving import client

MODEL = flags.DEFINE_string("model", None, "Folder or URL of the model.")
SUPPORT = flags.DEFINE_string("support", None, "Folder of class folders.")
QUERY = flags.DEFINE_string("query", None, "Folder of pictures to classify.")
STEPS = flags.DEFINE_integer("steps", 50, "Inner steps.", 0)
flags.mark_flags_as_required(["model", "support", "query"])
command_line.define_thread_flags()

SIGNATURE = "adapt_and_predict_uint8"


def main(_):
    command_line.configure_threads()
    classes = pictures.find_classes(SUPPORT.value)
    queries = pictures.find(QUERY.value)
    model = client.connect(MODEL.value)
    signature = model.metadata().get(SIGNATURE)
    if signature is None:
        raise ValueError(f"model={MODEL.value} does not classify pictures")
    dims = signature["inputs"]["query_images"]["tensor_shape"]["dim"]
    shape = [int(dim["size"]) for dim in dims[1:]]
    outputs = signature["outputs"]["probabilities"]["tensor_shape"]["dim"]
    ways = int(outputs[1]["size"])
    if len(classes) > ways:
        raise ValueError(
            f"support={SUPPORT.value} has {len(classes)} classes; the model "
            f"tells {ways} apart at most"
        )
    labels = [i for i, paths in enumerate(classes.values()) for _ in paths]
    answer = model.predict(
        SIGNATURE,
        {
            "support_images": pictures.load(
                [path for paths in classes.values() for path in paths], *shape
            ),
            "support_labels": np.array(labels, np.int32),
            "query_images": pictures.load(queries, *shape),
            "steps": np.int32(STEPS.value),
        },
    )
    names = list(classes)
    width = max(len(str(p.relative_to(QUERY.value))) for p in queries)
    columns = [max(len(name), 6) for name in names]
    head = "  ".join(f"{n:>{w}}" for n, w in zip(names, columns, strict=True))
    print(f"{'picture':{width}}  {head}  answer")
    for path, row, label in zip(
        queries, answer["probabilities"], answer["labels"], strict=True
    ):
        cells = zip(row[: len(names)], columns, strict=True)
        numbers = "  ".join(f"{value:{w}.1%}" for value, w in cells)
        name = str(pathlib.Path(path).relative_to(QUERY.value))
        print(f"{name:{width}}  {numbers}  {names[label]}")


if __name__ == "__main__":
    command_line.run(main)
