from reptile_tf.cli.main import main

main("page")
