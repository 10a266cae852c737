"""What is told where the packages of serving are not installed."""

import importlib
import sys

import pytest

from reptile_tf.utils.extras import extra


@pytest.mark.parametrize(
    "module, package",
    [
        ("warmup", "tensorflow_serving.apis"),
        ("server.json_codec", "orjson"),
        ("server.timeouts", "uvicorn.protocols.http.h11_impl"),
        ("server.request_body", "starlette.requests"),
        ("server.error_answers", "starlette.requests"),
        ("server.app", "uvicorn"),
    ],
)
def test_a_missing_package_is_named_with_the_pip_command(
    monkeypatch, module, package
):
    module = f"reptile_tf.serving.{module}"
    importlib.import_module(module)
    monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError) as raised:
        importlib.import_module(module)
    assert raised.value.name == package
    assert str(raised.value) == (
        f"{package} is not installed; install it with "
        "pip install 'reptile_tf[serve]'"
    )


def test_other_errors_of_an_import_are_left_alone():
    with pytest.raises(ZeroDivisionError), extra("serve"):
        raise ZeroDivisionError
    with extra("serve"):
        import json
    assert json.dumps(1) == "1"
