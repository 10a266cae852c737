"""A validation task, as TensorBoard shows it."""

import types

import numpy as np
import pytest
from events import steps

from reptile_tf import Episodes, LabelledExamples, SineWaves
from reptile_tf.experiments.task_image import TaskImage, draw


def test_a_task_is_drawn_about_ten_times(classes, tmp_path):
    tasks = Episodes(classes, ways=3, shots=2)
    evaluator = types.SimpleNamespace(answers=np.array([2, 0, 1]))
    image = TaskImage(tmp_path, tasks, evaluator)
    waves = TaskImage(tmp_path / "waves", SineWaves(2), evaluator)
    for epoch in range(25):  # the last one is stopped, and then made whole
        for made in [2 * epoch + 2] if epoch < 24 else [49, 50]:
            params = {"steps": 2, "made": made, "iterations": 50, "epochs": 25}
            for each in image, waves:
                each.set_params(params)
                each.on_epoch_end(epoch)
    # At most ten, and the last.
    made = [6, 12, 18, 24, 30, 36, 42, 48, 50]
    assert steps(tmp_path) == {"validation_task": made}


def test_pictures_and_answers_are_where_they_belong(classes):
    task = Episodes(classes, ways=2, shots=2, query_shots=2).sample(0)
    right = task.query_y.numpy()
    good = draw(task, right, ["a name of many words", "\N{SNOWMAN}"])
    bad = draw(task, 1 - right, ["a name of many words", "\N{SNOWMAN}"])
    # Two rows: a name, two pictures, a query, an answer.
    assert good.shape == bad.shape == (124, 368, 3)
    np.testing.assert_array_equal(good[:, :280], bad[:, :280])
    for drawn, is_good in (good, True), (bad, False):
        red, green, _ = np.int32(drawn[:, 280:]).sum((0, 1))
        assert (green > red) == is_good
    for y, x, left in (
        (task.support_y, task.support_x, 88),
        (task.query_y, task.query_x, 220),
    ):
        first = x[y.numpy().tolist().index(1)].numpy()
        cell = good[64:120, left : left + 56, 1].reshape(8, 7, 8, 7)
        np.testing.assert_allclose(cell.max((1, 3)), 255 * first[..., 0], 0, 1)
        np.testing.assert_array_equal(cell.max((1, 3)), cell.min((1, 3)))


@pytest.mark.parametrize("channels, drawn", [(1, True), (3, True), (2, False)])
def test_pictures_are_in_grey_or_in_colors(channels, drawn, tmp_path):
    images = np.zeros([8, 4, 4, channels], np.uint8)
    images[..., 0] = 200
    classes = LabelledExamples(images, [0, 4, 8], pictures=True)
    tasks = Episodes(classes, ways=2, shots=1)
    image = TaskImage(tmp_path, tasks, None)
    assert (image._tasks is not None) == drawn
    if drawn:
        task = tasks.sample(0)
        cell = draw(task, task.query_y.numpy(), "ab")[4:60, 88:144]
        assert (cell == (200, *[200 * (channels == 1)] * 2)).all()
