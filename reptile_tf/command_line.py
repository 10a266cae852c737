"""What the scripts share: flags for a preset's fields and for threads."""

import dataclasses
import sys

from absl import app, flags, logging

from reptile_tf import comparison, runtime
from reptile_tf.presets import DESCRIPTIONS, PRESETS, Preset

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
    for field in dataclasses.fields(Preset):
        if field.name not in (*DESCRIPTIONS, *but):
            _DEFINE[field.type](
                field.name, None, f"Overrides the preset's {field.name}."
            )


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
    flags.DEFINE_string("run_dir", run_dir, "Folder of the runs.")
    flags.DEFINE_string("keep", None, "Folder to keep the results in.")
    flags.DEFINE_string("data_dir", None, "TFDS's data_dir.")
    flags.DEFINE_integer("seed", 0, "Of weights, split and tasks.", 0)
    flags.DEFINE_integer("tasks", 1000, "Of each last evaluation.", 2)


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
    signal = comparison.complete(
        given.run_dir,
        experiments,
        given.seed,
        given.data_dir,
        given.tasks,
        **training,
    )
    if signal is not None:
        stopped(signal)
    return comparison.keep(given.run_dir, names, given.keep)


def stopped(signal: int) -> None:
    """Ends a script that a signal stopped."""
    print("Stopped and saved; the same command resumes.")
    sys.exit(128 + signal)


def define_thread_flags() -> None:
    """Defines --intra_op_threads and --inter_op_threads."""
    flags.DEFINE_integer(
        "intra_op_threads", 1, "Threads an operation is split over.", 0
    )
    flags.DEFINE_integer(
        "inter_op_threads", 0, "Operations at a time; 0 for one a core.", 0
    )


def configure_threads() -> None:
    """Applies the thread flags; call it before TensorFlow does anything."""
    runtime.configure(
        flags.FLAGS.intra_op_threads, flags.FLAGS.inter_op_threads
    )


def run(main) -> None:
    """Runs a script's main function as `absl.app.run` does.

    What the package refuses (ValueError) and numbers that are not finite end
    the script with one line; --verbosity=1 shows where it came from.
    """

    def wrapped(argv):
        try:
            return main(argv)
        except (ValueError, FloatingPointError) as error:
            logging.debug("", exc_info=True)
            sys.exit(f"{argv[0]}: {error}")

    app.run(wrapped)
