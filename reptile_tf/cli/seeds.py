"""The flag --seeds, of the commands that train with several seeds."""

import pathlib

from absl import flags

from reptile_tf.experiments import seeds_file

# The flags defined here belong to the command that asks for them.
flags.disclaim_key_flags()

# A number alone is a count; one above this was meant as a seed.
_MOST = 100


class _Parser(flags.ArgumentParser):
    """Makes of 3 the seeds 0, 1, 2; of 0,5 these; and of 7, the seed 7."""

    def parse(self, argument: str) -> tuple[int, ...]:
        """Returns the seeds.

        Raises:
            ValueError: says how they are written.
        """
        *before, last = argument.split(",")
        words = [*before, last] if last else before
        if not words or not all(w.strip().isdecimal() for w in words):
            raise ValueError(
                "give a number of seeds, as in --seeds=3, or seeds with "
                "commas, as in --seeds=0,5"
            )
        seeds = tuple(map(int, words))
        if before:
            if len(set(seeds)) < len(seeds):
                raise ValueError("name each seed once")
            return seeds
        if not 1 <= seeds[0] <= _MOST:
            raise ValueError(
                f"a number alone is how many seeds there are, 1 to {_MOST}; "
                f"the seed {seeds[0]} alone is --seeds={seeds[0]},"
            )
        return tuple(range(seeds[0]))

    def flag_type(self) -> str:
        """Returns what help calls the value."""
        return "seeds"


def define(text: str) -> flags.FlagHolder[tuple[int, ...] | None]:
    """Defines --seeds.

    Args:
        text: its help, to which is added how seeds are written.
    """
    how = (
        "--seeds=3 is the seeds 0, 1 and 2; --seeds=0,5 is these two; and "
        "--seeds=7, (with the comma) is the seed 7 alone."
    )
    return flags.DEFINE(_Parser(), "seeds", None, f"{text} {how}")


def require_one_flag() -> None:
    """Refuses --seed and --seeds together.

    Raises:
        ValueError: both are given.
    """
    if flags.FLAGS["seeds"].present and flags.FLAGS["seed"].present:
        raise ValueError("give --seed or --seeds, not both")


def chosen(run_dir: str) -> tuple[int, ...] | None:
    """Returns the seeds to train with; None for one run, of --seed.

    Args:
        run_dir: to train into.

    Raises:
        ValueError: --seed and --seeds, or what the folder holds, contradict
            each other.
    """
    require_one_flag()
    seeds = seeds_file.chosen(pathlib.Path(run_dir), flags.FLAGS["seeds"].value)
    single = flags.FLAGS["seed"]
    if seeds is not None and single.present:
        raise ValueError(
            f"run_dir={run_dir} holds a run for each of the seeds "
            f"{seeds_file.told(seeds)}; leave out --seed={single.value} to "
            "resume them, add seeds by --seeds, or use another run_dir"
        )
    return seeds
