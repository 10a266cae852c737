"""Checks section 4.1: the meta-gradients to first order in alpha.

Measures the expected MAML, FOMAML and two-step Reptile gradients of a small
tanh network over sine waves, in float64, for a range of inner step sizes, and
compares them with equations 15 to 17.

Example:
    reptile-tf analyze_gradients --output=results/expansion

Prints a table, and writes expansion.json and expansion.png into the folder:
the remainder beyond the equations' two terms should fall as alpha squared.
"""

import pathlib

from absl import flags

from reptile_tf.cli import flags as shared_flags

OUTPUT = shared_flags.define_path(
    "output", "results/expansion", "The folder to write to."
)
NUM_TASKS = shared_flags.define_num_tasks(200, "sine waves to average over", 1)
SEED = shared_flags.define_seed("the network and the waves")
ALPHA = flags.DEFINE_float("alpha", 0.02, "The largest inner step size.", 0)
HALVINGS = flags.DEFINE_integer(
    "halvings", 6, "How often the inner step size is halved.", 1
)


def main() -> None:
    """Measures, prints and draws."""
    import numpy as np

    from reptile_tf.paper import expansion, figures
    from reptile_tf.utils.files import write_json

    alphas = ALPHA.value * 0.5 ** np.arange(HALVINGS.value + 1)
    found = expansion.measure(alphas.tolist(), NUM_TASKS.value, SEED.value)
    entries = []
    print(f"{'':8}  alpha     AvgGrad  AvgGradInner  remainder  slope")
    for name, (zeroth, first) in expansion.COEFFICIENTS.items():
        of_name = [e for e in found if e.algorithm == name]
        print(f"{name:8}  paper   {zeroth:9.4f} {first:9.4f} alpha")
        slopes = [None, *expansion.slopes(of_name)]
        for one, slope in zip(of_name, slopes, strict=True):
            a, b = one.coefficients
            print(
                f"{'':8}  {one.alpha:.6f}{a:9.4f} {b:9.4f} alpha "
                f"{one.remainder:10.2e}  {slope and format(slope, '.3f') or ''}"
            )
            entries.append({**one._asdict(), "slope": slope})
    settings = {"num_tasks": NUM_TASKS.value, "seed": SEED.value}
    folder = pathlib.Path(OUTPUT.value)
    write_json(folder / "expansion.json", settings | {"expansions": entries})
    figures.remainders(entries, folder / "expansion.png")
