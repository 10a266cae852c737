"""Contestant: Reptile with `train_on_batch` and `get_weights`."""

import keras
import numpy as np
from numpy_tasks import load_tasks
from worker import load_settings, serve


def omniglot_cnn(ways: int) -> keras.Model:
    """The same network as `reptile_tf.models`, of Keras's own layers."""
    inputs = x = keras.Input((28, 28, 1))
    for _ in range(4):
        x = keras.layers.Conv2D(64, 3, strides=2, padding="same")(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.Flatten()(x)
    return keras.Model(inputs, keras.layers.Dense(ways)(x))


def mini_imagenet_cnn(ways: int) -> keras.Model:
    """The same network as `reptile_tf.models`, of Keras's own layers."""
    inputs = x = keras.Input((84, 84, 3))
    for _ in range(4):
        x = keras.layers.Conv2D(32, 3, padding="same")(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.MaxPooling2D(2, padding="same")(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.Flatten()(x)
    return keras.Model(inputs, keras.layers.Dense(ways)(x))


NETWORKS = {
    network.__name__: network for network in (omniglot_cnn, mini_imagenet_cnn)
}


class Reptile:
    """Algorithm 2 and its evaluation.

    Keras predicts with its moving averages, which is no more work than with
    the statistics of a batch.
    """

    def __init__(self, settings):
        self.settings = preset = settings["preset"]
        self.correct = 0
        self.model = NETWORKS[preset["network"]](preset["ways"])
        self.model.compile(
            optimizer=keras.optimizers.Adam(
                preset["learning_rate"], beta_1=0.0, epsilon=1e-8
            ),
            loss=keras.losses.SparseCategoricalCrossentropy(
                from_logits=True, reduction="sum"
            ),
            jit_compile=settings["jit_compile"],
        )
        self.model.optimizer.build(self.model.trainable_variables)
        self.tasks, self.test_tasks = load_tasks(settings)

    def _adapt(self, tasks, steps, batch_size):
        """Trains on the next task, and counts what is right of its query."""
        x, y, query_x, query_y = tasks.sample()
        for batch in tasks.mini_batches(x, y, steps, batch_size):
            self.model.train_on_batch(*batch)
        predicted = self.model.predict_on_batch(query_x).argmax(1)
        self.correct += np.sum(predicted == query_y)

    def train(self, count, timer):
        """Makes outer iterations; Adam's state runs on through all of them.

        The query accuracy of every task is counted, as `fit` shows it.
        """
        settings, model = self.settings, self.model
        n = settings["meta_batch_size"]
        timer.start()
        for _ in range(count):
            phi = model.get_weights()
            total = [np.zeros_like(w) for w in phi]
            for _ in range(n):
                model.set_weights(phi)
                self._adapt(
                    self.tasks,
                    settings["inner_steps"],
                    settings["inner_batch_size"],
                )
                for t, w in zip(total, model.get_weights(), strict=True):
                    t += w
            model.set_weights(
                [
                    p + settings["outer_step_size"] * (t / n - p)
                    for p, t in zip(phi, total, strict=True)
                ]
            )
        timer.stop()

    def evaluate(self, count, timer):
        """Adapts to test tasks; predicts each query set in one pass."""
        settings, model = self.settings, self.model
        timer.start()
        phi = model.get_weights()
        state = [np.array(v) for v in model.optimizer.variables]
        for _ in range(count):
            self._adapt(
                self.test_tasks,
                settings["eval_inner_steps"],
                settings["eval_inner_batch_size"],
            )
            model.set_weights(phi)
            for variable, value in zip(
                model.optimizer.variables, state, strict=True
            ):
                variable.assign(value)
        timer.stop()


def main():
    """Serves the benchmark."""
    reptile = Reptile(load_settings())
    serve(
        {"train": reptile.train, "evaluate": reptile.evaluate},
        versions={"keras": keras.__version__},
    )


if __name__ == "__main__":
    main()
