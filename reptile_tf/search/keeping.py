"""Searches among the results: what of a search is kept, and its pictures."""

import json
import pathlib
import shutil

from reptile_tf.search import outcome, pictures, search_log
from reptile_tf.utils.files import whole_file, write_json


def keep(search: pathlib.Path, folder: pathlib.Path) -> None:
    """Copies a search's log, table and best settings, and draws it.

    Args:
        search: the search's folder.
        folder: where to copy them.

    Raises:
        ValueError: the log is damaged, or has no result yet.
    """
    for name in (search_log.NAME, outcome.TABLE):
        with whole_file(folder / name) as part:
            shutil.copyfile(search / name, part)
    if (search / outcome.BEST).exists():
        best = json.loads((search / outcome.BEST).read_text())
        # Where the data were is no setting.
        write_json(folder / outcome.BEST, best | {"data_dir": None})
    pictures.draw(folder, folder)


def redraw(results: pathlib.Path) -> None:
    """Draws all searches that are kept."""
    for log in results.rglob(search_log.NAME):
        if (log.parent / outcome.TABLE).exists():  # or it is no result yet
            pictures.draw(log.parent, log.parent)
