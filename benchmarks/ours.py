"""Contestant: `reptile_tf`, through `fit` and `evaluate`."""

import dataclasses

from worker import load_settings, serve

from reptile_tf.experiments.preset import Preset
from reptile_tf.utils import machine


def main():
    """Serves the benchmark."""
    settings = load_settings()
    # Before TensorFlow is imported, which reads its environment then.
    machine.configure_tensorflow(
        settings["intra_op_threads"], settings["inter_op_threads"]
    )
    compete(settings)


def compete(settings) -> None:
    """Makes the learner, and runs what it is told."""
    import keras
    import our_loop
    import tensorflow as tf

    from reptile_tf.experiments import build

    preset = dataclasses.replace(
        Preset(**settings["preset"]),
        meta_batch_mode=settings["meta_batch_mode"],
    )
    tasks, test_tasks = our_loop.load_tasks(settings["data"], preset)
    learner = build.make_learner(preset, 0, tasks.input_shape)
    make_input = our_loop.sampler(learner, tasks)

    def train(count, timer):
        our_loop.train(learner, tasks, count, timer)

    def evaluate(count, timer):
        timer.start()
        learner.evaluate(test_tasks, count, modes=("transductive",))
        timer.stop()

    def sample(count, timer):
        timer.start()
        for i in range(count):
            make_input(tf.constant(i, tf.int64))
        timer.stop()

    serve(
        {"train": train, "evaluate": evaluate, "sample": sample},
        versions={"tensorflow": tf.__version__, "keras": keras.__version__},
    )


if __name__ == "__main__":
    main()
