"""The command `reptile-tf`: one module for each subcommand.

A command's module defines flags when it is imported, and needs no TensorFlow
for that, so that `--help` answers at once; its `main` imports what it uses.
"""
