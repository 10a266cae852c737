"""Contestant: a product of large matrices, the most that a processor gives."""

from worker import load_settings, serve

from reptile_tf.utils import machine

SIZE = 2048
GFLOP = 2 * SIZE**3 / 1e9


def main():
    """Serves the benchmark."""
    machine.configure_tensorflow(load_settings()["threads"])
    import tensorflow as tf

    a, b = (tf.random.stateless_normal([SIZE, SIZE], [0, i]) for i in range(2))

    def multiply(count, timer):
        timer.start()
        for _ in range(count):
            tf.matmul(a, b).numpy()
        timer.stop()

    serve(
        {"multiply": multiply},
        versions={"tensorflow": tf.__version__},
        threads=machine.configured(),
    )


if __name__ == "__main__":
    main()
