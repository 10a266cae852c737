r"""Learns the classes of a few pictures of yours; writes a model of them.

Example:
    reptile-tf adapt --model=saved_models/omniglot_5shot_5way \
        --support=folder:examples/characters/support --output=mine.keras
    reptile-tf classify --model=mine.keras examples/characters/query/*.png

The model is a trained one: a run folder, or a folder that export wrote. The
support set is a folder with a folder of pictures for each class, of which
there may be fewer or more than the model was trained with. The file is an
ordinary Keras model that takes pixels and returns probabilities; it also holds
the names of the classes, and how pictures are prepared, so that classify needs
nothing else. With --output=mine.tflite or --output=mine.onnx it is a file of
TFLite or ONNX, for other programs. How good the model is on your pictures is
measured by leaving some of them out in turn.
"""

import os
import pathlib
import shlex

from absl import flags

from reptile_tf.cli import flags as shared_flags
from reptile_tf.utils import paths
from reptile_tf.utils.validation import require_writable

MODEL = shared_flags.define_path(
    "model",
    None,
    "The trained model: a run folder that train wrote, or a folder that export "
    "wrote.",
    required=True,
)
SUPPORT = shared_flags.define_path(
    "support",
    None,
    "The pictures to learn from: folder:PATH, a folder with a folder for each "
    "class.",
    paths.of_pictures,
    required=True,
)
OUTPUT = shared_flags.define_path(
    "output",
    None,
    "The file to write, which ends in .keras, .tflite or .onnx.",
    required=True,
)
STEPS = flags.DEFINE_integer(
    "steps",
    None,
    "The inner steps that the model adapts with; as many as in the model's "
    "evaluation if not given.",
    0,
)
SEED = shared_flags.define_seed("the mini-batches and of what is left out")
shared_flags.define_folder_settings()


def main() -> None:
    """Adapts, measures, and writes the model."""
    import numpy as np

    from reptile_tf.data.images import to_inputs
    from reptile_tf.data.sources import image_folder
    from reptile_tf.experiments.trained import Trained
    from reptile_tf.models import formats
    from reptile_tf.training import cross_validation, picture_classifier, ways
    from reptile_tf.training.outputs import Outputs

    format = formats.format_of(OUTPUT.value)
    if format is None:
        raise ValueError(
            f"output={OUTPUT.value} must end in .keras, .tflite or .onnx, as "
            "the files of Keras, TFLite and ONNX do"
        )
    formats.require_packages(format)
    if os.path.isdir(OUTPUT.value):
        raise ValueError(f"output={OUTPUT.value} is a folder; name a file")
    require_writable(output=pathlib.Path(OUTPUT.value).parent)
    trained = Trained.open(MODEL.value)
    pictures, labels, names = image_folder.load_all(
        SUPPORT.value, trained.preparation, **shared_flags.folder_settings()
    )
    examples = to_inputs(pictures, pictures=True).numpy()
    learner = ways.with_ways(trained.learner, len(names))
    print(
        f"Adapting to {len(labels)} pictures of {len(names)} classes: "
        f"{', '.join(names)}"
    )
    found = cross_validation.leave_out(
        learner, examples, labels, STEPS.value, SEED.value
    )
    if found is None:
        print(
            "A class has a single picture, which cannot be left out: how good "
            "the model is cannot be told from these pictures."
        )
    else:
        share, folds = found
        print(f"support accuracy on pictures left out, {folds} folds: {share}")
        # Who always names the largest class is right about its pictures.
        guessed = np.bincount(labels).max() / len(labels)
        if share.interval()[0] <= guessed:
            print(
                f"These are too few pictures to tell this from guessing "
                f"({guessed:.1%})."
            )
    adapted = learner.adapt(
        examples, labels, steps=STEPS.value, seed=SEED.value
    )
    picture_classifier.of_adapted(
        adapted, names, trained.preparation, Outputs.of(learner.loss).logits
    ).save(OUTPUT.value)
    if format == "keras":
        print(f"Wrote {OUTPUT.value}; classify pictures with it by")
        model = shlex.quote(OUTPUT.value)
        print(f"  reptile-tf classify --model={model} PICTURE...")
    else:
        print(f"Wrote {OUTPUT.value}, for programs that read such files")
