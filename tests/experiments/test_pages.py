"""Tables made from what is kept."""

import dataclasses
import json

from reptile_tf.experiments import pages, seed_scores, seeds_file
from reptile_tf.experiments.presets import PRESETS


def keep(folder, transductive, ci95, other=0.5):
    folder.mkdir(parents=True)
    entries = [
        {"mode": mode, "accuracy": accuracy, "ci95": ci95, "tasks": 10}
        for mode, accuracy in (
            ("transductive", transductive),
            ("support_and_query", other),
        )
    ]
    (folder / "evaluation.json").write_text(json.dumps(entries))


def test_orders_of_figure_3_are_told_with_their_intervals(tmp_path):
    curves = tmp_path / "figure3"
    keep(curves / "g1", 0.30, 0.04)
    keep(curves / "g2", 0.80, 0.03, other=0.4)
    keep(curves / "g1+g2", 0.81, 0.04, other=0.5)
    lines = pages.order(tmp_path)
    assert len(lines) == 4  # head, rule, and the two of which both are there
    assert "+50.00% ± 5.00%: yes" in lines[2]
    assert "-10.00% ± 5.00%: no" in lines[2]
    assert "-1.00% ± 5.00%: cannot be told" in lines[3]
    assert pages.order(tmp_path / "empty") == []


def test_what_the_paper_has_too_is_set_beside_it(tmp_path):
    """Of the same settings, mode and tasks, in points."""

    def kept(name, preset, split="test", **about):
        (tmp_path / name).mkdir()
        config = dataclasses.asdict(PRESETS[preset]) | {"seed": 0} | about
        (tmp_path / name / "config.json").write_text(json.dumps(config))
        entry = {"accuracy": 0.9, "ci95": 0.01, "num_tasks": 1000, "seed": 0}
        entry |= {"outer_iterations": 20, "split": split}
        modes = "transductive", "support_and_query", "support"
        entries = [entry | {"mode": mode} for mode in modes]
        path = tmp_path / name / "evaluation.json"
        path.write_text(json.dumps(entries))

    kept("a", "omniglot_1shot_5way")
    kept("b", "omniglot_1shot_5way_transductive")
    kept("c", "omniglot_1shot_20way", outer_iterations=20)
    kept("d", "omniglot_5shot_5way_maml")
    kept("not test", "omniglot_5shot_5way", split="validation")
    kept("own ways", "omniglot_5shot_5way", ways=7)
    kept("own steps", "omniglot_5shot_5way", inner_steps=1)
    kept("own data", "glyphs")
    _, _, *lines = pages.TABLES["beside_the_paper"](tmp_path)
    more = "| 1,000 | 0 |"
    own = "20 of 200,000 | 90.00% ± 1.00%"
    assert lines == [
        f"| a | support_and_query | {own} | 95.32% ± 0.05% | -5.32 {more}",
        "| b | transductive | 20 of 100,000 | 90.00% ± 1.00% | 97.97% ± 0.08% "
        f"| -7.97 {more}",
        f"| c | transductive | {own} | 89.36% ± 0.20% | +0.64 {more}",
        f"| c | support_and_query | {own} | 88.27% ± 0.30% | +1.73 {more}",
        "| d | transductive | 20 of 60,000 | 90.00% ± 1.00% | 99.90% ± 0.10% "
        f"| -9.90 {more}",
    ]


def keep_seeds(folder, accuracies, **about):
    """A folder of seeds, as record keeps it."""
    preset, evaluations = dataclasses.asdict(PRESETS["glyphs"]), []
    for seed, value in enumerate(accuracies):
        run = seeds_file.run_folder(folder, seed)
        run.mkdir(parents=True)
        config = preset | {"seed": seed} | about
        (run / "config.json").write_text(json.dumps(config))
        entry = {"mode": "support", "accuracy": value, "ci95": 0.01}
        entry |= {"num_tasks": 10, "seed": seed, "outer_iterations": 5}
        entry |= {"ways": 5, "shots": 1, "split": "test"}
        evaluations.append([entry])
    seeds_file.write(folder, range(len(accuracies)))
    path = folder / seed_scores.file_of("test")
    path.write_text(json.dumps(seed_scores.summary(evaluations)))


def test_several_seeds_are_a_row_with_both_intervals(tmp_path):
    keep_seeds(tmp_path / "x", (0.6, 0.7, 0.8), outer_iterations=5)
    keep_seeds(tmp_path / "y", (0.6,), outer_iterations=5)
    *_, several, one = pages.accuracies(tmp_path)
    assert several == (
        "| x | 5-way 1-shot | 5 of 5 | test | support | 70.00% ± 24.84% over "
        "seeds, ± 0.58% over tasks | 10 | 0 to 2 |"
    )
    assert one.endswith("| support | 60.00% ± 1.00% over tasks | 10 | 0 |")
    keep_seeds(tmp_path / "algorithms" / "z", (0.6, 0.7, 0.8))
    *_, row = pages.algorithms(tmp_path)
    assert row.startswith("| z | 5 | 70.00% ± 24.84% over seeds, ")
    assert row.endswith(" | 10 | 0 to 2 |  |  |")


def test_what_searches_found_is_told_over_seeds(tmp_path):
    """The interval is Student's, of three values: 4.303 s / sqrt(3)."""
    finals = tmp_path / "search" / "finals"
    for name, rate in (("cma", 0.25), ("paper", 0.5)):
        keep_seeds(finals / name, (0.6, 0.7, 0.8), learning_rate=rate)
    *_, cma, paper = pages.searched(tmp_path)
    assert cma == (
        "| cma | support | 0 to 2 | 60.00% ± 1.00%, 70.00% ± 1.00%, 80.00% ± "
        "1.00% | 70.00% ± 24.84% over seeds, ± 0.58% over tasks | 10 |"
    )
    assert paper.startswith("| paper |")
    assert pages.searched_settings(tmp_path) == [
        "| Settings | `learning_rate` |",
        "| --- | --- |",
        "| cma | 0.25 |",
        "| paper | 0.5 |",
    ]
    assert pages.searched(tmp_path / "x") == []
    keep_seeds(finals / "random", (0.6,), learning_rate=0.5)
    *_, paper, one = pages.searched(tmp_path)
    assert "| 0 to 2 |" in paper
    assert one == (
        "| random | support | 0 | 60.00% ± 1.00% | 60.00% ± 1.00% over tasks "
        "| 10 |"
    )
