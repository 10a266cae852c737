"""Finds the subcommand, shows help, and runs the rest of the command line."""

import contextlib
import difflib
import errno
import importlib
import os
import re
import signal
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType

from absl import app, flags, logging

from reptile_tf.cli import flags as shared_flags
from reptile_tf.cli import output
from reptile_tf.utils import docstrings, home, log, paths

COMMANDS = {
    "tour": "Learn to learn characters, in a few minutes, with pictures.",
    "train": "Meta-train a preset into a run folder, or resume one.",
    "search": "Search settings by CMA-ES, on validation tasks alone.",
    "evaluate": "Evaluate a run on test, validation or training tasks.",
    "export": "Export a run, to adapt inside a server or as one file.",
    "evaluate_export": "Evaluate an exported model as a client would.",
    "serve": "Serve exported models over TF Serving's REST API and gRPC.",
    "page": "Draw characters in a browser, and see a model learn them.",
    "adapt": "Learn your classes from a few pictures; write a model of them.",
    "classify": "Classify pictures of yours.",
    "sine": "Measure and draw how sine waves are learned (Figure 1).",
    "compare_gradients": "Compare combinations of inner gradients (Figure 3).",
    "compare_algorithms": "Compare MAML, FOMAML and Reptile on Omniglot.",
    "analyze_gradients": "Check the meta-gradients' expansion (section 4.1).",
    "solution_manifolds": "Check the distance to solutions (section 4.2).",
    "plot": "Draw runs, also beside one another, or what a search found.",
    "record": "Keep a run's results; make the documents' tables and pictures.",
}

# What absl says of a flag that must be given.
_NOT_GIVEN = re.compile(
    r"flag --(\w+)=None: Flag --\w+ must have a value other than None\."
)

_HELP = ("--help", "-help", "-h", "--helpshort")


def main(*before: str) -> None:
    """Runs `reptile-tf COMMAND --FLAG=VALUE ...` with this process's words.

    Args:
        *before: words that come before those of this process.
    """
    with output.minded():
        _main([*before, *sys.argv[1:]])


def _main(words: list[str]) -> None:
    if not words or words[0] in (*_HELP, "help"):
        print(overview())
        return
    name, *rest = words
    if name.startswith("-"):
        sys.exit(
            f"reptile-tf: the command comes before its flags; received {name}\n"
            "reptile-tf --help lists the commands"
        )
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        sys.exit(
            f"reptile-tf: there is no command {name!r}{hint}\n"
            "reptile-tf --help lists the commands"
        )
    command = importlib.import_module(f"reptile_tf.cli.{name}")
    shared_flags.define_threads()
    if any(word in _HELP for word in rest):
        print(help_of(name, command))
        return
    app.run(
        lambda argv: _run(name, command, argv[1:]),
        [f"reptile-tf {name}", *rest],
        flags_parser=lambda argv: _parse(argv, hasattr(command, "WORDS")),
    )


def overview() -> str:
    """Returns what `reptile-tf --help` says."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "Few-shot learning by Reptile and its relatives.",
            "",
            "usage: reptile-tf COMMAND --FLAG=VALUE ...",
            "",
            *lines,
            "",
            "reptile-tf COMMAND --help explains a command and its flags.",
        ]
    )


def help_of(name: str, command: ModuleType) -> str:
    """Returns what `reptile-tf NAME --help` says."""
    own = flags.FLAGS.get_key_flags_for_module(command)
    threads = [flags.FLAGS[f"{x}_op_threads"] for x in ("intra", "inter")]
    own = [flag for flag in own if flag not in threads]
    told = [docstrings.of(command).strip(), ""]
    if words := getattr(command, "WORDS", ""):
        told += [words, ""]
    told.append("Flags:")
    for flag in [*sorted(own, key=lambda flag: flag.name), *threads]:
        told.append(_flag_help(flag))
    told.append("  --verbosity=1\n      Shows TensorFlow's own messages, too.")
    return "\n".join(told)


def _flag_help(flag: flags.Flag) -> str:
    """Returns a flag's name, what it takes, its default and its meaning."""
    choices = getattr(flag.parser, "enum_values", None)
    kind = "|".join(choices) if choices else flag.parser.flag_type()
    head = f"  --{flag.name}=<{kind}>"
    if flag.default is not None:
        default = flag.default
        values = default if isinstance(default, list) else [default]
        head += f" (default: {', '.join(map(str, values))})"
    text = flag.help.removeprefix(f"<{kind}>: ")  # absl puts these there
    text = text.split(";\n    repeat this option")[0].rstrip(";")
    return f"{head}\n{flags.text_wrap(text, 80, '      ')}"


def _parse(argv: Sequence[str], takes_words: bool = False) -> list[str]:
    """Gives the flags their values; ends the command if that cannot be.

    Returns:
        The name of the command, and the words that are no flags.
    """
    name = argv[0]
    try:
        _, *words = flags.FLAGS(argv)
        stray = [] if takes_words else words
        problem = "settings are flags, as in --seed=1" if stray else ""
    except flags.Error as error:
        if isinstance(error.__context__, paths.PathError):
            sys.exit(f"{name}: {error.__context__}")
        words, stray, problem = [], [], str(error)
    if problem:
        problem = _NOT_GIVEN.sub(r"--\1 must be given", problem)
        problem = ": ".join([*stray, problem])
        sys.exit(f"{name}: {problem}\n{name} --help explains the flags")
    return [name, *words]


def _run(name: str, command: ModuleType, words: Sequence[str] = ()) -> None:
    """Runs a command; what goes wrong as users' work does is one line.

    Args:
        name: of the command.
        command: its module.
        words: that are no flags; a command that takes some says so by `WORDS`.
    """
    warnings.showwarning = lambda message, *_, **__: print(
        f"reptile-tf {name}: {message}", file=sys.stderr
    )
    try:
        _start_tensorflow()
        command.main(*([words] if hasattr(command, "WORDS") else []))
    except BrokenPipeError:  # whoever read what it prints is gone
        raise
    except (
        ValueError,
        FloatingPointError,
        OSError,
        MemoryError,
        ModuleNotFoundError,
    ) as error:
        logging.debug("", exc_info=True)
        sys.exit(f"reptile-tf {name}: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except Exception as error:
        reason = _reason_of_tensorflow(error)
        if reason is None:
            raise
        logging.debug("", exc_info=True)
        sys.exit(f"reptile-tf {name}: {reason}")


def _reason_of_tensorflow(error: BaseException) -> str | None:
    """Returns what TensorFlow says of a file or of memory, in one line.

    It has errors of its own where Python has an OSError; the others are of what
    it computes, and of interest to programmers alone.
    """
    known = sys.modules.get("tensorflow")
    if isinstance(error, RuntimeError) and error.__cause__ is not None:
        error = error.__cause__  # as of TFDS
    if known is None or not isinstance(error, known.errors.OpError):
        return None
    reason = " ".join((error.message or "").splitlines()[:1])
    reason = re.sub(r"\{\{.*?\}\} ?", "", reason)  # where in the graph
    if any(os.strerror(number) in reason for number in _OF_FILES):
        return f"{reason}; make room there, or write to another place"
    if isinstance(error, known.errors.ResourceExhaustedError):
        return f"{reason}; use smaller batches, or fewer tasks at a time"
    return None


# Why files cannot be written.
_OF_FILES = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
    *(errno.EROFS, errno.EACCES, errno.EPERM),
)


def _start_tensorflow() -> None:
    """Imports TensorFlow without its messages, and makes it fast."""
    home.make_do()
    given = flags.FLAGS
    if not given["verbosity"].present:  # TFDS logs much that nobody asked for
        logging.set_verbosity(logging.ERROR)
    quiet: contextlib.AbstractContextManager = contextlib.nullcontext()
    if given.verbosity < 1:
        log.quiet_tensorflow()
        quiet = log.held_back()
    from reptile_tf.utils import backend, machine

    with quiet:
        machine.configure_tensorflow(
            given.intra_op_threads, given.inter_op_threads
        )
    backend.require_tensorflow()


def stopped(number: int) -> None:
    """Ends a command that the signal of this number stopped."""
    print("Stopped and saved; the same command resumes.")
    sys.exit(128 + number)
