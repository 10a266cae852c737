"""A run folder: train into it, resume from it, evaluate what it holds.

config.json       settings, seed and where the data were
classes.json      the classes of each split, with their numbers of examples
checkpoints/      the newest learners; the last one is the result
logs/             TensorBoard
history.csv       one line for each epoch
evaluation.json   what `evaluate` found on test tasks
"""

import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from reptile_tf.data import sources
from reptile_tf.data.splits import TaskSplits
from reptile_tf.experiments import (
    along_the_way,
    build,
    config_file,
    extension,
    run_settings,
    seeds_file,
    tensorboard_logs,
    workers,
)
from reptile_tf.experiments.epoch_log import NAME as HISTORY
from reptile_tf.experiments.epoch_log import EpochLog, continue_history
from reptile_tf.experiments.own_folder import owned
from reptile_tf.experiments.preset import Preset, of_config, with_whole_paths
from reptile_tf.training import checkpoints
from reptile_tf.training.distribution import Distribution
from reptile_tf.training.learner import MetaLearner
from reptile_tf.training.score import Score
from reptile_tf.utils import paths
from reptile_tf.utils.files import write_json


def evaluation_file(split: str) -> str:
    """Returns the name of the file that an evaluation on a split writes."""
    return f"evaluation{'' if split == 'test' else '_' + split}.json"


class Run:
    """A run folder and the settings of what is in it.

    Args:
        folder: the run folder.
        preset: the experiment.
        seed: of weights, split and tasks.
        data_dir: TFDS's data_dir; TFDS's default if None.

    Attributes:
        signal: number of the signal that came during the training, also where
            it was over by then and nothing was left to stop; else None.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        preset: Preset,
        seed: int,
        data_dir: str | os.PathLike | None = None,
    ):
        self.folder = paths.local("run_dir", folder)
        self.preset, self.seed = with_whole_paths(preset), seed
        self.data_dir = paths.of_tfds("data_dir", data_dir)
        self.signal: int | None = None
        self._tasks: TaskSplits | None = None
        self._learner: MetaLearner | None = None

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike,
        data_dir: str | os.PathLike | None = None,
    ) -> "Run":
        """Returns the run of a folder that `train` wrote.

        Raises:
            ValueError: the folder holds no run, or a damaged one.
        """
        path = paths.local("run_dir", folder) / config_file.NAME
        if not path.is_file():
            seeds_file.require_none(path.parent)
            raise ValueError(
                f"run_dir={folder} holds no run: there is no {path.name} in it"
            )
        config = config_file.read(path)
        return cls(
            folder,
            of_config(config),
            config["seed"],
            config.get("data_dir") if data_dir is None else data_dir,
        )

    def learner(self) -> MetaLearner:
        """Returns the newest learner of the folder.

        Raises:
            ValueError: there is none yet.
        """
        if self._learner is None:
            self._learner = checkpoints.newest(self.folder / "checkpoints")
        if self._learner is None:
            raise ValueError(f"run_dir={self.folder} has no checkpoint yet")
        return self._learner

    def class_sizes(self) -> dict[str, dict[str, int]]:
        """Returns split -> class -> examples, as they were trained on.

        Empty where there are no classes, or the run is of version 0.1.
        """
        return run_settings.class_sizes(self.folder)

    def tasks(self) -> TaskSplits:
        """Returns the training, validation and test tasks, made once.

        Raises:
            ValueError: as of `reptile_tf.experiments.build.make_tasks`; or the
                data set has other classes now than when the run began.
        """
        if self._tasks is None:
            tasks = build.make_tasks(self.preset, self.seed, self.data_dir)
            told = f"dataset={self.preset.dataset} of run_dir={self.folder}"
            run_settings.require_same_classes(self.class_sizes(), tasks, told)
            self._tasks = tasks
        return self._tasks

    def checked(
        self,
        eval_every: int | None = None,
        num_validation_tasks: int | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the settings to train with, and those that the folder holds.

        Arguments and errors are those of `train`.
        """
        held = run_settings.held(self.folder)
        self._keep_division(held)
        settings = self._settings() | along_the_way.chosen(
            self.preset, eval_every, num_validation_tasks, held
        )
        run_settings.require_of_runs(self.folder)
        seeds_file.require_none(self.folder)
        if held:
            run_settings.require_same(self.folder, settings, held)
        else:
            sources.get(self.preset.dataset).require_used(self.preset)
        return settings, held

    def train(
        self,
        checkpoint_every: int = 500,
        eval_every: int | None = None,
        num_validation_tasks: int | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        verbose: int = 1,
        strategy: tf.distribute.Strategy | None = None,
    ) -> int | None:
        """Trains to the end, from the newest checkpoint if there is one.

        A run with fewer outer iterations goes on to those of the preset.

        Args:
            checkpoint_every: outer iterations between checkpoints.
            eval_every: outer iterations between evaluations on validation
                tasks; if None as many as before, or as `along_the_way` says.
            num_validation_tasks: the number of tasks of such an evaluation, at
                least 2; if None likewise.
            callbacks: Keras callbacks besides those that write the folder.
            verbose: as of `MetaLearner.fit`.
            strategy: as of `MetaLearner.fit`.

        Returns:
            The number of the signal that stopped it, None at the end.

        Raises:
            ValueError: a setting is impossible, or contradicts the settings
                of the run that the folder already holds.
        """
        distribution = Distribution(strategy)
        if strategy is not None and distribution.worker:
            return workers.follow(self, strategy, distribution, callbacks)
        settings, held = self.checked(eval_every, num_validation_tasks)
        total, epoch = self.preset.outer_iterations, settings["eval_every"]
        folder = self.folder / "checkpoints"
        newest = checkpoints.newest_iteration(folder)
        self._learner = None
        learner = checkpoints.newest(folder)
        if learner is not None and learner.iteration >= total:
            workers.dismiss(distribution)
            return None
        tasks = self.tasks()
        if learner is None:
            learner = build.make_learner(
                self.preset, self.seed, build.input_shape(tasks.train)
            )
        else:
            made = extension.extend(learner, held, total, self.folder)
            settings |= {"extensions": made} if made else {}
            if verbose:
                at = learner.iteration
                print(f"{self.folder}: resuming at iteration {at}")
        distribution.require(learner.settings)
        with owned(self.folder) as in_place:
            if checkpoints.newest_iteration(folder) != newest:
                raise ValueError(
                    f"run_dir={self.folder} was trained into by another "
                    "process just now; train again to go on from there"
                )
            epochs = learner.iteration // epoch
            continue_history(self.folder / HISTORY, held, epochs)
            history = EpochLog(self.folder / HISTORY, append=True)
            logs = tensorboard_logs.writers(
                self.folder / "logs", learner, tasks
            )
            self._write(settings, tasks)
            how = {
                "outer_iterations": total,
                "iterations_per_epoch": epoch,
                "num_validation_tasks": settings["num_validation_tasks"],
            }
            workers.lead(distribution, learner, tasks, how)
            saved = checkpoints.Checkpoint(learner, folder, checkpoint_every)
            self.signal = workers.train(
                *(learner, tasks, how, saved, strategy),
                [in_place, *logs, history, saved, *callbacks],
                verbose,
            )
        self._learner = learner
        # A signal in the last iteration stopped nothing but its evaluation.
        ended = checkpoints.newest_iteration(folder) >= total
        return None if ended else self.signal

    def evaluate(
        self,
        num_tasks: int,
        modes: Sequence[str] | None = None,
        verbose: int = 1,
        split: str = "test",
        show: Callable[[list[Score]], None] = lambda scores: None,
        strategy: tf.distribute.Strategy | None = None,
    ) -> list[Score]:
        """Evaluates the newest learner; writes what it found to the folder.

        The file is evaluation.json for test tasks, and evaluation_SPLIT.json
        for others. Nothing but this reads test classes.

        Args:
            num_tasks: the number of tasks, at least 2.
            modes: as of `MetaLearner.evaluate`.
            verbose: 1 shows a progress bar.
            split: "train", "validation" or "test"; all with the shots of an
                evaluation.
            show: called with the scores before they are written, which a
                folder may not allow.
            strategy: as of `MetaLearner.evaluate`.

        Returns:
            One score for each mode.

        Raises:
            ValueError: the split is unknown, or has no classes.
        """
        tasks = self.tasks().evaluated(split)
        learner = self.learner()
        scores = learner.evaluate(
            tasks, num_tasks, modes=modes, verbose=verbose, strategy=strategy
        )
        about = self.preset.task_size() | {
            "split": split,
            "seed": self.seed,
            "outer_iterations": learner.iteration,
            "dataset": self.preset.dataset,
        }
        if not Distribution(strategy).worker:
            show(scores)
            write_json(
                self.folder / evaluation_file(split),
                [score.as_dict() | about for score in scores],
            )
        return scores

    def _keep_division(self, held: dict[str, Any]) -> None:
        """Takes over how a run of before version 0.2 divides its classes."""
        if self.preset.validation_classes is None and held:
            self.preset = dataclasses.replace(
                self.preset,
                validation_classes=of_config(held).validation_classes,
            )

    def _write(self, settings: dict[str, Any], tasks: TaskSplits) -> None:
        """Makes the folder this run's, once nothing is left to refuse."""
        settings = settings | {"along_the_way": tasks.along_the_way()}
        write_json(self.folder / config_file.NAME, settings)
        if tasks.class_sizes:
            write_json(self.folder / "classes.json", tasks.class_sizes)
        if not tasks.held_out:  # they tell less than people expect
            print(f"Accuracies along the way: {tasks.along_the_way()}")

    def _settings(self) -> dict[str, Any]:
        return dataclasses.asdict(self.preset) | {
            "seed": self.seed,
            "data_dir": self.data_dir,
            **run_settings.dtype_policy(),
        }
