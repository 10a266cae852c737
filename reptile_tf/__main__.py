"""`python -m reptile_tf` is the command `reptile-tf`."""

from reptile_tf.cli.main import main

main()
