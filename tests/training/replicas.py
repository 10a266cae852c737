"""Trains in replicas, as a process of its own: see test_distribution.py.

    python replicas.py OUTPUT KIND COUNT ALGORITHMS [INDEX PORT]

KIND is "mirrored" (COUNT logical devices) or "workers" (process INDEX of COUNT,
whose ports begin with PORT). ALGORITHMS are names, separated by commas.
"""

import json
import os
import sys

import keras
import numpy as np
import tensorflow as tf

import reptile_tf as rt

TASKS = 5  # no multiple of 2 or 3: shares are uneven
# Replicas go on with what one process began, and evaluate. Compiling that takes
# seconds, and is the same whatever the algorithm.
WHOLE = "fomaml"


def strategy(kind, count, index=None, port=None):
    """Returns what KIND says."""
    if kind == "mirrored":
        [cpu] = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * count
        )
        return tf.distribute.MirroredStrategy(
            [f"/CPU:{i}" for i in range(count)]
        )
    addresses = [f"127.0.0.1:{port + i}" for i in range(count)]
    os.environ["TF_CONFIG"] = json.dumps(
        {
            "cluster": {"worker": addresses},
            "task": {"type": "worker", "index": index},
        }
    )
    return tf.distribute.MultiWorkerMirroredStrategy()


def learner_of(algorithm):
    """Returns a learner that has all that training changes."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input([6, 6, 1]),
            layers.Conv2D(8, 3, strides=2, padding="same"),
            rt.models.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(4, 3, padding="same"),
            layers.Flatten(),
            layers.Dropout(0.1),
            layers.Dense(3),
        ]
    )
    plain = algorithm == "maml"
    return rt.MetaLearner(
        model,
        algorithm=algorithm,
        inner_optimizer=rt.SGD(0.01) if plain else rt.Adam(1e-3),
        meta_optimizer=keras.optimizers.Adam(1e-3),
        inner_steps=3,
        inner_batch_size=4,
        meta_batch_size=TASKS,
        meta_batch_mode="parallel",
        on_divergence="skip",
    )


def tasks(seed=0):
    """Returns tasks of three of six classes of noise."""
    draw = np.random.default_rng(0)
    classes = rt.LabelledExamples.from_labels(
        draw.integers(0, 256, (30, 6, 6, 1), np.uint8), np.arange(30) % 6
    )
    return rt.Episodes(classes, ways=3, shots=4, seed=seed)


def trained(learner, algorithm, replicas=None):
    """Trains; returns what came of it, by name."""
    validation, told = {}, []
    if algorithm == WHOLE:
        learner.fit(tasks(), 20, verbose=0)
        validation = {
            "validation_tasks": tasks(1),
            "num_validation_tasks": TASKS,
        }
    history = learner.fit(
        tasks(),
        50,
        iterations_per_epoch=25,
        **validation,
        verbose=0,
        strategy=replicas,
    ).history
    del history["tasks_per_second"]
    if algorithm == WHOLE:
        told = learner.evaluate(tasks(2), 2 * TASKS + 1, strategy=replicas)
    parts = [*learner.model.get_weights()]
    parts += [t.numpy() for t in tf.nest.flatten(learner.inner_state)]
    parts += [v.numpy() for v in learner.meta_optimizer.variables]
    found = {f"{algorithm} {i}": part for i, part in enumerate(parts)}
    found[f"{algorithm} told"] = np.array(repr((history, told)))
    return found


def main():
    """Writes what the replicas find."""
    rt.configure_tensorflow()
    output, kind, count, algorithms, *place = sys.argv[1:]
    replicas = strategy(kind, int(count), *map(int, place))
    found = {}
    for algorithm in algorithms.split(","):
        learner = learner_of(algorithm)
        found |= trained(learner, algorithm, replicas)
    if kind == "workers":  # each has weights of its own
        model = learner.model
        model.set_weights([w + int(place[0]) for w in model.get_weights()])
        try:
            learner.evaluate(tasks(), 2, strategy=replicas)
        except ValueError as error:
            assert "different learners" in str(error), error
        else:
            raise AssertionError("different learners were not noticed")
    np.savez(output, **found)


if __name__ == "__main__":
    main()
