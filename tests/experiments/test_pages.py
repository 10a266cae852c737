"""Tables made from what is kept."""

import json

from reptile_tf.experiments import pages


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
