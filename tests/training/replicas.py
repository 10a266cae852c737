"""Trains in replicas, as a process of its own: see test_distribution.py.

    python replicas.py OUTPUT KIND COUNT [INDEX PORT]

KIND is "alone", "mirrored" (COUNT logical devices) or "workers" (process INDEX
of COUNT, whose ports begin with PORT).
"""

import json
import os
import sys

import keras
import numpy as np
import tensorflow as tf

OUTPUT, KIND, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3])
TASKS = 5  # no multiple of 2 or 3: shares are uneven


def strategy():
    """Returns what KIND says."""
    if KIND == "mirrored":
        [cpu] = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * COUNT
        )
        return tf.distribute.MirroredStrategy(
            [f"/CPU:{i}" for i in range(COUNT)]
        )
    if KIND == "workers":
        index, port = map(int, sys.argv[4:])
        addresses = [f"127.0.0.1:{port + i}" for i in range(COUNT)]
        os.environ["TF_CONFIG"] = json.dumps(
            {
                "cluster": {"worker": addresses},
                "task": {"type": "worker", "index": index},
            }
        )
        return tf.distribute.MultiWorkerMirroredStrategy()
    return None


def main():
    """Trains, evaluates, and writes what came of it."""
    replicas = strategy()
    from models_table import sequential

    import reptile_tf as rt

    layers = keras.layers
    found = {}
    for algorithm in ("reptile", "fomaml", "maml"):
        keras.utils.set_random_seed(0)
        model = sequential(
            [1],
            layers.Dense(8, "tanh"),
            rt.models.BatchNormalization(),
            layers.Dropout(0.1),
            layers.Dense(1),
        )
        learner = rt.MetaLearner(
            model,
            algorithm=algorithm,
            inner_optimizer=rt.SGD(0.01)
            if algorithm == "maml"
            else rt.Adam(1e-3),
            meta_optimizer=keras.optimizers.Adam(1e-3),
            loss="mean_squared_error",
            metric="mse",
            inner_steps=3,
            inner_batch_size=4,
            meta_batch_size=TASKS,
            meta_batch_mode="parallel",
            on_divergence="skip",
        )
        learner.fit(rt.SineWaves(10), 20, verbose=0)
        # What one process began, replicas go on with.
        history = learner.fit(
            rt.SineWaves(10),
            50,
            iterations_per_epoch=30,
            validation_tasks=rt.SineWaves(10, seed=1),
            num_validation_tasks=TASKS,
            verbose=0,
            strategy=replicas,
        ).history
        scores = learner.evaluate(
            rt.SineWaves(10, seed=2), 2 * TASKS + 1, strategy=replicas
        )
        del history["tasks_per_second"]
        parts = [*model.get_weights(), *tf.nest.flatten(learner.inner_state)]
        parts += [v.numpy() for v in learner.meta_optimizer.variables]
        for i, part in enumerate(parts):
            found[f"{algorithm} {i}"] = np.asarray(part)
        found[f"{algorithm} told"] = repr((history, scores))
    if KIND == "workers":  # each has weights of its own
        model.set_weights([w + int(sys.argv[4]) for w in model.get_weights()])
        try:
            learner.evaluate(rt.SineWaves(10), 2, strategy=replicas)
        except ValueError as error:
            assert "different learners" in str(error), error
        else:
            raise AssertionError("different learners were not noticed")
    np.savez(OUTPUT, **found)


if __name__ == "__main__":
    main()
