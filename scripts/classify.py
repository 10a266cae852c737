r"""Adapts an exported model to pictures of your own, and classifies others.

Example:
    python scripts/classify.py --model=saved_models/omniglot_5shot_5way \
        --support=examples/characters/support \
        --query=examples/characters/query

SUPPORT holds a folder for each class, with a few pictures in each; QUERY holds
pictures to classify. MODEL is a folder that scripts/export.py wrote, or a
server's http://HOST:8501/v1/models/NAME.
"""

from absl import flags

from reptile_tf.cli import flags as command_line
from reptile_tf.data import image_files as pictures
from reptile_tf.serving import client

MODEL = flags.DEFINE_string("model", None, "Folder or URL of the model.")
SUPPORT = flags.DEFINE_string("support", None, "Folder of class folders.")
QUERY = flags.DEFINE_string("query", None, "Folder of pictures to classify.")
STEPS = flags.DEFINE_integer("steps", 50, "Inner steps.", 0)
flags.mark_flags_as_required(["model", "support", "query"])
command_line.define_thread_flags()


def main(_):
    command_line.configure_threads()
    classes = pictures.find_classes(SUPPORT.value)
    queries = pictures.find(QUERY.value)
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


if __name__ == "__main__":
    command_line.run(main)
