"""A search in a folder: begun, gone on with, and shared between processes.

search.jsonl      its log: settings, what was drawn, and how it did
search.json       how many trials were asked for, and where the data are
trials/           a run folder for each trial
best.json         the best settings so far, for `train --config`
search.csv        a line for each trial
"""

import dataclasses
import hashlib
import json
import os
import pathlib
from typing import Any

from reptile_tf.data import sources
from reptile_tf.data.sources import ClassSource
from reptile_tf.data.task_settings import TaskSettings
from reptile_tf.experiments import build, config_file
from reptile_tf.experiments.preset import Preset
from reptile_tf.search import outcome, samplers, search_log
from reptile_tf.search.search_settings import SearchSettings
from reptile_tf.search.space import Space
from reptile_tf.search.trials import Generation, History, Result, Trial, costs
from reptile_tf.utils import paths
from reptile_tf.utils.files import write_json
from reptile_tf.utils.validation import require_at_least, require_writable

# In the log: a digest of the classes of each split, and of their sizes.
_CLASSES = "classes"
TRIALS = "trials"
_TOLD = "search.json"


class Search:
    """A search and its folder; any number of processes may have one of it.

    Args:
        folder: of the search.
        settings: of the search.
        data_dir: TFDS's data_dir; TFDS's default if None.

    Raises:
        ValueError: the space does not suit the preset.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        settings: SearchSettings,
        data_dir: str | os.PathLike | None = None,
    ):
        self.folder, self.settings = paths.local("run_dir", folder), settings
        self.data_dir = paths.of_tfds("data_dir", data_dir)
        self._log = search_log.SearchLog(self.folder)
        self._space = Space.parse(settings.space)
        self._start = self._space.start(settings.preset)
        self._asked: dict[tuple, str | None] = {}

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike,
        data_dir: str | os.PathLike | None = None,
    ) -> "Search":
        """Returns the search of a folder.

        Raises:
            ValueError: there is none, or its log is damaged.
        """
        entries = search_log.SearchLog(folder).read()
        if not entries:
            raise ValueError(
                f"run_dir={folder} holds no search: there is no "
                f"{search_log.NAME} in it"
            )
        return cls(folder, SearchSettings.of(entries[0]), data_dir)

    @classmethod
    def told(cls, folder: str | os.PathLike) -> dict[str, Any]:
        """Returns the num_trials and data_dir that were given last."""
        path = paths.local("run_dir", folder) / _TOLD
        try:
            told = json.loads(path.read_text()) if path.exists() else {}
            return {name: told.get(name) for name in ("num_trials", "data_dir")}
        except (ValueError, AttributeError) as error:
            raise ValueError(
                f"{path} is damaged: {error}; remove it, and give --num_trials "
                "and --data_dir again"
            ) from error

    def begin(self, num_trials: int | None = None) -> None:
        """Makes the folder this search's, or finds that it is.

        Args:
            num_trials: kept for who goes on with it, if given.

        Raises:
            ValueError: the folder holds another search, or one of other data;
                or the preset's tasks cannot be made, or hold no classes out
                for validation.
        """
        require_writable(run_dir=self.folder)
        if (self.folder / config_file.NAME).exists():
            raise ValueError(
                f"run_dir={self.folder} holds a run; search into another folder"
            )
        source = sources.get(self.settings.preset.dataset)
        held = self.settings.preset.validation_classes
        if held is None and isinstance(source, ClassSource):
            held = int(source.holds_out)
        if held == 0:  # before data are loaded, or even downloaded
            raise self._nothing_held_out()
        source.require_used(self.settings.preset)
        tasks = build.make_tasks(
            self.settings.preset, self.settings.seed, self.data_dir
        )
        if not tasks.held_out:
            raise self._nothing_held_out()
        text = json.dumps(tasks.class_sizes, sort_keys=True)
        classes = hashlib.sha256(text.encode()).hexdigest()[:16]
        with self._log.held():
            entries = self._log.read()
            if entries:
                theirs = SearchSettings.of(entries[0])
                self.settings.require_same(theirs, self.folder)
                if entries[0].get(_CLASSES, classes) != classes:
                    raise ValueError(
                        f"dataset={self.settings.preset.dataset} has other "
                        "classes, or other numbers of their examples, than "
                        f"when the search in run_dir={self.folder} began; use "
                        "the data as they were, or another run_dir"
                    )
            else:
                if any((self.folder / TRIALS).glob("*")):
                    raise ValueError(
                        f"run_dir={self.folder} holds trials, and no "
                        f"{search_log.NAME} that says what they are of; put "
                        "back a copy of it, or search into another run_dir"
                    )
                entry = self.settings.entry() | {_CLASSES: classes}
                self._log.append(entry)
        if num_trials is not None:
            told = {"num_trials": num_trials, "data_dir": self.data_dir}
            write_json(self.folder / _TOLD, told)

    def _nothing_held_out(self) -> ValueError:
        return ValueError(
            f"dataset={self.settings.preset.dataset} holds no classes out of "
            "the training classes here, and a search must choose neither by "
            "the classes that it trains on nor by test classes; give "
            "--validation_classes=100, or as many as can be spared"
        )

    def folder_of(self, trial: int) -> pathlib.Path:
        """Returns the run folder of a trial, by the trial's number."""
        return self.folder / TRIALS / f"{trial:03d}"

    def generation_size(self) -> int:
        """Returns the trials of a generation but the first."""
        return self._sampler(History([])).generation_size

    def history(self) -> History:
        """Returns what has been tried and found so far, by anybody."""
        return History(self._entries())

    def _entries(self) -> list[dict[str, Any]]:
        entries = self._log.read()
        if not entries:
            raise ValueError(
                f"{self._log.path} is gone; put back a copy of it, or search "
                "into another run_dir"
            )
        return entries

    def open_trials(self, num_trials: int) -> list[Trial]:
        """Returns the trials that can be made now.

        They are of one generation. The next one is drawn as soon as all
        results of this one are there, so that it does not depend on who found
        them, nor on when.

        Args:
            num_trials: the trials of the whole search, at least 1.

        Returns:
            Trials without a result, some of which others may be at; none at
            the end of the search.
        """
        require_at_least(1, num_trials=num_trials)
        with self._log.held():
            history = self.history()
            trials = history.open_trials(num_trials)
            if not trials and len(history.trials()) < num_trials:
                self._log.append(self._next(history).entry())
                trials = self.history().open_trials(num_trials)
            return trials

    def tell(self, result: Result) -> None:
        """Keeps the result of a trial."""
        with self._log.held():
            if result.trial not in self.history().results:
                self._log.append(result.entry())
            self._write()

    def write(self) -> None:
        """Writes best.json and search.csv, if there is a result yet."""
        with self._log.held():
            self._write()

    def _write(self) -> None:
        history = self.history()
        if history.results:
            outcome.write(self.folder, self.settings, history, self.data_dir)

    def _next(self, history: History) -> Generation:
        """Returns the generation that follows those with results."""
        number = len(history.generations)
        if not number:  # the preset itself, which a search has to beat
            names = self._space.names
            own = {name: getattr(self.settings.preset, name) for name in names}
            return Generation((Trial(0, 0, own, []),), {})
        sampler = self._sampler(history)
        first = len(history.trials())
        drawn = sampler.ask(number, self._refusal)
        trials = [
            Trial(first + i, number, each.values, each.point)
            for i, each in enumerate(drawn)
        ]
        return Generation(tuple(trials), sampler.spread())

    def _sampler(self, history: History) -> samplers.Sampler:
        """Returns the sampler as it is after all that it was told."""
        make = samplers.METHODS[self.settings.method]
        sampler = make(self._space, self._start, self.settings.seed)
        for generation in history.generations[1:]:
            results = [history.results[t.number] for t in generation.trials]
            points = [trial.point for trial in generation.trials]
            sampler.tell(points, costs(results))
        return sampler

    def _refusal(self, values: dict[str, Any]) -> str | None:
        """Returns why settings cannot be tried; None where they can."""
        try:
            preset = self.settings.trial(values)
            build.require_possible(preset)
        except ValueError as error:
            return str(error)
        # Only what the tasks are made of asks the data.
        fields = dataclasses.fields(TaskSettings)
        key = tuple(getattr(preset, field.name) for field in fields)
        if key not in self._asked:
            self._asked[key] = self._refusal_of_data(preset)
        return self._asked[key]

    def _refusal_of_data(self, preset: Preset) -> str | None:
        try:
            build.make_tasks(preset, self.settings.seed, self.data_dir)
        except ValueError as error:
            return str(error)
        return None
