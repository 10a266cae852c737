"""Figures are legible at a column's width, and say what they are of."""

import colorsys
import json
import pathlib
import shutil

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from reptile_tf.data.sine import SineWaves
from reptile_tf.data.task import Task
from reptile_tf.experiments import (
    curves,
    figure_style,
    plots,
    run_pictures,
    seeds_file,
    task_plots,
    words,
)
from reptile_tf.experiments.presets import FIGURE_3
from reptile_tf.paper import figures
from reptile_tf.search import pictures

RESULTS = pathlib.Path(__file__).parents[2] / "results"
CURVES = [RESULTS / "figure3" / name for name in FIGURE_3]
MODES = ["transductive", "support and query", "support"]


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were drawn; no files, which take long."""
    found = []

    def draw(figure, *_, **__):
        FigureCanvasAgg(figure).draw()
        found.append(figure)

    monkeypatch.setattr(Figure, "savefig", draw)
    return found


def shown(figure):
    """The texts that there are to read."""
    return [
        text
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text()
    ]


def read(figure):
    return " ".join(" ".join(t.get_text() for t in shown(figure)).split())


def require_legible(figure, width=figure_style.COLUMN):
    """Of that width; no letter too small or cut off; legends cover nothing."""
    assert figure.get_figwidth() == width
    assert min(text.get_fontsize() for text in shown(figure)) >= 7
    page = figure.bbox.padded(1)
    for axis in figure.axes:
        box = axis.get_tightbbox()
        assert page.x0 <= box.x0 and box.x1 <= page.x1
        assert page.y0 <= box.y0 and box.y1 <= page.y1
        assert axis.get_legend() is None
    for legend in figure.legends:
        own = legend.get_window_extent()
        assert page.x0 <= own.x0 and own.x1 <= page.x1 and page.y0 <= own.y0
        for axis in figure.axes:
            assert not own.overlaps(axis.get_tightbbox())
    for text in figure.texts:
        box = text.get_window_extent()
        assert page.x0 <= box.x0 and box.x1 <= page.x1
        for other in figure.texts:
            assert other is text or not box.overlaps(other.get_window_extent())
    for axis in figure.axes:  # what was drawn is within the axes
        low, high = axis.get_xlim()
        for each in axis.lines:
            x = np.asarray(each.get_xdata(), float)
            assert low <= x.min() and x.max() <= high


def test_a_learning_curve_is_legible_and_says_what_it_is_of(drawn, tmp_path):
    for name, about in (
        ("tour", "Tasks of validation classes, 95% intervals"),
        ("omniglot_5shot_5way", "Tasks of test classes, 95% intervals"),
        ("sine", "50 validation tasks, 95% intervals"),
    ):
        plots.learning_curve(RESULTS / name / "history.csv", tmp_path / "a.png")
        require_legible(drawn[-1])
        assert about in read(drawn[-1])
    assert "mean squared error" in read(drawn[-1])
    for figure in drawn[:2]:
        assert all(mode in read(figure) for mode in MODES)
        accuracies = figure.axes[1]
        low, high = accuracies.get_ylim()
        assert 0 <= low and high == 1
        for area in accuracies.collections:  # the bands
            assert area.get_paths()[0].vertices[:, 1].max() <= 1


def test_runs_are_compared_in_words_along_their_training(drawn, tmp_path):
    run_pictures.curves_together(CURVES, tmp_path / "a.png")
    require_legible(drawn[0])
    [legend] = drawn[0].legends
    names = [text.get_text() for text in legend.get_texts()]
    assert len(names) == 10 and "_" not in "".join(names)
    assert {"Reptile, mean of 2", "gradient 2 alone"} < set(names)
    assert not drawn[0].axes[0].collections  # ten bands would hide each other
    few = dict(zip("abcd", CURVES, strict=False))
    plots.learning_curves(few, tmp_path / "a.png")
    assert len(drawn[1].axes[0].collections) == 4
    assert "95% intervals" in read(drawn[1])


@pytest.fixture
def seeds(tmp_path):
    """A folder of two seeds with histories, which is not evaluated."""
    folder = tmp_path / "seeds"
    seeds_file.write(folder, [0, 1])
    for run in seeds_file.run_folders(folder):
        run.mkdir()
        for name in ("config.json", "history.csv"):
            shutil.copy(CURVES[0] / name, run)
    return folder


def test_the_mean_of_seeds_is_told_from_a_run(drawn, seeds, tmp_path):
    for runs, told in (
        ([seeds, seeds], ", mean and range of the seeds"),
        ([seeds, CURVES[1]], "95% intervals, or the range of the seeds"),
        ([seeds, *CURVES[:4]], ", mean of the seeds"),
    ):
        named = dict(zip("abcde", runs, strict=False))
        plots.learning_curves(named, tmp_path / "a.png")
        require_legible(drawn[-1])
        assert told in read(drawn[-1])
    assert "intervals" not in read(drawn[-1])


def test_what_is_not_drawn_of_seeds_is_told(drawn, seeds, tmp_path):
    made, left_out = run_pictures.of_one(seeds, tmp_path)
    assert made == [tmp_path / "learning_curves.png"]
    assert all("until it is evaluated" in line for line in left_out)
    assert len(left_out) == 2
    with pytest.raises(ValueError, match="name one of these, .*seeds/seed-0"):
        run_pictures.of_one(seeds, tmp_path, task=3)


def test_runs_with_different_numbers_of_tasks(drawn, tmp_path):
    runs = {}
    for number in (100, 25):
        run = runs[str(number)] = tmp_path / str(number)
        shutil.copytree(RESULTS / "tour", run)
        config = json.loads((run / "config.json").read_text())
        config["num_validation_tasks"] = number
        (run / "config.json").write_text(json.dumps(config))
    plots.learning_curves(runs, tmp_path / "a.png")
    assert " 25 or 100 tasks of validation classes, 95%" in read(drawn[0])
    runs |= {"old": RESULTS / "omniglot_5shot_5way"}  # which does not say it
    told = "tasks of test classes or 25 or 100 tasks of validation classes"
    plots.learning_curves(runs, tmp_path / "a.png")
    assert told in read(drawn[1]) and " 0 tasks" not in read(drawn[1])


def test_short_runs_count_whole_iterations(drawn, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(RESULTS / "tour", run)
    lines = (run / "history.csv").read_text().splitlines()
    (run / "history.csv").write_text("\n".join(lines[:2]) + "\n")
    config = json.loads((run / "config.json").read_text())
    for iterations in (1, 10):
        config |= {"outer_iterations": iterations, "eval_every": 10}
        (run / "config.json").write_text(json.dumps(config))
        plots.learning_curves({"a": run}, tmp_path / "a.png")
        axis = drawn[-1].axes[0]
        low, high = axis.get_xlim()
        ticks = [t for t in axis.get_xticks() if low <= t <= high]
        assert 1 < len(ticks) and ticks == list(map(int, ticks))
        [interval] = axis.collections[0].get_segments()  # of one evaluation
        assert np.ptp(interval[:, 1]) > 0


def test_markers_at_an_edge_are_whole(drawn, tmp_path):
    plots.learning_curves({"a": CURVES[0]}, tmp_path / "a.png")
    entry = {"mode": "support", "accuracy": 1.0, "ci95": 0.0, "num_tasks": 2}
    plots.comparison({"a": [entry]}, tmp_path / "a.png")
    for figure in drawn:
        for axis in figure.axes:
            low, high = axis.get_ylim()
            for line in axis.lines:
                assert not line.get_clip_on()
                y = np.asarray(line.get_ydata(), float)
                assert min(low, high) <= y.min() and y.max() <= max(low, high)


def test_an_error_of_0_lies_at_the_edge_of_its_scale(drawn, tmp_path):
    history = RESULTS / "omniglot_5shot_5way" / "history.csv"
    assert ",1.0," in history.read_text()
    plots.learning_curves({"a": history.parent}, tmp_path / "a.png")
    require_legible(drawn[0])
    axis = drawn[0].axes[0]
    low, _ = axis.get_ylim()
    found = 1 - np.array(curves.read(history).values["transductive"])
    [line] = axis.lines
    np.testing.assert_allclose(
        line.get_ydata(), np.where(found > 0, found, low), rtol=1e-6
    )
    assert (found == 0).any() and low < found[found > 0].min() / 2
    assert "0%" in read(drawn[0]).split()


def test_evaluations_are_compared_with_their_intervals(drawn, tmp_path):
    """These end at 100%, and the figure says modes and number of tasks."""

    def entries(value, num_tasks=1000):
        about = {"ci95": 0.02, "num_tasks": num_tasks, "ways": 5}
        names = (mode.replace(" ", "_") for mode in MODES)
        return [{"mode": m, "accuracy": value} | about for m in names]

    found = {f"Reptile, mean of {i}": entries(0.9 + i / 100) for i in range(10)}
    plots.comparison(found, tmp_path / "a.png")
    [axis] = drawn[0].axes
    require_legible(drawn[0])
    assert "accuracy on 1,000 test tasks, 95% intervals" in read(drawn[0])
    assert all(mode in read(drawn[0]) for mode in MODES)
    ends = [area.get_segments() for area in axis.collections]
    right = np.array(ends)[..., 1, 0]
    assert right.max() == 1 and (right == 1).sum() == 6  # of 0.98 and 0.99
    assert axis.get_xlim()[1] <= 1
    plots.comparison({"a": entries(0.5), "b": entries(0.6, 9)}, tmp_path / "b")
    assert "a 1,000 tasks b 9 tasks" in read(drawn[1])
    other = [{"mode": "support", "mean_squared_error": 0.1, "num_tasks": 2}]
    with pytest.raises(ValueError, match="accuracy and mean_squared_error"):
        plots.comparison({"a": entries(0.5), "b": other}, tmp_path / "c")
    of_seeds = [each | {"ci95_over_seeds": 0.1} for each in entries(0.5)]
    mixed = {"FOMAML, glyphs, 3 seeds": of_seeds, "a" * 9: entries(0.5)}
    plots.comparison(mixed, tmp_path / "a.png", 2.7)
    require_legible(drawn[-1], 2.7)
    assert "intervals over tasks, or over seeds" in read(drawn[-1])
    assert "FOMAML, glyphs,\n3\xa0seeds" in {
        t.get_text() for t in shown(drawn[-1])
    }


def test_tasks_are_drawn_legibly(drawn, tmp_path):
    images = np.zeros([20, 8, 8, 3], np.float32)
    labels = np.repeat(np.arange(2), 10)
    task = Task(images, labels, images[::10], np.arange(2), None)
    names = ["a", "LATIN CAPITAL LETTER " * 4]
    answers = np.eye(2)[[0, 0]]
    task_plots.few_shot_task(task, answers, names, tmp_path / "a.png")
    require_legible(drawn[0])
    assert "the first 8 of 10" in read(drawn[0])
    assert "0 (100%), right" in read(drawn[0])  # told without a colour
    assert "0 (100%), WRONG" in read(drawn[0])
    assert len(drawn[0].axes) == 2 * (8 + 1)
    wave = SineWaves(5).sample(0)
    answers = {n: wave.query_y for n in (0, 1, 32)}
    named = dict.fromkeys(("Reptile", "MAML", "random weights"), answers)
    task_plots.sine_wave(wave, named, tmp_path / "a.png")
    require_legible(drawn[1])
    assert "1 step 32 steps" in read(drawn[1])
    below = [axis.get_xlabel() for axis in drawn[1].axes]
    assert below == ["", "x", "x"]  # nothing is below the second


def test_searches_and_theory_are_drawn_legibly(drawn, tmp_path):
    pictures.draw(RESULTS / "search/cma", tmp_path)
    assert "outer step size" in read(drawn[1])
    for name in ("expansion/expansion.json", "manifolds/manifolds.json"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(RESULTS / name, tmp_path / name)
    figures.redraw(tmp_path)
    assert len(drawn) == 5
    for figure in drawn:
        require_legible(figure)


def test_panels_are_beside_one_another_where_there_is_room(drawn, tmp_path):
    history = RESULTS / "tour" / "history.csv"
    for width in (figure_style.COLUMN, 6.9):
        plots.learning_curve(history, tmp_path / "a.png", width)
        require_legible(drawn[-1], width)
    narrow, wide = (
        [axis.get_position().x0 for axis in figure.axes] for figure in drawn
    )
    assert narrow[0] == narrow[1] and wide[0] < 0.5 < wide[1]


def test_lines_differ_without_their_colours():
    looks = [figure_style.line(i, 50) for i in range(20)]
    assert len({(str(x["linestyle"]), x["marker"]) for x in looks}) == 20
    assert len({x["markevery"] for x in looks[:9]}) == 9


def test_neighbours_are_of_different_lightness():
    """As a printer without colours has them."""
    grey = [
        colorsys.rgb_to_yiq(*to_rgb(color))[0] for color in figure_style.COLORS
    ]
    assert min(abs(np.diff(grey))) > 0.1


def test_a_style_of_the_user_is_neither_used_nor_changed(drawn, tmp_path):
    import matplotlib

    with matplotlib.rc_context({"font.size": 3, "axes.facecolor": "red"}):
        history = RESULTS / "tour" / "history.csv"
        plots.learning_curve(history, tmp_path / "a.png")
        assert matplotlib.rcParams["font.size"] == 3
    require_legible(drawn[0])
    assert drawn[0].axes[0].get_facecolor() == (1, 1, 1, 1)


def test_the_same_numbers_give_the_same_file(tmp_path):
    for kind, start in (("pdf", b"%PDF"), ("svg", b"<?xml"), ("png", b"\x89P")):
        for name in "ab":
            path = tmp_path / f"{name}.{kind}"
            with figure_style.figure(path) as [axis]:
                axis.plot([1, 2])
            assert path.read_bytes().startswith(start)
        assert path.read_bytes() == (tmp_path / f"a.{kind}").read_bytes()


@pytest.mark.parametrize(
    "name, called",
    [
        ("reptile", "Reptile"),
        ("fomaml_shared", "FOMAML, shared tail"),
        ("1/3,1/3,1/3", "Reptile, mean of 3"),
        ("1,1", "Reptile, sum of 2"),
        ("0,0,1", "gradient 3 alone"),
        ("1,0.5", "gradients weighted 1, 0.5"),
    ],
)
def test_algorithms_have_names_in_words(name, called):
    assert words.algorithm(name) == called


def test_runs_are_called_by_what_tells_them_apart(tmp_path):
    config = json.loads((RESULTS / "tour/config.json").read_text())

    def runs(**settings):
        folders = []
        for i in range(len(next(iter(settings.values())))):
            folders.append(tmp_path / f"run_{i}")
            folders[-1].mkdir(exist_ok=True)
            own = {name: values[i] for name, values in settings.items()}
            text = json.dumps(config | own)
            (folders[-1] / "config.json").write_text(text)
        return words.runs(folders)

    assert runs(seed=[0]) == ["Reptile"]
    assert runs(seed=[0, 1]) == ["seed 0", "seed 1"]
    assert runs(algorithm=["maml", "anil"], seed=[0, 1]) == ["MAML", "ANIL"]
    assert runs(algorithm=["maml", "maml", "anil"], shots=[1, 5, 5]) == [
        *("MAML, 5-way 1-shot", "MAML, 5-way 5-shot", "ANIL, 5-way 5-shot"),
    ]
    assert runs(learning_rate=[0.1, 0.2]) == ["run 0", "run 1"]


def test_only_some_of_several_folders_may_be_runs(drawn, tmp_path):
    begun = tmp_path / "begun"
    begun.mkdir()
    shutil.copy(RESULTS / "tour/config.json", begun)
    given = run_pictures.folders_of(
        [RESULTS / "algorithms", RESULTS / "tour", begun, RESULTS / "search"]
    )
    assert len(given) == 6 + 1 + 1 + 1  # a folder of runs stands for these
    made, left_out = run_pictures.of_several(given, tmp_path, "svg")
    assert made == [
        tmp_path / "learning_curves.svg",
        tmp_path / "comparison.svg",
    ]
    for figure in drawn:
        require_legible(figure)
    assert [line.split(str(tmp_path))[0] for line in left_out[1:]] == [
        "Left out ",
        "Left out ",
    ]
    assert "search, which is no run" in left_out[0]
    with pytest.raises(ValueError, match="one name for each run"):
        run_pictures.of_several(given, tmp_path, names=["a", "b"])
    with pytest.raises(ValueError, match="holds no run"):
        run_pictures.of_several([tmp_path, RESULTS / "search"], tmp_path)
    with pytest.raises(ValueError, match="has mean_squared_error; draw them"):
        run_pictures.of_several([RESULTS / "tour", RESULTS / "sine"], tmp_path)
