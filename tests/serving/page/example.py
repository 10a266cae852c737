"""The example that the page loads: the characters in `examples/`, as JSON.

    python tests/serving/page/example.py

writes it anew. The page is in the package, and `examples/` is not.
"""

import base64
import json
import pathlib

ROOT = pathlib.Path(__file__).parents[3]
CHARACTERS = ROOT / "examples" / "characters"
PLACE = ROOT / "reptile_tf" / "serving" / "page" / "static" / "example.json"
QUERY = CHARACTERS / "query" / "kite-1.png"


def example() -> str:
    """Returns the JSON: class name -> pictures, and a query, in base64."""
    support = {
        folder.name: [_base64(path) for path in sorted(folder.glob("*.png"))]
        for folder in sorted((CHARACTERS / "support").iterdir())
    }
    found = {"support": support, "query": _base64(QUERY)}
    return json.dumps(found, indent=1) + "\n"


def _base64(path: pathlib.Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


if __name__ == "__main__":
    PLACE.write_text(example())
