"""What of a learner is fixed, and what it keeps."""

import gc
import weakref

import pytest
import tensorflow as tf
from toys import Constants, one_weight, regression, weight

from reptile_tf import SGD, MetaLearner, Settings


@pytest.mark.parametrize(
    "name",
    [
        *("inner_steps", "meta_batch_mode", "eval_inner_batch_size"),
        *("settings", "model", "loss", "metric", "algorithm"),
        *("inner_optimizer", "meta_optimizer", "functional", "evaluator"),
    ],
)
def test_what_compiled_functions_would_not_notice_is_refused(name):
    learner = regression()
    learner.fit(Constants(*range(10)), 1, verbose=0)
    with pytest.raises(
        AttributeError, match=f"{name} of a MetaLearner .* another MetaLearner"
    ):
        setattr(learner, name, 50)
    if hasattr(learner, name):
        with pytest.raises(AttributeError, match="cannot be changed"):
            delattr(learner, name)


def test_settings_are_frozen():
    with pytest.raises(AttributeError, match=r"MetaLearner\(.*inner_steps=50"):
        regression().settings.inner_steps = 50


def test_what_may_be_changed_counts():
    """The next fit begins at the iteration, from the state."""
    learner = regression(inner_steps=1, meta_batch_size=1)
    learner.iteration = 2
    learner.fit(Constants(1, 2, 16), 3, verbose=0)
    assert weight(learner.model) == 8.0


def test_another_learner_of_the_same_model_has_other_settings():
    learner = regression(inner_steps=1, meta_batch_size=1)
    learner.fit(Constants(8), 1, verbose=0)
    assert weight(learner.model) == 4.0
    other = regression(learner.model, inner_steps=2, meta_batch_size=1)
    other.fit(Constants(8), 1, verbose=0)
    assert weight(learner.model) == 7.0  # a quarter of the 4 is left


def test_settings_are_spelled_once():
    learner = regression(inner_steps=3, eval_inner_batch_size=7)
    assert learner.settings == Settings(
        inner_steps=3, inner_batch_size=1, eval_inner_batch_size=7
    )
    assert learner.settings.eval_inner_steps == 3
    with pytest.raises(TypeError, match="inner_stepz"):
        MetaLearner(learner.model, inner_optimizer=SGD(1.0), inner_stepz=3)


class Large(Constants):
    """A task set that holds some megabytes."""

    def __init__(self):
        super().__init__(*range(20))
        self.data = tf.ones([1_000_000])

    def sample(self, index):
        task = super().sample(index)
        return task._replace(support_y=task.support_y * self.data[0])


@pytest.mark.long
def test_task_sets_are_not_kept_alive():
    """Only the few that were used last."""
    learner = regression(inner_steps=1, meta_batch_size=1)
    alive = []
    for i in range(10):
        tasks = Large()
        alive.append(weakref.ref(tasks))
        learner.fit(tasks, i + 1, verbose=0)
        learner.evaluate(tasks, 2)
        del tasks
    gc.collect()
    assert sum(reference() is not None for reference in alive) <= 8


def test_a_task_set_is_compiled_once():
    learner = regression(inner_steps=1, meta_batch_size=1)
    first, second = Constants(*range(10)), Constants(*range(10))
    compiled = [learner._outer_loop.compiled(t) for t in (first, second)]
    assert compiled[0] is not compiled[1]
    assert learner._outer_loop.compiled(first) is compiled[0]


def test_several_task_sets_in_turns_are_compiled_once_each():
    learner = regression(inner_steps=1, meta_batch_size=1)
    sets = [Constants(1, 2, 3) for _ in range(6)]
    for mode in ("support", "transductive"):
        first = [learner.evaluator.compiled(t, [mode]) for t in sets]
        again = [learner.evaluator.compiled(t, [mode]) for t in sets]
        assert all(a is b for a, b in zip(first, again, strict=True))


def test_a_subclass_has_attributes_of_its_own():
    class Named(MetaLearner):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.name = "mine"

    learner = Named(one_weight(), loss="mse", metric="mse")
    learner.name = "other"
    with pytest.raises(AttributeError, match="loss of a Named cannot"):
        learner.loss = "mae"


def test_what_the_model_was_made_of_is_fixed_too():
    with pytest.raises(AttributeError, match="model of a FunctionalModel"):
        regression().functional.model = None


def test_modes_may_be_any_iterable():
    learner = regression(inner_steps=1, meta_batch_size=1)
    scores = learner.evaluate(Constants(1, 2), 2, modes=iter(["support"]))
    assert [score.mode for score in scores] == ["support"]
