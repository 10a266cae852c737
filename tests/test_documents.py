"""Every literal block of the documents is run here, or says why it is not.

A block that is not run has a mark directly before it, which readers of the
rendered page do not see:

    <!-- not run: REASON -->
    <!-- run by tests/cli/test_commands.py -->
    <!-- file: NAME.py -->  (it is written to that file)
"""

import dataclasses
import gc
import glob
import os
import re
import runpy
import shutil
import sys
import threading
import time
import types
import urllib.request
from collections.abc import Callable

import literal_blocks
import numpy as np
import pytest
import tensorflow as tf
import uvicorn
from command import Command, flag_names, flags_of
from literal_blocks import PAGES, ROOT
from PIL import Image
from toys import small_network

import reptile_tf as rt
from reptile_tf.cli import main as cli
from reptile_tf.data import sources
from reptile_tf.data.sources import mini_imagenet, registry
from reptile_tf.models import networks
from reptile_tf.serving.server import listening

# What is appended to a command that begins so, in order, that it takes seconds;
# the last value of a flag counts. All else must stand as it is shown.
_FEW = (
    *("--outer_iterations=2", "--meta_batch_size=1", "--inner_steps=1"),
    *("--eval_inner_steps=1", "--num_validation_tasks=2"),
)
SMALLER = {
    "train ": (*_FEW, "--eval_every=2"),
    "train --run_dir": ("--outer_iterations=3",),  # a run that goes further
    "train --preset=mini_imagenet": ("--allow_partial",),
    "evaluate": ("--num_tasks=2",),
    "search": (
        *(*_FEW, "--inner_steps=2", "--trial_iterations=1", "--num_trials=1"),
        "--num_tasks=2",
    ),
    "sine": ("--num_tasks=2", "--steps=1"),
    "adapt": ("--steps=1",),
    ".* --seeds=": ("--seeds=2",),
    ".* --adapting": ("--steps=1", "--max_examples=4"),
}
# So few steps take less time than to compile them.
EAGERLY = ("train", "evaluate", "search", "sine", "adapt", "plot")
# What README.md trains, and other pages, which are read in any order, use.
O55 = "--preset=omniglot_5shot_5way", "--run_dir=runs/o55"
PYTHON_SMALLER = {
    r"\bouter_iterations=\d+": "outer_iterations=2",
    r"\bnum_tasks=\d+": "num_tasks=2",
    r"\bsteps=\d+": "steps=1",
}


def write_pictures(folder, classes, number):
    """Writes folders of noise, where a reader has photos."""
    rng = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for i in range(number):
            pixels = rng.integers(0, 256, (9, 9, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.jpg")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """What a reader has: the checkout, and data under the names in the text."""
    folder = tmp_path_factory.mktemp("documents")
    for name in ("docs", "examples", "saved_models", "results/sine"):
        # What a server asks a model first takes longer than all else here.
        first = shutil.ignore_patterns("tf_serving_warmup_requests")
        shutil.copytree(ROOT / name, folder / name, ignore=first)
    shutil.copy(ROOT / "README.md", folder)
    write_pictures(folder / "PATH", map(str, range(29)), 11)
    write_pictures(folder / "NEW_CLASSES", "abc", 2)
    Image.new("RGB", (9, 9)).save(folder / "new_photo.jpg")
    short = {"train": "train", "validation": "val", "test": "test"}
    for split, names in mini_imagenet.SPLITS.items():
        few = names[:5]  # as many as a task has ways
        write_pictures(folder / "my_mini_imagenet" / short[split], few, 16)
    found = folder / "runs" / "omniglot"
    found.mkdir(parents=True)
    config = ROOT / "results" / "omniglot_5shot_5way" / "config.json"
    shutil.copy(config, found / "best.json")
    return folder


@pytest.fixture(scope="module")
def run_already():
    """The commands that were run, with the values of their flags."""
    return []


@dataclasses.dataclass
class Reader:
    """Runs what a page shows, in the order in which it shows it."""

    monkeypatch: pytest.MonkeyPatch
    run_already: list
    ports: dict
    module: types.ModuleType
    servers: list = dataclasses.field(default_factory=list)

    def read(self, block):
        text = block.text
        for shown, port in self.ports.items():
            text = re.sub(rf"(:|--port=){shown}\b", rf"\g<1>{port}", text)
        if block.mark.startswith("file: "):
            with open(block.mark.removeprefix("file: "), "w") as file:
                file.write(text)
        elif block.language == "python":
            self.python(text)
        else:
            found = literal_blocks.commands(text)
            assert found, "there is nothing to run; mark the block"
            for words in found:
                self.command(*words)

    def python(self, text):
        for pattern, smaller in PYTHON_SMALLER.items():
            text = re.sub(pattern, smaller, text)
        exec(compile(text, "<block>", "exec"), vars(self.module))

    def command(self, program, *words):
        known: dict[str, Callable] = {
            "reptile-tf": self.reptile_tf,
            "python": self.python_command,
            "curl": self.curl,
        }
        assert program in known, f"{program}: run it here, or mark the block"
        known[program](*words)

    def reptile_tf(self, name, *words):
        assert name in cli.COMMANDS, f"reptile-tf {name}: mark the block"
        line = " ".join([name, *words])
        if name != "train" and re.search(r"\bruns/o55\b", line):
            if not os.path.exists("runs/o55"):
                self.reptile_tf("train", *O55)
        words = sum([sorted(glob.glob(x)) or [x] for x in words], [])
        for pattern, smaller in SMALLER.items():
            words += smaller if re.match(pattern, line) else ()
        words += {
            "serve": [f"--rest_api_port={self.ports[8501]}"],
            "page": ["--port=0"],
        }.get(name, [])
        command = Command(name)
        tf.config.run_functions_eagerly(name in EAGERLY)
        try:
            told = (name, *command.parse(*words))
            if name in ("serve", "page"):
                self.serve(command)
            elif told not in self.run_already:
                command.run(*words)
                self.run_already.append(told)
        finally:
            command.forget_flags()
            tf.config.run_functions_eagerly(False)

    def serve(self, command):
        """Serves beside what comes next, as in a second terminal."""
        held, run = [], uvicorn.Server.run

        def run_and_tell(server, *places):
            held.append(server)
            run(server, *places)

        with self.monkeypatch.context() as patch:
            patch.setattr(uvicorn.Server, "run", run_and_tell)
            thread = threading.Thread(target=command.module.main)
            thread.start()
            while not (held and held[0].started):
                assert thread.is_alive()
                time.sleep(0.01)
        self.servers.append((held[0], thread))

    def curl(self, url, flag, body):
        assert flag == "-d"
        with urllib.request.urlopen(url, body.encode(), timeout=60) as answer:
            assert b"outputs" in answer.read()

    def python_command(self, *words):
        if words[0] == "-c":
            return self.python(words[1])
        if words[:2] == ("-m", "reptile_tf"):
            return self.reptile_tf(*words[2:])
        with self.monkeypatch.context() as patch:  # it is a new process
            patch.setattr(registry, "_SOURCES", dict(registry._SOURCES))
            patch.setattr(sys, "argv", list(words))
            patch.setattr(cli, "main", lambda: self.reptile_tf(*sys.argv[1:]))
            runpy.run_path(words[0], run_name="__main__")


@pytest.fixture
def reader(checkout, run_already, monkeypatch):
    """A reader of one page, who has the checkout."""
    monkeypatch.delenv("REPTILE_TF_CACHE")  # the glyphs are drawn once
    monkeypatch.chdir(checkout)
    monkeypatch.syspath_prepend(str(checkout))
    # Omniglot has to be downloaded; the glyphs stand for it.
    omniglot = dataclasses.replace(
        sources.get("omniglot"), load=sources.get("glyphs").load
    )
    monkeypatch.setitem(registry._SOURCES, "omniglot", omniglot)
    monkeypatch.setattr(rt.models, "omniglot_cnn", small_network)
    for name in ("omniglot_cnn", "mini_imagenet_cnn"):
        monkeypatch.setitem(networks.NETWORKS, name, small_network)
    module = types.ModuleType("mine")
    monkeypatch.setitem(sys.modules, "mine", module)
    places = {port: listening.bind("127.0.0.1", 0) for port in (8500, 8501)}
    ports = {port: each.getsockname()[1] for port, each in places.items()}
    for each in places.values():
        each.close()
    known, thresholds = set(sys.modules), gc.get_threshold()
    reader = Reader(monkeypatch, run_already, ports, module)
    yield reader
    for server, thread in reader.servers:
        server.should_exit = True
        thread.join()
    gc.set_threshold(*thresholds)
    for path in checkout.glob("*.py"):
        if path.stem not in known:
            sys.modules.pop(path.stem, None)


# That tf.data is compiled where all else is run eagerly, and that TFLite's
# interpreter will be in another package.
@pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning")
@pytest.mark.filterwarnings("ignore:\\s*Warning. tf.lite.Interp:UserWarning")
@pytest.mark.parametrize("page", PAGES, ids=str)
def test_what_a_page_shows_runs(page, reader):
    for block in literal_blocks.blocks((ROOT / page).read_text()):
        if re.match("not run: .|run by .", block.mark):
            continue
        try:
            reader.read(block)
        except (Exception, SystemExit) as error:
            raise AssertionError(f"{page}:{block.line}") from error


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_what_it_shows_exists(page):
    """Also what is not run here: its commands and flags, and the files."""
    text = (ROOT / page).read_text()
    makefile = (ROOT / "Makefile").read_text()
    for block in literal_blocks.blocks(text):
        for name, *words in literal_blocks.of_ours(block.text):
            flags_of(name, *words)
            if block.mark.startswith("run by "):
                tests = ROOT / block.mark.removeprefix("run by ")
                assert f'"{name}"' in tests.read_text(), block
        for path, flags in literal_blocks.of_scripts(block.text):
            script = (ROOT / path).read_text()
            assert all(f'"{flag}"' in script for flag in flags), block
        for target in re.findall(r"^make ([\w-]+)", block.text, re.MULTILINE):
            assert f"\n{target}:" in makefile, block
    for span in literal_blocks.spans(text):
        name, *words = span.removeprefix("reptile-tf ").split() or [""]
        if span.startswith("reptile-tf ") and name != "COMMAND":
            assert name in (*cli.COMMANDS, "--help"), span
            known = flag_names(name) if words else ()
            assert set(re.findall(r"--(\w+)", " ".join(words))) <= {*known}, (
                span
            )


def test_a_block_without_a_mark_must_run(reader):
    """So that a new block is noticed, whatever it holds."""
    text = "Type\n\n    sudo rm\n\nand\n\n```yaml\na: 1\n```\n"
    for block in literal_blocks.blocks(text):
        with pytest.raises(AssertionError, match="mark the block"):
            reader.read(block)
    [first, second] = literal_blocks.blocks(
        "<!-- not run: it needs\na GPU -->\n\n    x\n\n"
        "<!-- end -->\nText\n\n    y\n"
    )
    assert (first.mark, second.mark) == ("not run: it needs a GPU", "")


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_no_command_is_shown_as_text(page):
    """What is indented below a list belongs to its last point in Markdown."""
    text = (ROOT / page).read_text()
    held = "".join(b.text for b in literal_blocks.blocks(text))
    for line in text.splitlines():
        if re.match("    (reptile-tf|python|pip|make|rt|import) ", line):
            assert line.strip() in held, line


def test_every_table_of_the_documents_is_made():
    """By `reptile-tf record`, which does so for the pages that it knows."""
    made = re.compile(r"^<!-- (\w+): made by .* -->\n(.*)", re.MULTILINE)
    record = (ROOT / "reptile_tf" / "cli" / "record.py").read_text()
    for page in PAGES:
        for name, first in made.findall((ROOT / page).read_text()):
            assert f'"{page}"' in record, name
            assert first.startswith("|"), f"{page}: {name} is empty"
