"""Runs commands in the process of a test."""

import importlib
import sys

from absl import flags


class Command:
    """A command, run in this process; TensorFlow takes long to start."""

    def __init__(self, name):
        self.name = name
        sys.modules.pop(f"reptile_tf.cli.{name}", None)  # define flags anew
        before = set(flags.FLAGS)
        self.module = importlib.import_module(f"reptile_tf.cli.{name}")
        self.own = set(flags.FLAGS) - before

    def parse(self, *args):
        """Gives the flags their values; returns those, and the other words."""
        flags.FLAGS.unparse_flags()
        _, *words = flags.FLAGS([self.name, *args])
        assert not words or hasattr(self.module, "WORDS"), words
        return {name: flags.FLAGS[name].value for name in self.own}, words

    def run(self, *args):
        _, words = self.parse(*args)
        takes_words = hasattr(self.module, "WORDS")
        return self.module.main(*([words] if takes_words else []))

    def forget_flags(self):
        # Two commands may have a flag of the same name.
        for name in self.own:
            delattr(flags.FLAGS, name)


def run_command(name, *args):
    """Runs a command by name, with flags."""
    command = Command(name)
    try:
        return command.run(*args)
    finally:
        command.forget_flags()


def flags_of(name, *args):
    """Returns the values of a command's flags, which must be right."""
    command = Command(name)
    try:
        values, _ = command.parse(*args)
        return values
    finally:
        command.forget_flags()


def flag_names(name):
    """Returns the names of the flags that a command has."""
    command = Command(name)
    command.forget_flags()
    return command.own
