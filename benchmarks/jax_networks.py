"""The networks of `reptile_tf.models`, written in JAX.

A network is a function of (weights, images), and weights are a list of arrays.
Images are NHWC, kernels HWIO, and all padding is "SAME".
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def by_convolution(x, kernel, stride: int):
    """Returns the convolution by XLA's own operation."""
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def by_product(x, kernel, stride: int):
    """Returns the convolution as slices of the images and one product."""
    height, width, channels, filters = kernel.shape
    batch, *size = x.shape[:3]
    outputs = [-(-n // stride) for n in size]
    pads = [(0, 0)]
    for n, out, k in zip(size, outputs, (height, width), strict=True):
        missing = max((out - 1) * stride + k - n, 0)
        pads.append((missing // 2, missing - missing // 2))
    x = jnp.pad(x, [*pads, (0, 0)])
    slices = [
        lax.slice(
            x,
            (0, i, j, 0),
            (
                batch,
                i + (outputs[0] - 1) * stride + 1,
                j + (outputs[1] - 1) * stride + 1,
                channels,
            ),
            (1, stride, stride, 1),
        )
        for i in range(height)
        for j in range(width)
    ]
    patches = jnp.concatenate(slices, -1)
    made = patches.reshape(-1, height * width * channels) @ kernel.reshape(
        -1, filters
    )
    return made.reshape(batch, *outputs, filters)


CONVOLUTIONS = {"convolution": by_convolution, "product": by_product}


def _normalize(x, gamma, beta):
    """Normalizes by the batch's own statistics."""
    mean = x.mean((0, 1, 2))
    variance = jnp.square(x - mean).mean((0, 1, 2))
    return (x - mean) * (lax.rsqrt(variance + 1e-3) * gamma) + beta


def _pool(x):
    """Returns the maxima of squares of 2x2, padded at the end."""
    batch, height, width, channels = x.shape
    pads = [(0, 0), (0, height % 2), (0, width % 2), (0, 0)]
    x = jnp.pad(x, pads, constant_values=-jnp.inf)
    squares = x.reshape(batch, -(-height // 2), 2, -(-width // 2), 2, channels)
    return squares.max((2, 4))


def _cnn(convolve, stride, pool, weights, x):
    """Four convolutional blocks, and a dense layer."""
    *blocks, dense, bias = weights
    for i in range(0, len(blocks), 4):
        kernel, shift, gamma, beta = blocks[i : i + 4]
        x = convolve(x, kernel, stride) + shift
        x = _normalize(x, gamma, beta)
        if pool:
            x = _pool(x)
        x = jax.nn.relu(x)
    return x.reshape(x.shape[0], -1) @ dense + bias


def _initial(ways, channels, filters, features) -> list:
    """Returns first weights, as Keras draws them."""
    random = np.random.default_rng(0)

    def draw(*shape):
        fan_in, fan_out = (np.prod(shape[:-2]) * n for n in shape[-2:])
        limit = np.sqrt(6 / (fan_in + fan_out))
        return jnp.asarray(random.uniform(-limit, limit, shape), jnp.float32)

    weights = []
    for _ in range(4):
        weights += [
            draw(3, 3, channels, filters),
            jnp.zeros(filters),
            jnp.ones(filters),
            jnp.zeros(filters),
        ]
        channels = filters
    return [*weights, draw(features, ways), jnp.zeros(ways)]


def make(name: str, ways: int, convolution: str) -> tuple:
    """Returns a network's function, and its first weights."""
    convolve = CONVOLUTIONS[convolution]
    if name == "omniglot_cnn":
        network = functools.partial(_cnn, convolve, 2, False)
        return network, _initial(ways, 1, 64, 2 * 2 * 64)
    network = functools.partial(_cnn, convolve, 1, True)
    return network, _initial(ways, 3, 32, 6 * 6 * 32)
