"""What is told where the packages of an extra are not installed."""

import importlib
import sys

import pytest

from reptile_tf.utils.extras import extra


@pytest.mark.parametrize(
    "module, package, name",
    [
        ("serving.warmup", "tensorflow_serving.apis", "serve"),
        ("serving.server.json_codec", "orjson", "serve"),
        (
            "serving.server.connections",
            "uvicorn.protocols.http.h11_impl",
            "serve",
        ),
        ("serving.server.request_body", "starlette.requests", "serve"),
        ("serving.server.error_answers", "starlette.requests", "serve"),
        ("serving.server.server", "uvicorn", "serve"),
        ("serving.server.app", "starlette.routing", "serve"),
        ("serving.server.grpc_api", "grpc", "serve"),
        (
            "serving.server.model_config",
            "tensorflow_serving.config",
            "serve",
        ),
        ("experiments.figure_style", "matplotlib.figure", "plots"),
        ("data.sources.glyphs", "matplotlib", "plots"),
    ],
)
def test_a_missing_package_is_named_with_the_pip_command(
    monkeypatch, module, package, name
):
    module = f"reptile_tf.{module}"
    importlib.import_module(module)
    monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError) as raised:
        importlib.import_module(module)
    assert raised.value.name == package
    assert str(raised.value) == (
        f"{package} is not installed; install it with "
        f"pip install 'reptile_tf[{name}]'"
    )


def test_other_errors_of_an_import_are_left_alone():
    with pytest.raises(ZeroDivisionError), extra("serve"):
        raise ZeroDivisionError
    with extra("serve"):
        import json
    assert json.dumps(1) == "1"
