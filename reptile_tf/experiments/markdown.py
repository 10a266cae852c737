"""Tables as Markdown has them."""

from collections.abc import Iterable, Sequence


def table_of(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Returns the lines of a table; none of a table without rows.

    Args:
        head: the names of the columns.
        rows: of as many cells each.
    """
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(row)} |" for row in lines] if len(lines) > 2 else []


def aligned_table_of(
    head: Sequence[str], rows: Sequence[Sequence[str]]
) -> list[str]:
    """Returns the lines of a table whose columns are as wide as they must be.

    Args:
        head: the names of the columns.
        rows: of as many cells each, and one row at least.
    """
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return [f"| {' | '.join(map(str.ljust, row, widths))} |" for row in lines]
