"""Contestant: Reptile with `train_on_batch` and `get_weights`."""

import keras
import numpy as np
from numpy_tasks import NumpyTasks
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


def main():
    """Serves the benchmark."""
    settings = load_settings()
    preset = settings["preset"]
    model = omniglot_cnn(preset["ways"])
    model.compile(
        optimizer=keras.optimizers.Adam(
            preset["learning_rate"], beta_1=0.0, epsilon=1e-8
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="sum"
        ),
        jit_compile=settings["jit_compile"],
    )
    data = np.load(settings["data"])
    tasks = NumpyTasks(
        data["train_images"],
        data["train_offsets"],
        preset["ways"],
        preset["training_shots"],
    )

    def train(count, timer):
        """Makes outer iterations; Adam's state runs on through all of them.

        The query accuracy of every task is counted, as `fit` shows it.
        """
        correct = []
        n = preset["meta_batch_size"]
        timer.start()
        for _ in range(count):
            phi = model.get_weights()
            total = [np.zeros_like(w) for w in phi]
            for _ in range(n):
                model.set_weights(phi)
                x, y, query_x, query_y = tasks.sample()
                for batch in tasks.mini_batches(
                    x, y, preset["inner_steps"], preset["inner_batch_size"]
                ):
                    model.train_on_batch(*batch)
                predicted = model.predict_on_batch(query_x).argmax(1)
                correct.append(np.mean(predicted == query_y))
                for t, w in zip(total, model.get_weights(), strict=True):
                    t += w
            model.set_weights(
                [
                    p + preset["outer_step_size"] * (t / n - p)
                    for p, t in zip(phi, total, strict=True)
                ]
            )
        timer.stop()

    serve({"train": train}, versions={"keras": keras.__version__})


if __name__ == "__main__":
    main()
