"""The command of section 4.2, end to end, on small settings."""

import json

from command import run_command


def test_pictures_and_numbers(tmp_path, capsys):
    run_command(
        *("solution_manifolds", f"--output={tmp_path}", "--num_tasks=3"),
        *("--outer_iterations=2", "--most_steps=6", "--steps=4"),
    )
    assert str(tmp_path) in capsys.readouterr().out
    for name in ("figure2.png", "distances.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    results = json.loads((tmp_path / "manifolds.json").read_text())
    plane = results["plane"]
    assert plane["phi"]["from_nearest"] < 0.1 < plane["start"]["from_nearest"]
    by_loss, by_steps = results["sine"].values()
    for rows in (by_loss, by_steps):
        assert [row["outer_iteration"] for row in rows] == [0, 1, 2]
        assert all(row["num_tasks"] == 3 and row["ci95"] > 0 for row in rows)
        assert len({row["distance"] for row in rows}) == 3
    assert all(row["largest_steps"] == 6 for row in by_loss)
    assert all(row["steps"] == 4 for row in by_steps)
