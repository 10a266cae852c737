"""Meta-gradients: what training on a task says about phi.

Each is a frozen dataclass that makes, from one task, the vector that the
meta-optimizer is given as a gradient. All have the unit of phi - W~, which is
alpha times a gradient, so that one outer step size serves them all:

    Reptile               phi - W~
    GradientCombination   alpha (c_1 g_1 + ... + c_k g_k)
    FOMAML                alpha g_k, the last step's alone
    MAML                  alpha dL_query(W~) / dphi
    ANIL                  MAML whose inner steps move the head alone

g_j is the gradient of the j-th mini-batch's loss at the weights W_(j-1), which
the steps before it made. With another inner optimizer than SGD, the j-th
step's change W_(j-1) - W_j stands for alpha g_j, as in the authors' code.
"""

import dataclasses
import fractions
import itertools
from typing import ClassVar, NamedTuple

import keras
import tensorflow as tf

from reptile_tf.algorithms.inner_loop import InnerLoop, adapt
from reptile_tf.algorithms.optimizers import SGD, InnerOptimizer
from reptile_tf.data import task as tasks
from reptile_tf.models import BatchNormalization


class Lesson(NamedTuple):
    """What training on one task gave.

    Attributes:
        meta_gradient: what it says about phi, a vector.
        weights: W~, adapted to the support set.
        state: the inner optimizer's state to go on with.
        loss: mean loss of an example, a scalar.
    """

    meta_gradient: tf.Tensor
    weights: tf.Tensor
    state: tuple
    loss: tf.Tensor


def _adapt(loop: InnerLoop, phi, state, task, steps: int, batch_size: int):
    """Returns W~, state and loss after k steps on the support set."""
    batches = tasks.mini_batches(
        task.key, task.support_x.shape[0], steps, batch_size
    )
    return adapt(
        loop, phi, state, task.support_x, task.support_y, batches, task.key
    )


def _combine(weights, batches, loop: InnerLoop, phi, state, task) -> Lesson:
    """Makes an inner step a mini-batch and adds up their weighted changes.

    There is a weight, c_1 to c_k, for each of the k mini-batches.
    """
    meta_gradient, loss, first = tf.zeros_like(phi), 0.0, 0
    after = phi
    # The steps of equal weight are one loop: their changes add up.
    for weight, equal in itertools.groupby(weights):
        before, last = after, first + len(list(equal))
        after, state, mean = adapt(
            loop,
            before,
            state,
            task.support_x,
            task.support_y,
            batches[first:last],
            task.key,
            first,
        )
        if weight:
            meta_gradient += weight * (before - after)
        loss += mean * (last - first) / len(weights)
        first = last
    return Lesson(meta_gradient, after, state, loss)


class MetaGradient:
    """The base of all of them, and what they share.

    Attributes:
        needs_query: whether tasks must have query examples.
        head_only: whether inner steps move the weights of the last layer alone.
    """

    needs_query: bool = False
    head_only: ClassVar[bool] = False

    def require(self, steps: int, optimizer: InnerOptimizer) -> None:
        """Refuses k or an inner optimizer that it cannot work with.

        Raises:
            ValueError: names the argument.
        """

    def require_model(self, model: keras.Model) -> None:
        """Refuses a model that it cannot work with.

        Raises:
            ValueError: names the layer.
        """

    def require_examples(self, size: int, steps: int, batch_size: int) -> None:
        """Refuses support sets that are too small for the mini-batches.

        Args:
            size: S, examples of a support set.
            steps: k.
            batch_size: B.

        Raises:
            ValueError: names the argument and what would do.
        """
        if batch_size > size:
            raise ValueError(
                f"inner_batch_size={batch_size} is larger than a training "
                f"task, which has {size} support examples; use at most {size}"
            )

    def __call__(self, loop, phi, state, task, steps, batch_size) -> Lesson:
        """Trains on one task, with tensors alone.

        Args:
            loop: model, loss and inner optimizer.
            phi: the weight vector.
            state: the inner optimizer's state to start from.
            task: a `reptile_tf.Task`.
            steps: k, inner steps on the support set.
            batch_size: B, support examples of a step.
        """
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Reptile(MetaGradient):
    """The paper's: phi - W~, after k steps of any inner optimizer.

    With SGD it is alpha (g_1 + ... + g_k). Mini-batches go round the support
    set: an example may be in several of them.
    """

    def __str__(self):
        return "reptile"

    def __call__(self, loop, phi, state, task, steps, batch_size) -> Lesson:
        """Takes k steps; their changes add up to phi - W~."""
        batches = tasks.mini_batches(
            task.key, task.support_x.shape[0], steps, batch_size
        )
        return _combine([1.0] * steps, batches, loop, phi, state, task)


@dataclasses.dataclass(frozen=True)
class GradientCombination(MetaGradient):
    """Any linear combination of the inner gradients (section 5.2, Figure 3).

    Mini-batches do not overlap: a task needs k B support examples.

    Attributes:
        weights: c_1 to c_k, one for each inner step; (1, 1) is the sum
            g_1 + g_2, which is two-step Reptile, (0.5, 0.5) their mean.
    """

    weights: tuple[float, ...]

    def __post_init__(self):
        object.__setattr__(self, "weights", tuple(map(float, self.weights)))
        if not any(self.weights):
            raise ValueError(
                "the weights of a gradient combination must not all be 0; "
                f"received {self.weights}"
            )

    def __str__(self):
        return ",".join(map(str, self.weights))

    def require(self, steps, optimizer):
        """Refuses any other number of steps than there are weights."""
        if len(self.weights) != steps:
            raise ValueError(
                f"meta_gradient={self} has {len(self.weights)} weights, which "
                f"must be one for each inner step; received inner_steps={steps}"
            )

    def require_examples(self, size, steps, batch_size):
        """Refuses support sets too small for k mini-batches kept apart."""
        if steps * batch_size > size:
            raise ValueError(
                f"meta_gradient={self} keeps its mini-batches apart: "
                f"{steps} of inner_batch_size={batch_size} take "
                f"{steps * batch_size} support examples, but a training task "
                f"has {size}; use an inner_batch_size of at most "
                f"{size // steps}, or more training shots"
            )

    def __call__(self, loop, phi, state, task, steps, batch_size) -> Lesson:
        """Takes k steps and weighs their changes."""
        batches = tasks.mini_batches(
            task.key, task.support_x.shape[0], steps, batch_size
        )
        return _combine(self.weights, batches, loop, phi, state, task)


@dataclasses.dataclass(frozen=True)
class FOMAML(MetaGradient):
    """First-order MAML: the change of one last step, made at adapted weights.

    Attributes:
        last_batch: what the last step is made on. "query" (its definition):
            the query set, after k steps on the support set. "shared": the
            k-th mini-batch of the support set, drawn like the others.
            "separate": B support examples that the steps before do not see
            (the authors' "tail shots", drawn without regard to classes).
    """

    last_batch: str = "query"

    def __post_init__(self):
        if self.last_batch not in ("query", "shared", "separate"):
            raise ValueError(
                "last_batch must be query, shared or separate; received "
                f"{self.last_batch!r}"
            )

    def __str__(self):
        suffix = "" if self.last_batch == "query" else f"_{self.last_batch}"
        return f"fomaml{suffix}"

    @property
    def needs_query(self) -> bool:
        """Whether tasks must have query examples."""
        return self.last_batch == "query"

    def require_examples(self, size, steps, batch_size):
        """Refuses support sets too small to keep the last mini-batch apart."""
        super().require_examples(size, steps, batch_size)
        apart = self.last_batch == "separate" and steps > 1
        if apart and 2 * batch_size > size:
            raise ValueError(
                f"meta_gradient={self} keeps the last mini-batch apart: two of "
                f"inner_batch_size={batch_size} take {2 * batch_size} support "
                f"examples, but a training task has {size}; use an "
                f"inner_batch_size of at most {size // 2}, or more training "
                "shots"
            )

    def __call__(self, loop, phi, state, task, steps, batch_size) -> Lesson:
        """Takes k steps, and counts the last alone."""
        if self.last_batch == "query":
            weights, state, loss = _adapt(
                loop, phi, state, task, steps, batch_size
            )
            x, y = task.query_x, task.query_y
            last = tf.range(x.shape[0])[tf.newaxis]
            after, state, _ = adapt(
                loop, weights, state, x, y, last, task.key, steps
            )
            # W~ is adapted to the support set, not to what it is tested on.
            return Lesson(weights - after, weights, state, loss)
        size = task.support_x.shape[0]
        if self.last_batch == "shared":
            batches = tasks.mini_batches(task.key, size, steps, batch_size)
        else:
            batches = _last_apart(task.key, size, steps, batch_size)
        weights = [0.0] * (steps - 1) + [1.0]
        return _combine(weights, batches, loop, phi, state, task)


def _last_apart(key, size: int, steps: int, batch_size: int) -> tf.Tensor:
    """Returns mini-batches of which the last shares no example with others."""
    order_key, batches_key = tasks.split(key, 2)
    order = tf.squeeze(tasks.permutations(order_key, 1, size), 0)
    last, rest = order[tf.newaxis, :batch_size], order[batch_size:]
    if steps == 1:
        return last
    earlier = tasks.mini_batches(
        batches_key, size - batch_size, steps - 1, batch_size
    )
    return tf.concat([tf.gather(rest, earlier), last], 0)


@dataclasses.dataclass(frozen=True)
class MAML(MetaGradient):
    """The query loss differentiated through the inner steps (Finn et al. 2017).

    Second order, so memory grows with k. The inner optimizer must be SGD, as
    in its definition: what a step of Adam adds to a sum of squares has no
    useful derivative where that sum starts at 0.
    """

    needs_query: ClassVar[bool] = True

    def __str__(self):
        return "maml"

    def require(self, steps, optimizer):
        """Refuses another inner optimizer than SGD."""
        if not isinstance(optimizer, SGD):
            raise ValueError(
                f"meta_gradient={self} needs inner_optimizer=SGD(alpha), "
                "through whose steps it differentiates; the root in Adam's "
                "has no finite derivative at moments of 0. Received "
                f"inner_optimizer={optimizer}"
            )

    def require_model(self, model):
        """Refuses layers whose second derivatives TensorFlow has wrong."""
        normalizations = (
            keras.layers.BatchNormalization,
            keras.layers.GroupNormalization,
            keras.layers.LayerNormalization,
        )
        for layer in model._flatten_layers():
            if isinstance(layer, normalizations) and not isinstance(
                layer, BatchNormalization
            ):
                raise ValueError(
                    f"meta_gradient={self} takes second derivatives, which are "
                    f"wrong for layer {layer.name!r} of model {model.name!r}: "
                    f"{type(layer).__name__} of Keras takes its statistics "
                    "from tf.nn.moments, whose variance holds the mean "
                    "constant. Use reptile_tf.models.BatchNormalization, or "
                    "a first-order meta-gradient such as fomaml"
                )

    def __call__(self, loop, phi, state, task, steps, batch_size) -> Lesson:
        """Takes k steps and differentiates the query loss through them."""
        with tf.GradientTape() as tape:
            tape.watch(phi)
            weights, state, loss = _adapt(
                loop, phi, state, task, steps, batch_size
            )
            query_loss, _ = loop.objective(
                loop.model.cut(weights),
                task.query_x,
                task.query_y,
                tasks.fold_in(task.key, steps),
            )
        gradient = tape.gradient(query_loss, phi)
        alpha = loop.optimizer.learning_rate
        return Lesson(alpha * gradient, weights, state, loss)


@dataclasses.dataclass(frozen=True)
class ANIL(MAML):
    """MAML that adapts the head alone (Raghu et al. 2020).

    Inner steps, in training and in evaluation, move the weights of the model's
    last layer only; the outer step moves all.
    """

    head_only: ClassVar[bool] = True

    def __str__(self):
        return "anil"


NAMES = {
    str(each): each
    for each in (
        Reptile(),
        FOMAML(),
        FOMAML("shared"),
        FOMAML("separate"),
        MAML(),
        ANIL(),
    )
}


def parse(text: str) -> MetaGradient:
    """Returns the meta-gradient that `str` made `text` of.

    Args:
        text: one of `NAMES`, or the weights of a `GradientCombination`, which
            may be fractions: "0,0,1" or "1/2,1/2".

    Raises:
        ValueError: it is neither.
    """
    if text in NAMES:
        return NAMES[text]
    try:
        weights = [float(fractions.Fraction(w)) for w in text.split(",")]
    except (ValueError, ZeroDivisionError):
        raise ValueError(
            f"meta_gradient must be one of {', '.join(NAMES)}, or weights of "
            f"g1 to gk such as 1/2,1/2; received {text!r}"
        ) from None
    return GradientCombination(tuple(weights))
