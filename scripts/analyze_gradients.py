"""Section 4.1, checked: the meta-gradients to first order in alpha.

Measures the expected MAML, FOMAML and two-step Reptile gradients of a small
tanh network over sine waves, in float64, for a range of inner step sizes, and
compares them with equations 15 to 17.

Example:
    python scripts/analyze_gradients.py --output=results/expansion

Prints a table, and writes expansion.json and expansion.png into --output: the
remainder beyond the equations' two terms should fall as alpha squared.
"""

import json
import pathlib

import numpy as np
from absl import flags

from reptile_tf.cli import flags as command_line
from reptile_tf.experiments import plots
from reptile_tf.paper import expansion
from reptile_tf.training.saving import whole_file

OUTPUT = flags.DEFINE_string("output", "results/expansion", "Folder to write.")
TASKS = flags.DEFINE_integer("tasks", 200, "Sine waves to average over.", 1)
SEED = flags.DEFINE_integer("seed", 0, "Of the network and the waves.", 0)
ALPHA = flags.DEFINE_float("alpha", 0.02, "The largest step size.", 0)
HALVINGS = flags.DEFINE_integer("halvings", 6, "How often to halve it.", 1)
command_line.define_thread_flags()


def main(_):
    command_line.configure_threads()
    alphas = ALPHA.value * 0.5 ** np.arange(HALVINGS.value + 1)
    found = expansion.measure(alphas, TASKS.value, SEED.value)
    entries = []
    print(f"{'':8}  alpha     AvgGrad  AvgGradInner  remainder  slope")
    for name, (zeroth, first) in expansion.COEFFICIENTS.items():
        of_name = [e for e in found if e.meta_gradient == name]
        print(f"{name:8}  paper   {zeroth:9.4f} {first:9.4f} alpha")
        slopes = [None, *expansion.slopes(of_name)]
        for one, slope in zip(of_name, slopes, strict=True):
            a, b = one.coefficients
            print(
                f"{'':8}  {one.alpha:.6f}{a:9.4f} {b:9.4f} alpha "
                f"{one.remainder:10.2e}  {slope and format(slope, '.3f') or ''}"
            )
            entries.append({**one._asdict(), "slope": slope})
    result = {"tasks": TASKS.value, "seed": SEED.value, "expansions": entries}
    folder = pathlib.Path(OUTPUT.value)
    with whole_file(folder / "expansion.json") as part:
        part.write_text(json.dumps(result, indent=2) + "\n")
    plots.remainders(entries, folder / "expansion.png")


if __name__ == "__main__":
    command_line.run(main)
