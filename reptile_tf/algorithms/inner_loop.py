"""The inner loop: k compiled steps on a task, as a pure function."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import tensorflow as tf

from reptile_tf.algorithms.optimizers import InnerOptimizer
from reptile_tf.data.task import Task, num_examples
from reptile_tf.models.functional import FunctionalModel
from reptile_tf.utils import machine, random

REDUCTIONS = {"sum": tf.reduce_sum, "mean": tf.reduce_mean}


class InnerLoop(NamedTuple):
    """What every inner step is made of.

    Attributes:
        model: the model as a function of its weights.
        loss: (targets, outputs) -> loss of each example, `[batch]`, as of
            `reptile_tf.algorithms.losses.example_losses`.
        reduction: "sum" (the paper's) or "mean" of the examples' losses.
        optimizer: the inner optimizer.
        steps: k, the inner steps on a training task.
        batch_size: B, the support examples of such a step.
    """

    model: FunctionalModel
    loss: Callable
    reduction: str
    optimizer: InnerOptimizer
    steps: int
    batch_size: int

    def now(self) -> Self:
        """Returns the loop with the model's frozen weights as they are now."""
        return self._replace(model=self.model.now())

    def objective(
        self,
        parts: list[tf.Tensor],
        x: Any,
        y: Any,
        key: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what an inner step descends, a scalar, and its mean loss.

        Args:
            parts: the weight vector, as `FunctionalModel.cut` cuts it.
            x: inputs `[B, ...]`.
            y: targets `[B, ...]`.
            key: int32 `[2]`, from which dropout and other noise follow.
        """
        outputs, penalty = self.model.in_training(parts, x, key)
        losses = self.loss(y, outputs)
        reduced = REDUCTIONS[self.reduction](losses)
        return reduced + penalty, tf.reduce_mean(losses)


def mini_batches(
    key: tf.Tensor,
    size: int | tf.Tensor,
    steps: int | tf.Tensor,
    batch_size: int,
) -> tf.Tensor:
    """Returns the examples of each inner step as row numbers.

    The examples are shuffled and taken in order, and shuffled again when they
    run out, so a batch may straddle two passes (and, where it is larger than
    the support set, holds examples more than once).

    Args:
        key: int32 `[2]`.
        size: S, the number of support examples.
        steps: k, the number of inner steps.
        batch_size: B, the examples of one step.

    Returns:
        int32 `[k, B]`, numbers in 0..S-1.
    """
    passes = (steps * batch_size + size - 1) // size
    order = tf.reshape(random.permutations(key, passes, size), [-1])
    return tf.reshape(order[: steps * batch_size], [steps, batch_size])


def adapt(
    loop: InnerLoop,
    weights: tf.Tensor,
    state: Any,
    x: Any,
    y: Any,
    batches: tf.Tensor,
    key: tf.Tensor,
    first: int = 0,
) -> tuple[tf.Tensor, Any, tf.Tensor]:
    """Trains on one task: the paper's W~ = SGD(L_tau, phi, k).

    Weights and optimizer state are tensors, passed in and handed back; no
    variable is written. Meta-training, evaluation and serving are uses of this
    one function.

    Args:
        loop: model, loss and inner optimizer.
        weights: the weight vector to start from; phi in the paper.
        state: the inner optimizer's state to start from.
        x: support inputs `[S, ...]`, a tensor or a structure of tensors.
        y: support targets `[S, ...]`, likewise.
        batches: int32 `[k, B]`, the rows of x and y that each step trains on.
        key: int32 `[2]`, from which dropout and other noise follow.
        first: number of the first step, where others went before.

    Returns:
        (weights, state, loss): W~, the state after the last step, and the mean
        over the steps of the mean loss of an example, a scalar; 0 of no steps.
    """
    [adapted] = _in_turn(loop, weights, state, x, y, batches, [key], first)
    return adapted


def _in_turn(
    loop: InnerLoop,
    weights: tf.Tensor,
    state: Any,
    x: Any,
    y: Any,
    batches: tf.Tensor,
    keys: Sequence[tf.Tensor],
    first: int = 0,
) -> list[tuple[tf.Tensor, Any, tf.Tensor]]:
    """Does what `adapt` does for each of n tasks, a step of each in turn.

    A step of one task needs none of another, so TensorFlow takes as many steps
    at the same time as it may run operations. In turn, the tasks end at about
    the same time, and no core is without work before.

    Args:
        loop: model, loss and inner optimizer.
        weights: the weight vector that each task starts from.
        state: the inner optimizer's state that each task starts from.
        x: support inputs `[n S, ...]`, those of one task after another.
        y: support targets `[n S, ...]`, likewise.
        batches: int32 `[k n, B]`, the rows of x and y: those of the first step
            of each task, then of the second, and so on.
        keys: int32 `[2]` each, of the tasks.
        first: number of each task's first step, where others went before.

    Returns:
        What `adapt` returns, for each task.
    """
    n, turns = len(keys), tf.shape(batches)[0]
    moments = _Moments(loop.model, weights, state)
    start = loop.model.cut(weights)

    def step(turn, now, *others):
        adapting, state, total = now
        task, i = (turn % n, turn // n) if n > 1 else (0, turn)
        rows = batches[turn]
        with tf.GradientTape() as tape:
            tape.watch(adapting)
            loss, mean = loop.objective(
                loop.model.with_adapted(start, adapting),
                *tf.nest.map_structure(lambda t: tf.gather(t, rows), (x, y)),
                random.fold_in(tf.stack(keys)[task], first + i),
            )
        gradient = tape.gradient(loss, adapting, unconnected_gradients="zero")
        # Embeddings' gradients are slices; the optimizers want tensors.
        gradient = [tf.convert_to_tensor(g) for g in gradient]
        adapting, state = loop.optimizer.update(gradient, state, adapting)
        parts = loop.model.with_adapted(start, adapting)
        adapting = loop.model.adapting_parts(loop.model.constrained(parts))
        return turn + 1, *others, (adapting, state, total + mean)

    at_first = (
        loop.model.adapting_parts(start),
        moments.cut(state),
        tf.zeros([], weights.dtype),
    )
    _, *at_last = tf.while_loop(
        lambda turn, *_: turn < turns,
        step,
        (0, *[at_first] * n),
        # Where XLA is to differentiate the loop, it must know its length.
        maximum_iterations=batches.shape[0],
        # A task's step needs the one before, so more than n would wait; fewer
        # save bookkeeping.
        parallel_iterations=min(n, machine.operations_at_a_time()),
    )

    def adapted(adapting, state, total):
        steps = tf.cast(tf.maximum(turns // n, 1), total.dtype)
        parts = loop.model.with_adapted(start, adapting)
        return loop.model.join(parts), moments.join(state), total / steps

    return [adapted(*task) for task in at_last]


class _Moments:
    """An optimizer's state between vectors and the parts that a step works on.

    What is shaped like the weight vector in the state is a moment of the
    weights, and is cut and joined as they are. Moments of weights that do not
    adapt stay as they were.
    """

    def __init__(self, model: FunctionalModel, weights: tf.Tensor, state: Any):
        self._model, self._state = model, state
        self._starts = [
            model.cut(t) if t.shape == weights.shape else None
            for t in tf.nest.flatten(state)
        ]

    def cut(self, state: Any) -> Any:
        """Returns the state with each moment as a list of adapting parts."""
        tensors = zip(tf.nest.flatten(state), self._starts, strict=True)
        return tf.nest.pack_sequence_as(
            self._state,
            [
                t if start is None else self._model.adapting_parts(start)
                for t, start in tensors
            ],
        )

    def join(self, state: Any) -> Any:
        """Returns the state that was cut."""
        left = iter(tf.nest.flatten(state))
        count = sum(self._model.adapts)
        joined = []
        for start in self._starts:
            if start is None:
                joined.append(next(left))
                continue
            adapting = [next(left) for _ in range(count)]
            parts = self._model.with_adapted(start, adapting)
            joined.append(self._model.join(parts))
        return tf.nest.pack_sequence_as(self._state, joined)


def initial_state(optimizer: InnerOptimizer, phi: tf.Tensor) -> Any:
    """Returns an inner optimizer's state before the first step, as tensors.

    Raises:
        ValueError: the state holds what is no number.
    """
    state = optimizer.init(phi)
    try:
        state = tf.nest.map_structure(tf.convert_to_tensor, state)
        numbers = [
            t.dtype.is_floating or t.dtype.is_integer
            for t in tf.nest.flatten(state)
        ]
    except (TypeError, ValueError):
        numbers = [False]
    if not all(numbers):
        raise ValueError(
            f"inner_optimizer={optimizer!r} must have a state of numbers; its "
            f"init returned {state!r}"
        )
    return state


def adapt_to_support(
    loop: InnerLoop, phi: tf.Tensor, state: Any, task: Task
) -> tuple[tf.Tensor, Any, tf.Tensor]:
    """Returns W~, the state and the loss after k steps on the support set.

    Args:
        loop: what inner steps are made of, and how many there are.
        phi: the weight vector to start from.
        state: the inner optimizer's state to start from.
        task: the task.
    """
    [adapted] = adapt_to_supports(loop, phi, state, [task])
    return adapted


def adapt_to_supports(
    loop: InnerLoop, phi: tf.Tensor, state: Any, tasks: Sequence[Task]
) -> list[tuple[tf.Tensor, Any, tf.Tensor]]:
    """Does what `adapt_to_support` does for each task, a step of each in turn.

    Args:
        loop: what inner steps are made of, and how many there are.
        phi: the weight vector that each task starts from.
        state: the inner optimizer's state that each task starts from.
        tasks: at least one; their support sets are of the same shapes.
    """
    size = num_examples(tasks[0].support_x)
    batches = [
        i * size + mini_batches(task.key, size, loop.steps, loop.batch_size)
        for i, task in enumerate(tasks)
    ]
    supports = [(task.support_x, task.support_y) for task in tasks]
    x, y = tf.nest.map_structure(lambda *parts: tf.concat(parts, 0), *supports)
    return _in_turn(
        *(loop, phi, state, x, y),
        tf.reshape(tf.stack(batches, 1), [-1, loop.batch_size]),
        [task.key for task in tasks],
    )
