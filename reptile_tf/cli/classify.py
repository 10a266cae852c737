r"""Adapts an exported model to pictures of your own, and classifies others.

Example:
    reptile-tf classify --model=saved_models/omniglot_5shot_5way \
        --support=examples/characters/support \
        --query=examples/characters/query
"""

from absl import flags

from reptile_tf.cli import flags as shared_flags

MODEL = shared_flags.define_model()
SUPPORT = flags.DEFINE_string(
    "support",
    None,
    "The pictures to learn from: a folder with a folder for each class.",
    required=True,
)
QUERY = flags.DEFINE_string(
    "query", None, "The folder of the pictures to classify.", required=True
)
STEPS = flags.DEFINE_integer(
    "steps", 50, "The inner steps that the model adapts with.", 0
)


def main() -> None:
    """Classifies, and prints a table."""
    from reptile_tf.data import image_files
    from reptile_tf.serving import client

    classes = image_files.find_classes(SUPPORT.value)
    queries = image_files.find(QUERY.value)
    model = client.connect(MODEL.value)
    answer = client.classify(model, classes, queries, STEPS.value)
    names = list(classes)
    shown = [str(path.relative_to(QUERY.value)) for path in queries]
    width = max(map(len, shown))
    columns = [max(len(name), 6) for name in names]
    head = "  ".join(f"{n:>{w}}" for n, w in zip(names, columns, strict=True))
    print(f"{'picture':{width}}  {head}  answer")
    for picture, row in zip(shown, answer, strict=True):
        cells = zip(row, columns, strict=True)
        numbers = "  ".join(f"{value:{w}.1%}" for value, w in cells)
        print(f"{picture:{width}}  {numbers}  {names[row.argmax()]}")
