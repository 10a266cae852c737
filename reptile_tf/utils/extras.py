"""Imports of packages that only a part of reptile_tf needs.

Such packages are not installed with reptile_tf itself, but with one of its
extras, which pip takes in square brackets: `pip install 'reptile_tf[serve]'`.
"""

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def extra(name: str) -> Iterator[None]:
    """Says how to install what an import in its block does not find.

        with extra("serve"):
            import uvicorn

    Args:
        name: of the extra of reptile_tf that the imported packages belong to.

    Raises:
        ModuleNotFoundError: a package is not installed; the message is one
            line, which names the package and the pip command.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{error.name} is not installed; install it with "
            f"pip install 'reptile_tf[{name}]'",
            name=error.name,
            path=error.path,
        ) from error
