"""Save, load, go on; and files that are damaged."""

import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from toys import Constants, dense, one_weight, regression, snapshot, weight

from reptile_tf import (
    SGD,
    Adam,
    Checkpoint,
    Episodes,
    MetaLearner,
    linear_decay,
)
from reptile_tf.models import BatchNormalization
from reptile_tf.training import checkpoints
from reptile_tf.training.saving import DamagedFileError
from reptile_tf.utils.files import whole_file

TOTAL = 4


def learner():
    """Everything there is to forget: Adam inside and outside, noise."""
    return MetaLearner(
        dense(BatchNormalization(), keras.layers.Dropout(0.3)),
        inner_optimizer=Adam(1e-2, 0.5),
        inner_steps=2,
        inner_batch_size=4,
        meta_batch_size=2,
        meta_optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.PolynomialDecay(0.05, TOTAL, 0.0)
        ),
    )


def assert_same(a, b):
    for one, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def tasks(classes):
    return Episodes(classes, ways=3, shots=2)


@pytest.fixture(scope="module")
def never_stopped(tasks):
    one = learner()
    one.fit(tasks, TOTAL, verbose=0)
    return snapshot(one)


def test_a_run_stopped_by_a_signal_ends_like_one_never_stopped(
    tasks, never_stopped, tmp_path
):
    def terminate(batch, logs):
        if batch == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    stopped = learner()
    with Checkpoint(stopped, tmp_path, every=100) as checkpoint:
        stopped.fit(
            tasks,
            TOTAL,
            callbacks=[
                keras.callbacks.LambdaCallback(on_train_batch_begin=terminate),
                checkpoint,
            ],
            verbose=0,
        )
    assert checkpoint.signal == signal.SIGTERM
    assert stopped.iteration == 2  # the iteration under way was finished
    assert signal.getsignal(signal.SIGTERM) is before
    resumed = checkpoints.newest(tmp_path)
    assert resumed.iteration == 2
    assert_same(snapshot(resumed), snapshot(stopped))
    resumed.fit(tasks, TOTAL, verbose=0)
    assert_same(snapshot(resumed), never_stopped)


@pytest.mark.parametrize(
    "inner, meta",
    [
        (SGD(0.1), linear_decay(0.5, 9)),
        (Adam(0.1), keras.optimizers.SGD(0.5, momentum=0.9)),
        (Adam(0.1, 0.9, 0.99, 1e-3), keras.optimizers.Adam(0.5)),
    ],
)
@pytest.mark.parametrize("mode", ["serial", "parallel"])
def test_optimizers_and_modes_survive(inner, meta, mode, tmp_path):
    saved = regression(
        inner_optimizer=inner,
        meta_optimizer=meta.__class__.from_config(meta.get_config()),
        meta_batch_mode=mode,
        meta_batch_size=2,
        loss_reduction="mean",
        inner_steps=3,
        eval_inner_steps=7,
        eval_inner_batch_size=9,
    )
    saved.inner_state = tf.nest.map_structure(
        lambda t: t + 3, saved.inner_state
    )
    saved.iteration = 5
    for variable in saved.meta_optimizer.variables:
        variable.assign(variable + tf.ones_like(variable))
    saved.save(tmp_path / "one.zip")
    loaded = MetaLearner.load(tmp_path / "one.zip")
    assert_same(snapshot(loaded), snapshot(saved))
    assert loaded.iteration == 5
    assert loaded.inner_optimizer == inner
    assert type(loaded.inner_state) is type(saved.inner_state)
    assert type(loaded.meta_optimizer) is type(meta)
    for setting in (
        "inner_steps",
        "inner_batch_size",
        "meta_batch_size",
        "meta_batch_mode",
        "loss_reduction",
        "eval_inner_steps",
        "eval_inner_batch_size",
    ):
        assert getattr(loaded.settings, setting) == getattr(
            saved.settings, setting
        )


class Cubic(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return tf.reduce_sum(tf.abs(y_pred - y_true) ** 3, -1)


def test_a_loss_of_the_users_survives(tmp_path):
    saved = MetaLearner(
        one_weight(),
        loss=Cubic(name="mine"),
        metric=keras.metrics.MeanAbsoluteError(name="error"),
    )
    saved.save(tmp_path / "one.zip")
    loaded = MetaLearner.load(tmp_path / "one.zip", {"Cubic": Cubic})
    assert isinstance(loaded.loss, Cubic)
    assert loaded.loss.name == "mine"
    assert isinstance(loaded.metric, keras.metrics.MeanAbsoluteError)
    assert loaded.metric.name == "error"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Bytes of a saved learner, the smallest there is."""
    path = tmp_path_factory.mktemp("saved") / "one.zip"
    regression(one_weight(0.5)).save(path)
    return path.read_bytes()


def damaged(data, path):
    """Whether a file of these bytes is refused as damaged, or else is whole."""
    path.write_bytes(data)
    try:
        learner = MetaLearner.load(path)
    except DamagedFileError as error:
        assert str(path) in str(error)
        return True
    assert weight(learner.model) == 0.5
    return False


def test_a_file_cut_short_is_damaged(saved, tmp_path):
    for length in [0, 1, 10, *np.linspace(30, len(saved) - 1, 25).astype(int)]:
        assert damaged(saved[:length], tmp_path / "one.zip"), length


def test_other_files_are_damaged(saved, tmp_path):
    for data in (
        b"not a zip archive" * 9,
        b"\0" * 1000,
        b"PK\5\6" + b"\0" * 18,
    ):
        assert damaged(data, tmp_path / "one.zip")


def test_changed_contents_are_damaged(saved, tmp_path):
    """Checksums guard them; the few bytes that mean nothing may be any."""
    contents = np.random.default_rng(0).integers(
        saved.index(b"PK\1\2"), size=25
    )
    refused = 0
    for place in contents:
        changed = bytearray(saved)
        changed[place] ^= 1 << int(place) % 8
        refused += damaged(changed, tmp_path / "one.zip")
    assert refused > 20


# Bytes of an entry of a zip archive's directory, from the format's definition:
# whatever they are changed to, the file is damaged and nothing else.
FIELDS = {
    "signature": 0,
    "version needed": 6,
    "encryption flag": 8,
    "compression method": 10,
    "checksum": 16,
    "compressed size": 20,
    "size": 24,
    "length of the name": 28,
    "offset": 42,
    "name": 46,
}


@pytest.mark.parametrize("field", FIELDS)
def test_a_changed_directory_is_damaged(saved, field, tmp_path):
    start = saved.rindex(b"PK\1\2")
    for value in (1, 8, 12, 14, 93, 255):
        changed = bytearray(saved)
        changed[start + FIELDS[field]] ^= value
        damaged(changed, tmp_path / "one.zip")  # or whole, and never a crash


def test_a_missing_file_is_not_a_damaged_one(tmp_path):
    with pytest.raises(FileNotFoundError):
        MetaLearner.load(tmp_path / "none.zip")


def test_whole_file_is_there_only_when_whole(tmp_path):
    path = tmp_path / "folder" / "file.txt"
    with whole_file(path) as part:
        part.write_text("first")
        assert not path.exists()
    assert path.read_text() == "first"
    with pytest.raises(KeyError), whole_file(path) as part:
        part.write_text("half of the sec")
        raise KeyError
    assert path.read_text() == "first"  # as it was
    assert list(path.parent.iterdir()) == [path]  # and nothing beside it


def test_checkpoints_come_at_intervals_and_the_newest_are_kept(tmp_path):
    one = regression(inner_steps=1, meta_batch_size=1)
    seen = []
    names = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: seen.append(
            sorted(path.name for path in tmp_path.iterdir())
        )
    )
    checkpoint = Checkpoint(one, tmp_path, every=2, keep=2)
    one.fit(Constants(*range(9)), 9, callbacks=[checkpoint, names], verbose=0)
    at = "iteration-{:08d}.zip".format
    assert seen == [
        [],
        [],
        *2 * [[at(2)]],
        *2 * [[at(2), at(4)]],
        *2 * [[at(4), at(6)]],
        [at(6), at(8)],
    ]
    # The last iteration is saved too, on the interval or not.
    assert sorted(p.name for p in tmp_path.iterdir()) == [at(8), at(9)]
    assert checkpoints.newest(tmp_path).iteration == 9


def test_the_checkpoint_before_a_damaged_one_is_used(saved, tmp_path, caplog):
    whole, cut = (tmp_path / f"iteration-0000000{i}.zip" for i in (1, 2))
    whole.write_bytes(saved)
    cut.write_bytes(saved[:-100])
    assert weight(checkpoints.newest(tmp_path).model) == 0.5
    assert str(cut) in caplog.text  # reported
    whole.write_bytes(b"")
    with pytest.raises(DamagedFileError, match=str(tmp_path)):
        checkpoints.newest(tmp_path)


def test_a_file_of_another_name_is_no_checkpoint(saved, tmp_path):
    (tmp_path / "iteration-00000007.zip").write_bytes(saved)
    for name in (
        "iteration-best.zip",
        "iteration-\u00b2.zip",
        "iteration-.zip",
    ):
        (tmp_path / name).write_bytes(b"")
    assert checkpoints.newest_iteration(tmp_path) == 7
    assert weight(checkpoints.newest(tmp_path).model) == 0.5


def test_no_checkpoint_is_no_error(tmp_path):
    assert checkpoints.newest(tmp_path) is None
    assert checkpoints.newest(tmp_path / "none") is None
