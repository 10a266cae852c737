"""Pictures, drawn from files that runs wrote or from a learner's answers."""

import csv
import io
import json
import pathlib

import matplotlib

matplotlib.use("Agg")  # files only; no screen is needed
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from matplotlib.ticker import LogLocator, NullFormatter

from reptile_tf.experiments import presets
from reptile_tf.training.saving import whole_file


def learning_curve(history, path) -> None:
    """Draws the held-out metric of each mode, with its interval, and the loss.

    Args:
        history: path of a run's history.csv.
        path: of the picture, a PNG.
    """
    columns = _columns(history)
    made, unit = columns["epoch"] + 1, "epoch"
    config = pathlib.Path(history).with_name("config.json")
    settings = json.loads(config.read_text()) if config.exists() else {}
    if "eval_every" in settings:
        made, unit = made * settings["eval_every"], "outer iteration"
        made = np.minimum(made, settings["outer_iterations"])
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5))
    left.plot(made, columns["loss"])
    left.set(title="Inner loss, training tasks", xlabel=unit, ylabel="loss")
    for name in sorted(columns):
        if name.startswith("val_") and name.endswith("_ci95"):
            mode = name.removeprefix("val_").removesuffix("_ci95")
            value = next(
                n
                for n in columns
                if n.startswith(f"val_{mode}_")
                and n != name
                and not n.startswith(f"val_{mode}_and_")
            )
            metric = value.removeprefix(f"val_{mode}_")
            # Modes may be as good as each other; the first stay visible.
            right.errorbar(
                made,
                columns[value],
                columns[name],
                label=mode,
                capsize=2,
                linewidth=4 - len(right.containers),
                elinewidth=1,
            )
            right.set_ylabel(metric.replace("_", " "))
    right.set(title="Held-out classes, 95% intervals", xlabel=unit)
    right.legend()
    _write(figure, path)


def comparison(runs, path, by_example_gradients: bool = False) -> None:
    """Draws the held-out error of several runs along their training.

    Args:
        runs: run folders (paths), named in the legend; those that are not
            there yet, or have no history, are left out.
        path: of the picture, a PNG.
        by_example_gradients: whether training is measured in these, and not in
            outer iterations.
    """
    modes = ("transductive", "support_and_query")
    figure, axes = plt.subplots(1, len(modes), figsize=(11, 4.5), sharey=True)
    shades = plt.get_cmap("tab10")
    for i, run in enumerate(runs):
        if not (run / "history.csv").exists():
            continue
        columns = _columns(run / "history.csv")
        if not columns:
            continue
        config = json.loads((run / "config.json").read_text())
        made = np.minimum(
            config["eval_every"] * (columns["epoch"] + 1),
            config["outer_iterations"],
        )
        if by_example_gradients:
            made *= presets.of_config(config).example_gradients
        for axis, mode in zip(axes, modes, strict=True):
            # On a logarithmic scale the good ones can be told apart.
            error = 1 - columns[f"val_{mode}_accuracy"]
            error[error <= 0] = np.nan
            axis.semilogy(made, error, color=shades(i), label=run.name)
    unit = "gradients of an example's loss" if by_example_gradients else None
    for axis, mode in zip(axes, modes, strict=True):
        axis.set(title=mode, xlabel=unit or "outer iteration")
        axis.grid(alpha=0.3)
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
        axis.yaxis.set_minor_formatter(NullFormatter())
    axes[0].set_ylabel("error on held-out classes")
    axes[-1].legend(fontsize=8)
    _write(figure, path)


def few_shot_task(task, probabilities, path) -> None:
    """Draws one classification task: what was seen, asked and answered.

    Args:
        task: a `Task` of images.
        probabilities: `[Q, N]`, of the classes for each query.
        path: of the picture, a PNG.
    """
    ways = probabilities.shape[1]
    labels, truth = np.asarray(task.support_y), np.asarray(task.query_y)
    shots = np.bincount(labels, minlength=ways).max()
    columns = shots + 1
    figure, axes = plt.subplots(
        ways, columns, figsize=(1.1 * columns + 1.6, 1.25 * ways + 0.5)
    )
    for axis in axes.flat:
        axis.axis("off")
    for label in range(ways):
        for axis, i in zip(
            axes[label], np.flatnonzero(labels == label), strict=False
        ):
            _image(axis, task.support_x[i])
        axes[label, 0].set_title(f"class {label}", fontsize=8, loc="left")
        query = np.flatnonzero(truth == label)[0]
        predicted = int(np.argmax(probabilities[query]))
        axis = axes[label, shots]
        _image(axis, task.query_x[query])
        axis.set_title(
            f"answer: {predicted} ({probabilities[query, predicted]:.0%})",
            fontsize=8,
            color="tab:green" if predicted == label else "tab:red",
        )
    figure.suptitle("Support images and, on the right, one query of each class")
    _write(figure, path)


def sine_wave(task, predictions: dict, path) -> None:
    """Draws a wave, its seen points, and predictions after inner steps.

    Args:
        task: a sine `Task`.
        predictions: for each initialization, by name, the predictions at
            query_x after each number of inner steps.
        path: of the picture, a PNG.
    """
    figure, axes = plt.subplots(
        1,
        len(predictions),
        figsize=(1 + 3.2 * len(predictions), 4),
        sharey=True,
        squeeze=False,
    )
    for axis, (name, by_steps) in zip(
        axes[0], predictions.items(), strict=True
    ):
        axis.plot(task.query_x, task.query_y, "k--", label="true wave")
        axis.plot(task.support_x, task.support_y, "k^", label="points seen")
        shades = plt.get_cmap("viridis")(np.linspace(0.9, 0.1, len(by_steps)))
        for (steps, y), shade in zip(by_steps.items(), shades, strict=True):
            axis.plot(task.query_x, y, color=shade, label=f"{steps} steps")
        axis.set(title=name, xlabel="x")
    axes[0, 0].set_ylabel("y")
    axes[0, -1].legend(fontsize=8)
    _write(figure, path)


def remainders(entries: list[dict], path) -> None:
    """Draws what section 4.1's expansion leaves, against the step size.

    Args:
        entries: `reptile_tf.expansion.Expansion`s as dicts.
        path: of the picture, a PNG.
    """
    figure, axis = plt.subplots(figsize=(5, 4))
    for name in dict.fromkeys(e["meta_gradient"] for e in entries):
        own = [e for e in entries if e["meta_gradient"] == name]
        alphas = np.array([e["alpha"] for e in own])
        left = [e["remainder"] for e in own]
        axis.loglog(alphas, left, "o-", label=name)
    axis.loglog(
        alphas, left[0] * (alphas / alphas[0]) ** 2, "k:", label="slope 2"
    )
    axis.set(xlabel="inner step size alpha", ylabel="norm of the remainder")
    axis.legend()
    _write(figure, path)


def _columns(history) -> dict[str, np.ndarray]:
    with open(history, newline="") as file:
        rows = list(csv.DictReader(file))
    names = rows[0] if rows else ()
    return {
        name: np.array([_number(row[name]) for row in rows]) for name in names
    }


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:  # CSVLogger writes NA where an epoch has no value
        return np.nan


def _image(axis, image):
    image = np.asarray(image)
    image = image[..., 0] if image.shape[-1] == 1 else image
    axis.imshow(image, cmap="gray", vmin=0, vmax=1)


def _write(figure, path):
    buffer = io.BytesIO()
    figure.tight_layout()
    figure.savefig(buffer, format="png", dpi=110)
    plt.close(figure)
    with whole_file(path) as part:
        part.write_bytes(buffer.getvalue())


def probabilities(model, x) -> np.ndarray:
    """Returns softmax of a model's logits for `x`, `[Q, N]`."""
    return tf.nn.softmax(model.predict(x, verbose=0)).numpy()


def plane_iterates(circles, phis, adapted, nearest, path) -> None:
    """Draws Figure 2: phi between the solutions of two tasks, or more.

    Args:
        circles: a `reptile_tf.manifolds.Circles`.
        phis: the iterates of phi, `[N + 1, 2]`.
        adapted: W~ of each iteration, `[N, 2]`.
        nearest: the point that minimizes the mean squared distance, `[2]`.
        path: of the picture, a PNG.
    """
    figure, axis = plt.subplots(figsize=(6.5, 6.5))
    angle = np.linspace(0, 2 * np.pi, 500)
    circle = np.stack([np.cos(angle), np.sin(angle)], -1)
    for i, radius in enumerate(circles.radii):
        curve = circles.centres[i] + radius * circle
        axis.plot(*curve.T, color=f"C{i}", label=f"$W^*_{i + 1}$", lw=2)
    for before, end in zip(phis[:-1], adapted, strict=True):
        axis.plot(*np.stack([before, end]).T, color="0.8", lw=0.8, zorder=0)
    axis.plot(*adapted.T, ".", color="0.6", ms=4, label=r"$\tilde W$")
    axis.plot(*phis.T, "k.-", lw=0.8, ms=4, label=r"$\phi$")
    axis.plot(*phis[0], "ko", mfc="white", label=r"start of $\phi$")
    label = "least mean squared distance"
    axis.plot(*nearest, "r+", ms=14, mew=1.5, label=label, zorder=3)
    seen = np.concatenate([phis, adapted])
    low, high = seen.min(0) - 0.6, seen.max(0) + 0.6
    axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    axis.set(xlabel="$w_1$", ylabel="$w_2$")
    axis.legend(fontsize=8)
    _write(figure, path)


def solution_distance(measures, path) -> None:
    """Draws the distance from phi to the tasks' solutions during training.

    Args:
        measures: by name, for each outer iteration a dictionary with
            outer_iteration, distance, ci95 (half the interval's width) and
            loss.
        path: of the picture, a PNG.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
    for name, rows in measures.items():
        columns = {key: [row[key] for row in rows] for key in rows[0]}
        iterations = columns["outer_iteration"]
        left.errorbar(
            iterations,
            columns["distance"],
            columns["ci95"],
            marker=".",
            capsize=2,
            label=name,
        )
        right.plot(iterations, columns["loss"], marker=".", label=name)
    for axis in (left, right):
        # Iteration 0 has a place too, left of the logarithmic part.
        axis.set_xscale("symlog", linthresh=1)
        axis.set_xlabel("outer iteration")
        axis.grid(alpha=0.3)
    left.set_ylim(bottom=0)
    left.set(title=r"$|\phi - W|$, 95% intervals", ylabel="distance")
    right.set(title="Loss of $W$ on the support set", yscale="log")
    left.legend(fontsize=8)
    _write(figure, path)
