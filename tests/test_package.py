"""The package from outside: what it loads, shows and explains."""

import doctest
import importlib
import inspect
import subprocess
import sys

import keras
import pytest

import reptile_tf as rt

CLASSES = [
    name for name in rt.__all__ if inspect.isclass(getattr(rt, name, None))
]


def modules_after(code: str) -> set[str]:
    """Top-level modules of a fresh process that ran `code`."""
    process = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    names = process.stdout.split()
    return {name.partition(".")[0] for name in names}


def test_the_package_loads_tensorflow_keras_and_numpy_only():
    """Keras loads matplotlib and Pillow where it finds them; here it cannot."""
    others = (
        *("tensorflow_datasets", "tensorflow_serving", "matplotlib"),
        *("PIL", "orjson", "starlette", "uvicorn"),
    )
    loaded = modules_after(
        f"import sys\nfor name in {others}: sys.modules[name] = None\n"
        "import reptile_tf as rt\nfor name in rt.__all__: getattr(rt, name)"
    )
    assert {"tensorflow", "keras", "numpy"} <= loaded


def test_importing_the_package_alone_loads_no_tensorflow():
    """So that a command can answer --help at once."""
    assert not modules_after("import reptile_tf") & {"tensorflow", "keras"}


def test_keras_knows_our_layer_in_whatever_order_they_are_imported():
    for order in ("reptile_tf, keras", "keras, reptile_tf"):
        code = (
            f"import {order}\nname = 'reptile_tf>BatchNormalization'\n"
            "assert keras.saving.get_registered_object(name) is not None"
        )
        assert "reptile_tf" in modules_after(code)


def test_the_public_names():
    assert set(rt.__all__) <= set(dir(rt))
    for name in rt.__all__:
        assert getattr(rt, name) is not None
    with pytest.raises(AttributeError):
        rt.no_such_name  # noqa: B018


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_class_has_an_example_that_runs(name):
    cls = getattr(rt, name)
    keras.utils.set_random_seed(0)
    examples = doctest.DocTestFinder(recurse=False).find(
        cls, name, globs={}, module=importlib.import_module(cls.__module__)
    )
    assert sum(len(each.examples) for each in examples) > 0
    for each in examples:
        result = doctest.DocTestRunner(
            optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        ).run(each)
        assert result.failed == 0


@pytest.mark.parametrize("name", rt.__all__)
def test_every_public_name_is_documented(name):
    assert inspect.getdoc(getattr(rt, name))
