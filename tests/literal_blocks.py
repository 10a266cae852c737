"""The literal blocks of the documents, and the commands in them."""

import pathlib
import re
import shlex
from typing import NamedTuple

from markdown_it import MarkdownIt

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [
    path.relative_to(ROOT)
    for folder in (ROOT, ROOT / "docs", ROOT / "saved_models")
    for path in sorted(folder.glob("*.md"))
]


class Block(NamedTuple):
    """A literal block.

    Attributes:
        line: of the page, where it begins.
        language: of a fence, as in ```python; "" if it does not say one.
        text: what it holds.
        mark: what the comment directly before it says, as in
            <!-- not run: it needs a GPU -->; "" if there is none.
    """

    line: int
    language: str
    text: str
    mark: str


def blocks(text: str) -> list[Block]:
    """Returns the literal blocks of a Markdown text, in order."""
    found, before = [], ""
    for token in MarkdownIt().parse(text):
        if token.type in ("fence", "code_block"):
            line = token.map[0] + 1
            found.append(Block(line, token.info, token.content, before))
        mark = re.fullmatch(r"<!--\s(.*)\s-->\s*", token.content, re.DOTALL)
        is_mark = token.type == "html_block" and mark
        before = " ".join(mark[1].split()) if is_mark else ""
    return found


def spans(text: str) -> list[str]:
    """Returns the literal words in the sentences of a Markdown text."""
    return [
        child.content
        for token in MarkdownIt().enable("table").parse(text)
        for child in token.children or ()
        if child.type == "code_inline"
    ]


def commands(text: str) -> list[list[str]]:
    """Returns the words of each command in a block, as a shell reads them."""
    found, held = [], ""
    for line in text.replace("\\\n", " ").splitlines():
        held += line
        try:
            words = shlex.split(held, comments=True)
        except ValueError:  # a quotation goes on in the next line
            held += "\n"
            continue
        if words:
            found.append(words)
        held = ""
    assert not held, f"a quotation does not end: {held}"
    return found


def of_ours(text: str) -> list[list[str]]:
    """Returns the words behind each `reptile-tf` of a block, in any language.

    Such as in a script or in a YAML file, whose own lines may be no commands.
    """
    lines = text.replace("\\\n", " ").splitlines()
    ours = re.compile(
        r"\s*(?:exec |srun )?(?:reptile-tf|python -m reptile_tf) (.*)"
    )
    found = [ours.match(line) for line in lines]
    return [shlex.split(each[1], comments=True) for each in found if each]


def of_scripts(text: str) -> list[tuple[str, list[str]]]:
    """Returns the benchmarks and tests in a block, and the flags of each."""
    lines = text.replace("\\\n", " ")
    found = re.findall(r"((?:benchmarks|tests)/\S+\.py)(.*)", lines)
    return [(path, re.findall(r" --(\w+)", rest)) for path, rest in found]
