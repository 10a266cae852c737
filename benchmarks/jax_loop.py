"""Contestant: Reptile in JAX, with unrolled and compiled inner loops.

One task after another, with Adam's state handed on; or the tasks of a
meta-batch side by side by `vmap`, where the mean of their states is.
"""

import jax
import jax.numpy as jnp
import jax_networks
import numpy as np
from numpy_tasks import load_tasks
from worker import load_settings, serve


class Learner:
    """Reptile as pure functions of weights and Adam's state.

    Args:
        network: (weights, images) -> logits.
        preset: the settings.
    """

    def __init__(self, network, preset):
        self._network, self._preset = network, preset

    def loss(self, weights, x, y):
        """Returns the sum of the cross-entropies of a mini-batch."""
        logs = jax.nn.log_softmax(self._network(weights, x))
        return -jnp.take_along_axis(logs, y[:, None], 1).sum()

    def step(self, weights, state, x, y):
        """Returns the weights and Adam's state after an inner step."""
        gradient = jax.grad(self.loss)(weights, x, y)
        count, second = state
        count += 1
        second = [
            v + 0.001 * (g * g - v)
            for v, g in zip(second, gradient, strict=True)
        ]
        alpha = self._preset["learning_rate"] * jnp.sqrt(1 - 0.999**count)
        weights = [
            w - alpha * g / (jnp.sqrt(v) + 1e-8)
            for w, g, v in zip(weights, gradient, second, strict=True)
        ]
        return weights, (count, second)

    def adapt(self, weights, state, xs, ys):
        """Returns the same after a step on each of the mini-batches."""
        for x, y in zip(xs, ys, strict=True):
            weights, state = self.step(weights, state, x, y)
        return weights, state

    def predict(self, weights, x):
        """Returns the classes of images."""
        return self._network(weights, x).argmax(-1)

    def train(self, weights, state, xs, ys, query):
        """Adapts to a task, and returns the classes of its query set too."""
        weights, state = self.adapt(weights, state, xs, ys)
        return weights, state, self.predict(weights, query)

    def move(self, phi, weights):
        """Returns phi after an outer step towards weights `[tasks, ...]`."""
        step = self._preset["outer_step_size"]
        return [
            p + step * (w.mean(0) - p)
            for p, w in zip(phi, weights, strict=True)
        ]


class _Serial:
    """Tasks one after another: each program is of one of them."""

    def __init__(self, learner: Learner):
        self._train = jax.jit(learner.train)
        self._adapt = jax.jit(learner.adapt)
        self._predict = jax.jit(learner.predict)
        self._move = jax.jit(
            lambda phi, several: learner.move(
                phi, [jnp.stack(w) for w in zip(*several, strict=True)]
            )
        )

    def iterate(self, phi, state, tasks):
        """Returns phi, Adam's state, and the classes of all query sets."""
        several, classes = [], []
        for xs, ys, query, _ in tasks:
            weights, state, predicted = self._train(phi, state, xs, ys, query)
            several.append(weights)
            classes.append(predicted)
        return self._move(phi, several), state, classes

    def evaluate(self, phi, start, tasks, piece):
        """Returns the classes of all query sets, a task at a time."""
        classes = []
        for xs, ys, query, _ in tasks:
            weights, state = phi, start
            for i in range(0, len(xs), piece):
                rows = slice(i, i + piece)
                weights, state = self._adapt(weights, state, xs[rows], ys[rows])
            classes.append(self._predict(weights, query))
        return classes


class _Vmap:
    """Tasks side by side: each program is of all of a meta-batch."""

    def __init__(self, learner: Learner):
        train = jax.vmap(learner.train, (None, None, 0, 0, 0))
        self._adapt = jax.jit(jax.vmap(learner.adapt))
        self._predict = jax.jit(jax.vmap(learner.predict))

        @jax.jit
        def iterate(phi, state, xs, ys, query):
            weights, state, classes = train(phi, state, xs, ys, query)
            state = jax.tree.map(lambda t: t.mean(0), state)
            return learner.move(phi, weights), state, classes

        self._iterate = iterate

    def iterate(self, phi, state, tasks):
        """Returns phi, Adam's state, and the classes of all query sets."""
        return self._iterate(phi, state, *_stacked(tasks))

    def evaluate(self, phi, start, tasks, piece):
        """Returns the classes of all query sets."""
        xs, ys, query = _stacked(tasks)
        weights, state = jax.tree.map(
            lambda t: jnp.broadcast_to(t, (len(xs), *t.shape)), (phi, start)
        )
        for i in range(0, xs.shape[1], piece):
            rows = slice(i, i + piece)
            weights, state = self._adapt(
                weights, state, xs[:, rows], ys[:, rows]
            )
        return self._predict(weights, query)


def _stacked(tasks):
    """Returns mini-batches and query images with an axis for the tasks."""
    return [np.stack(parts) for parts in list(zip(*tasks, strict=True))[:3]]


class Reptile:
    """Algorithm 2 and its evaluation."""

    def __init__(self, settings):
        self.settings = preset = settings["preset"]
        network, self.phi = jax_networks.make(
            preset["network"], preset["ways"], settings["convolution"]
        )
        # Adam's: the number of steps, and the mean of squared gradients.
        self.state = jnp.zeros([]), jax.tree.map(jnp.zeros_like, self.phi)
        mode = {"serial": _Serial, "vmap": _Vmap}[settings["mode"]]
        self.programs = mode(Learner(network, preset))
        self.correct = 0
        self.tasks, self.test_tasks = load_tasks(settings)

    def _meta_batch(self, tasks, count, steps, batch_size):
        """Returns (mini-batches, labels, query images, labels) of tasks."""
        found = []
        for _ in range(count):
            x, y, query_x, query_y = tasks.sample()
            batches = tasks.mini_batches(x, y, steps, batch_size)
            xs, ys = map(np.stack, zip(*batches, strict=True))
            found.append((xs, ys.astype(np.int32), query_x, query_y))
        return found

    def _count_correct(self, tasks, classes):
        for (*_, labels), predicted in zip(tasks, classes, strict=True):
            self.correct += (np.asarray(predicted) == labels).sum()

    def train(self, count, timer):
        """Makes outer iterations; Adam's state runs on through all of them.

        The query accuracy of every task is counted, as `fit` shows it.
        """
        preset = self.settings
        timer.start()
        for _ in range(count):
            tasks = self._meta_batch(
                self.tasks,
                preset["meta_batch_size"],
                preset["inner_steps"],
                preset["inner_batch_size"],
            )
            self.phi, self.state, classes = self.programs.iterate(
                self.phi, self.state, tasks
            )
            self._count_correct(tasks, classes)
        jax.block_until_ready(self.phi)
        timer.stop()

    def evaluate(self, count, timer):
        """Adapts to test tasks; predicts each query set in one pass.

        A program of as many steps as training makes is run until all are made.
        """
        preset = self.settings
        most = preset["meta_batch_size"]
        timer.start()
        for done in range(0, count, most):
            tasks = self._meta_batch(
                self.test_tasks,
                min(most, count - done),
                preset["eval_inner_steps"],
                preset["eval_inner_batch_size"],
            )
            classes = self.programs.evaluate(
                self.phi, self.state, tasks, preset["inner_steps"]
            )
            self._count_correct(tasks, classes)
        timer.stop()


def main():
    """Serves the benchmark."""
    reptile = Reptile(load_settings())
    serve(
        {"train": reptile.train, "evaluate": reptile.evaluate},
        versions={"jax": jax.__version__, "numpy": np.__version__},
    )


if __name__ == "__main__":
    main()
