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
        self._own = set(flags.FLAGS) - before

    def run(self, *args):
        flags.FLAGS.unparse_flags()
        _, *words = flags.FLAGS([self.name, *args])
        takes_words = hasattr(self.module, "WORDS")
        return self.module.main(*([words] if takes_words else []))

    def forget_flags(self):
        # Two commands may have a flag of the same name.
        for name in self._own:
            delattr(flags.FLAGS, name)


def run_command(name, *args):
    """Runs a command by name, with flags."""
    command = Command(name)
    try:
        return command.run(*args)
    finally:
        command.forget_flags()
