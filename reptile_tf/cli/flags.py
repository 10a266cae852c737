"""What the scripts share: flags for a preset's fields and for threads."""

import dataclasses
import inspect
import re
import signal
import sys

from absl import app, flags, logging

from reptile_tf.experiments import compare as comparison
from reptile_tf.experiments.presets import DESCRIPTIONS, PRESETS, Preset
from reptile_tf.utils import threads as runtime

_DEFINE = {
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}


def define_preset_flags(but=()) -> None:
    """Defines a flag for each setting of a preset, unset by default.

    Args:
        but: settings that the script chooses by itself.
    """
    told = re.findall(
        r"^    (\w+): (.*(?:\n      .*)*)", inspect.getdoc(Preset), re.MULTILINE
    )
    told = {name: " ".join(text.split()) for name, text in told}
    for field in dataclasses.fields(Preset):
        if field.name not in (*DESCRIPTIONS, *but):
            text = f"The preset's if not given: {told[field.name]}"
            _DEFINE[field.type](field.name, None, text, module_name=sys.argv[0])


def preset(name: str) -> Preset:
    """Returns the named preset with the settings that were given as flags."""
    given = {
        field.name: flags.FLAGS[field.name].value
        for field in dataclasses.fields(Preset)
        if field.name in flags.FLAGS
        and flags.FLAGS[field.name].value is not None
    }
    return dataclasses.replace(PRESETS[name], **given)


def define_comparison_flags(run_dir: str) -> None:
    """Defines what `compare` needs; `run_dir` is the folder by default."""
    own = {"module_name": sys.argv[0]}  # so that --help shows them
    flags.DEFINE_string("run_dir", run_dir, "Folder of the runs.", **own)
    flags.DEFINE_string("keep", None, "Folder to keep the results in.", **own)
    flags.DEFINE_string("data_dir", None, "TFDS's data_dir.", **own)
    flags.DEFINE_integer("seed", 0, "Of weights, split and tasks.", 0, **own)
    flags.DEFINE_integer("tasks", 1000, "Of each last evaluation.", 2, **own)


def compare(experiments: dict[str, Preset], names, **training) -> list:
    """Completes experiments, and keeps what there is of all.

    Ends the script if a signal stopped it.

    Args:
        experiments: name of a run -> its settings.
        names: of all the runs that belong together.
        **training: arguments of `Run.train`.

    Returns:
        Where the results of each of `names` are, or will be.
    """
    given = flags.FLAGS
    stopped_by = comparison.complete(
        given.run_dir,
        experiments,
        given.seed,
        given.data_dir,
        given.tasks,
        **training,
    )
    if stopped_by is not None:
        stopped(stopped_by)
    return comparison.keep(given.run_dir, names, given.keep)


def stopped(number: int) -> None:
    """Ends a script that the signal of this number stopped."""
    print("Stopped and saved; the same command resumes.")
    sys.exit(128 + number)


def define_thread_flags() -> None:
    """Defines --intra_op_threads and --inter_op_threads."""
    for name, default, text in (
        ("intra_op_threads", 1, "Threads an operation is split over."),
        ("inter_op_threads", 0, "Operations at a time; 0 for one a core."),
    ):
        flags.DEFINE_integer(name, default, text, 0, module_name=sys.argv[0])


def configure_threads() -> None:
    """Applies the thread flags; call it before TensorFlow does anything."""
    runtime.configure(
        flags.FLAGS.intra_op_threads, flags.FLAGS.inter_op_threads
    )


def run(main) -> None:
    """Runs a script's main function as `absl.app.run` does.

    What the package refuses (ValueError), files and networks that fail, and
    numbers that are not finite end the script with one line; --verbosity=1
    shows where it came from.
    """

    def wrapped(argv):
        if len(argv) > 1:
            raise app.UsageError(
                f"{' '.join(argv[1:])}: settings are flags, as in --seed=1"
            )
        try:
            return main(argv)
        except (ValueError, FloatingPointError, OSError) as error:
            logging.debug("", exc_info=True)
            sys.exit(f"{argv[0]}: {error}")
        except KeyboardInterrupt:
            sys.exit(128 + signal.SIGINT)

    app.run(wrapped)
