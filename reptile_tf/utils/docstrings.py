"""Docstrings that are read by people, also under python -OO."""

import ast
import inspect
from types import ModuleType


def of(module: ModuleType) -> str:
    """Returns a module's docstring; from its source where Python drops it."""
    if module.__doc__ is not None:
        return module.__doc__
    source = ast.parse(inspect.getsource(module))
    return ast.get_docstring(source, clean=False) or ""
