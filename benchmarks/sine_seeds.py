"""Do trainings on sine waves run through, whatever the seed and the length?

    python benchmarks/sine_seeds.py --lengths=20000,30000,60000

Trains the sine preset once for each seed and length, and says where one
diverged, or the error that it came to. On one core it takes over an hour.
"""

import dataclasses

from reptile_tf.utils import machine

machine.configure_tensorflow()

from absl import app, flags

from reptile_tf.experiments import build
from reptile_tf.experiments.presets import PRESETS
from reptile_tf.training import score

SEEDS = flags.DEFINE_list("seeds", list("0123456789"), "The seeds.")
LENGTHS = flags.DEFINE_list(
    "lengths", ["20000", "30000", "60000"], "The outer iterations."
)
LEARNING_RATE = flags.DEFINE_float(
    "learning_rate", None, "Another one than the preset's."
)


def main(_) -> None:
    """Trains and tells."""
    preset = PRESETS["sine"]
    if LEARNING_RATE.value is not None:
        preset = dataclasses.replace(preset, learning_rate=LEARNING_RATE.value)
    for seed in map(int, SEEDS.value):
        for length in map(int, LENGTHS.value):
            one = dataclasses.replace(preset, outer_iterations=length)
            tasks = build.make_tasks(one, seed, None)
            shape = build.input_shape(tasks.train)
            learner = build.make_learner(one, seed, shape)
            try:
                learner.fit(tasks.train, length, verbose=0)
            except FloatingPointError as error:
                print(f"seed {seed}, {length:,}: {error}", flush=True)
                continue
            [found] = learner.evaluate(tasks.test, 1000)
            table = score.table([found]).splitlines()[-1]
            print(f"seed {seed}, {length:,}: {table}", flush=True)


if __name__ == "__main__":
    app.run(main)
