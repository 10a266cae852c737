"""The contestants of the speed benchmark, each with its possible settings.

Variants of a rival are its settings; the fastest of a group counts.
"""

import dataclasses
import itertools
import os
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A worker's program, and what it is started with.

    Attributes:
        script: file in this folder.
        settings: those of this contestant alone.
        environment: variables of its process.
        of_rivals: whether it runs in the rivals' own environment of Python.
    """

    script: str
    settings: Mapping[str, Any]
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    of_rivals: bool = False


def _torch(compiled: bool) -> dict[str, Contestant]:
    kind = "torch.compile" if compiled else "pytorch"
    threads = {"default threads": 0, "1 thread": 1}
    layouts = {"": False, ", channels_last": True}
    return {
        f"{kind}, {some}{layout}": Contestant(
            "torch_loop.py",
            {
                "compile": compiled,
                "threads": threads[some],
                "channels_last": layouts[layout],
            },
            of_rivals=True,
        )
        for some, layout in itertools.product(threads, layouts)
    }


def _jax() -> dict[str, Contestant]:
    return {
        f"jax, {mode}, {convolution}": Contestant(
            "jax_loop.py",
            {"mode": mode, "convolution": convolution},
            {"JAX_PLATFORMS": "cpu"},
            of_rivals=True,
        )
        for mode in ("serial", "vmap")
        for convolution in ("convolution", "product")
    }


def _keras() -> dict[str, Contestant]:
    xla = {"default": "auto", "without XLA": False}
    onednn = {"": {}, ", oneDNN": {"TF_ENABLE_ONEDNN_OPTS": "1"}}
    return {
        f"keras, {compiled}{more}": Contestant(
            "keras_loop.py", {"jit_compile": xla[compiled]}, onednn[more]
        )
        for compiled, more in itertools.product(xla, onednn)
    }


OURS = {
    f"ours, {mode}": Contestant("ours.py", {"meta_batch_mode": mode})
    for mode in ("serial", "parallel")
}
RIVALS = {
    "eager": _torch(compiled=False),
    "compiled": _torch(compiled=True) | _jax(),
    "keras": _keras(),
}
# What the processor can do: a product has no waiting and no bookkeeping.
PRODUCTS = {
    "product, all threads": Contestant("product.py", {"threads": 0}),
    "product, half the threads": Contestant(
        "product.py", {"threads": max(1, (os.cpu_count() or 1) // 2)}
    ),
}
