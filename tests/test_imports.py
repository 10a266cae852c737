"""What is imported, and what is drawn, changes nothing of other people's."""

import logging
import subprocess
import sys

import absl.logging

from reptile_tf.data import sources
from reptile_tf.utils import log

# Imports every module, draws with each, and tells what is another after it.
CODE = """
import importlib, logging, os, pkgutil, sys, warnings
import absl.logging, grpc, keras, matplotlib, numpy as np, tensorflow as tf
from absl import flags

def state():
    loggers = logging.root.manager.loggerDict
    return {
        "loggers": {
            name: (x.level, x.handlers[:], x.disabled, x.propagate)
            for name, x in [("", logging.root), *loggers.items()]
            if isinstance(x, logging.Logger) and (x.handlers or x.level)
        },
        "absl": absl.logging.get_verbosity(),
        "disabled": logging.root.manager.disable,
        "warnings": warnings.filters[:],
        "showwarning": warnings.showwarning,
        "matplotlib": {k: repr(dict.__getitem__(matplotlib.rcParams, k))
                       for k in dict.keys(matplotlib.rcParams)},
        "environment": dict(os.environ),
        "numpy": (np.get_printoptions(), np.geterr()),
        "keras": [f() for f in (
            keras.config.floatx, keras.config.epsilon, keras.config.backend,
            keras.config.image_data_format,
            keras.config.is_interactive_logging_enabled,
            keras.config.is_traceback_filtering_enabled,
        )],
        "hooks": (sys.excepthook, sys.displayhook),
        "eager": (tf.executing_eagerly(), tf.config.functions_run_eagerly()),
    }

def told(what, before):
    after = state()
    for name, value in before.items():
        if value != after[name]:
            print(what, name, value, after[name])
    return after

now = state()
import reptile_tf
for module in pkgutil.walk_packages(reptile_tf.__path__, "reptile_tf."):
    if module.name == "reptile_tf.__main__":
        continue
    importlib.import_module(module.name)
    now = told(module.name, now)
    # Two commands may have a flag of one name.
    known = flags.FLAGS.flags_by_module_dict()
    for flag in list(known.get(module.name, ())):
        delattr(flags.FLAGS, flag.name)

from reptile_tf.experiments import task_plots
from reptile_tf.paper import figures
folder = sys.argv[1]
task = reptile_tf.SineWaves(5).sample(0)
task_plots.sine_wave(task, {"a": {0: task.query_y}}, f"{folder}/sine.png")
x, y = np.zeros([2, 3, 3, 1], "float32"), np.arange(2)
task = reptile_tf.Task(x, y, x, y, None)
task_plots.few_shot_task(task, np.eye(2), ["a", "b"], f"{folder}/task.png")
entry = {"algorithm": "maml", "alpha": 0.1, "remainder": 0.1}
figures.remainders([entry], f"{folder}/remainders.png")
now = told("drawing", now)
assert "matplotlib.pyplot" not in sys.modules or not (
    sys.modules["matplotlib.pyplot"].get_fignums())
"""


def test_no_module_changes_what_is_not_its_own(tmp_path):
    process = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout == ""
    assert len(list(tmp_path.glob("*.png"))) == 3


def without_handlers(monkeypatch):
    """The root logger, without those that pytest gives it."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    return root


def test_loading_data_leaves_the_root_logger_alone(monkeypatch, capfd):
    """TFDS logs by absl, which gives a root logger without handlers one."""

    class Module:
        def load(settings, seed, data_dir):
            absl.logging.warning("a warning of TFDS")

    monkeypatch.setattr(sources.importlib, "import_module", lambda _: Module)
    root = without_handlers(monkeypatch)
    sources._loader("glyphs")(None, 0, None)
    assert root.handlers == []
    assert "a warning of TFDS" in capfd.readouterr().err


def test_handlers_that_there_are_stay(monkeypatch):
    root, own = without_handlers(monkeypatch), logging.NullHandler()
    root.addHandler(own)
    with log.root_logger_kept():
        absl.logging.warning("unseen")
    assert root.handlers == [own]
