"""The rooms: what may import what, and how long a module may be."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).parents[1] / "reptile_tf"
MODULES = sorted(PACKAGE.rglob("*.py"))

# The rooms from the ground up, and what each may import besides itself.
MAY_IMPORT = {
    "utils": set(),
    "models": {"utils"},
    "data": {"utils"},
    "algorithms": {"utils", "models", "data"},
    "training": {"utils", "models", "data", "algorithms"},
    "serving": {"utils", "models", "data", "algorithms", "training"},
    "experiments": {"utils", "models", "data", "algorithms", "training"},
    "search": {
        *("utils", "models", "data", "algorithms", "training"),
        "experiments",
    },
    "paper": {
        *("utils", "models", "data", "algorithms", "training"),
        "experiments",
    },
    "cli": {
        *("utils", "models", "data", "algorithms", "training"),
        *("experiments", "search", "serving", "paper"),
    },
}

# An arrow back up, inside a method that only users call: as Keras has it.
EXCEPTIONS = {("training/saveable.py", "serving")}


def room(module: str) -> str | None:
    """The room of a dotted name, None for the package itself."""
    parts = module.split(".")
    return parts[1] if parts[0] == "reptile_tf" and len(parts) > 1 else None


def imported_rooms(source: str) -> set[str]:
    """The rooms that a module's text imports from, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {room(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                found.add(room(f"{node.module}.{alias.name}"))
    return found - {None}


@pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_no_arrow_runs_back_up(path):
    place = path.relative_to(PACKAGE)
    if len(place.parts) == 1:  # the package's own doors lead anywhere
        return
    own = place.parts[0]
    allowed = MAY_IMPORT[own] | {own}
    allowed |= {to for at, to in EXCEPTIONS if at == place.as_posix()}
    assert imported_rooms(path.read_text()) <= allowed


def test_an_arrow_back_up_would_be_seen():
    for text in (
        "import reptile_tf.cli.main",
        "from reptile_tf import cli",
        "from reptile_tf.cli import main",
        "def f():\n    from reptile_tf.cli.main import main",
    ):
        assert imported_rooms(text) == {"cli"}


def test_every_room_is_in_the_table():
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    assert rooms - {"__pycache__"} == set(MAY_IMPORT)


def test_the_tests_mirror_the_rooms():
    here = pathlib.Path(__file__).parent
    folders = {path.name for path in here.iterdir() if path.is_dir()}
    assert folders - {"__pycache__", "fixtures"} == set(MAY_IMPORT)


@pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_modules_and_functions_are_short(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 320
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            if ast.get_docstring(node):  # says what, and is not counted
                body = body[1:]
            if body:
                lines = body[-1].end_lineno - body[0].lineno + 1
                assert lines <= 60, node.name


def public_functions(tree: ast.Module):
    """Functions, and methods of public classes, without an underscore."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name[0] != "_":
            functions = node.body
        else:
            functions = [node]
        for each in functions:
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                if each.name[0] != "_" or each.name in ("__init__", "__call__"):
                    yield each


@pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_public_functions_are_annotated(path):
    missing = []
    for function in public_functions(ast.parse(path.read_text())):
        given = function.args
        arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        arguments += filter(None, [given.vararg, given.kwarg])
        missing += [
            f"{function.name}({argument.arg})"
            for argument in arguments
            if argument.annotation is None
            and argument.arg not in ("self", "cls")
        ]
        if function.returns is None and function.name != "__init__":
            missing.append(f"{function.name} ->")
    assert not missing
