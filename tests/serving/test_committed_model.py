"""The exported model that the repository holds."""

import pathlib

import keras
import numpy as np
from exported import BareSession, close, without_python

from reptile_tf import MetaLearner
from reptile_tf.data import image_files
from reptile_tf.data.preparation import Preparation
from reptile_tf.data.sources import image_folder
from reptile_tf.experiments.trained import Trained
from reptile_tf.serving import client

ROOT = pathlib.Path(__file__).parents[2]


def test_the_model_in_the_repository(tmp_path):
    """Through every loader as its run's learner, and right about examples."""
    name = "omniglot_5shot_5way"
    folder = ROOT / "saved_models" / name / "1"
    learner = MetaLearner.load(ROOT / "results" / name / "learner.zip")
    examples = ROOT / "examples" / "characters"
    classes = image_folder.support_classes(examples / "support")
    queries = image_files.find(examples / "query")
    prepared = Trained.open(folder.parent).preparation
    assert prepared == Preparation(28, 28, 1, "nearest", "dark")
    x = image_files.load([p for ps in classes.values() for p in ps], prepared)
    y = np.repeat(np.arange(5, dtype=np.int32), [*map(len, classes.values())])
    query_x = image_files.load(queries, prepared)
    adapted = learner.adapt(x / np.float32(255), y, steps=50)
    found = keras.ops.softmax(adapted(query_x / np.float32(255))).numpy()
    answers = [list(classes)[label] for label in found.argmax(1)]
    assert answers == [path.name.split("-")[0] for path in queries]

    given = {
        "support_images": x,
        "support_labels": y,
        "query_images": query_x,
        "steps": np.int32(50),
    }
    asked = "adapt_and_predict_uint8", given
    bare = BareSession(folder)
    for answer in (
        client.LocalModel(folder).predict(*asked),
        bare(asked[0], **given),
        without_python(folder, bare, *asked, tmp_path),
    ):
        # Its steps are rounded otherwise, and there are fifty of them.
        close(answer["probabilities"], found, atol=1e-3)
    # It holds its learner, and tells clients how it saw pictures.
    told = Trained.open(folder).learner
    assert told.iteration == learner.iteration
    np.testing.assert_array_equal(
        told.functional.phi(), learner.functional.phi()
    )
    defaults = client.LocalModel(folder).metadata()["limits"]["defaults"]
    assert "pictures" in defaults
