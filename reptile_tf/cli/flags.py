"""Flags that several commands share."""

import dataclasses
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from types import MappingProxyType
from typing import Any

from absl import flags

from reptile_tf.experiments.preset import SETTINGS, Preset
from reptile_tf.experiments.presets import PRESETS
from reptile_tf.utils import paths

# The flags defined here belong to the command that asks for them.
flags.disclaim_key_flags()

_DEFINE: dict[Any, Callable[..., Any]] = {
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
    bool: flags.DEFINE_bool,
}


class _PathParser(flags.ArgumentParser):
    """Makes of a flag's value what a function of `reptile_tf.utils.paths` does.

    Args:
        name: of the flag.
        path: (name, value) -> the path.
    """

    def __init__(self, name: str, path: Callable[[str, str], Any]):
        super().__init__()
        self._name, self._path = name, path

    def parse(self, argument: str) -> str:
        """Returns the path; a refusal is a `PathError`."""
        return str(self._path(self._name, argument))

    def flag_type(self) -> str:
        """Returns what help calls the value."""
        return "path"


def define_path(
    name: str,
    default: str | None,
    text: str,
    path: Callable[[str, str], Any] = paths.local,
    required: bool = False,
) -> flags.FlagHolder[str]:
    """Defines a flag that takes a path; all that do are defined here.

    Args:
        name: of the flag.
        default: the path if it is not given.
        text: its help.
        path: the function of `reptile_tf.utils.paths` that the value goes
            through.
        required: whether it must be given.
    """
    parser = _PathParser(name, path)
    serializer = flags.ArgumentSerializer[str]()
    return flags.DEFINE(
        parser, name, default, text, serializer=serializer, required=required
    )


def define_paths(
    name: str,
    default: Sequence[str] | None,
    text: str,
    path: Callable[[str, str], Any] = paths.local,
    required: bool = False,
) -> flags.FlagHolder[list[str] | None]:
    """Defines a flag of paths, which may be given several times."""
    parser = _PathParser(name, path)
    serializer = flags.ArgumentSerializer[str]()
    return flags.DEFINE_multi(
        parser, serializer, name, default, text, required=required
    )


def define_run_dir(
    text: str = "The run folder that train wrote.",
) -> flags.FlagHolder[str]:
    """Defines --run_dir, which must be given."""
    return define_path("run_dir", None, text, required=True)


def define_model(more: str = "") -> flags.FlagHolder[str]:
    """Defines --model, which must be given.

    Args:
        more: what it may be besides.
    """
    return define_path(
        "model",
        None,
        "The exported model: a folder that export wrote, or a server's "
        f"http://HOST:8501/v1/models/NAME.{more}",
        paths.or_server,
        required=True,
    )


def define_data_dir(
    default: str = "TFDS's own default",
) -> flags.FlagHolder[str | None]:
    """Defines --data_dir.

    Args:
        default: what is used if the flag is not given.
    """
    return define_path(
        "data_dir",
        None,
        "The folder of TFDS's data sets, which holds omniglot/3.0.0 and the "
        f"like; {default} if not given. TFDS takes gs://BUCKET/FOLDER, too.",
        paths.of_tfds,
    )


def define_seed(
    of: str = "the weights, the split by class and the tasks",
) -> flags.FlagHolder[int]:
    """Defines --seed.

    Args:
        of: what is drawn with it.
    """
    return flags.DEFINE_integer("seed", 0, f"The seed of {of}.", 0)


def define_num_tasks(
    default: int, of: str, least: int = 2
) -> flags.FlagHolder[int]:
    """Defines --num_tasks.

    Args:
        default: the number if it is not given.
        of: what is counted, such as "test tasks".
        least: the smallest number there may be.
    """
    return flags.DEFINE_integer(
        "num_tasks", default, f"The number of {of}.", least
    )


def define_settings(
    but: Collection[str] = (), instead: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """Defines a flag for each setting of a preset, unset by default.

    Args:
        but: settings that the command chooses by itself.
        instead: settings that the command has instead of the preset's.
    """
    for field in SETTINGS:
        if field.name in but:
            continue
        default = instead.get(field.name, "the preset's")
        _define(field, f"{field.metadata['text']} Default: {default}.")


def define_fields(fields: Iterable[dataclasses.Field]) -> None:
    """Defines a flag for each field that `setting` made, unset by default."""
    for field in fields:
        shown = "" if field.default is None else f" Default: {field.default}."
        _define(field, f"{field.metadata['text']}{shown}")


def given_fields(fields: Iterable[dataclasses.Field]) -> dict[str, Any]:
    """Returns the fields that were given as flags, by name."""
    return {
        field.name: flags.FLAGS[field.name].value
        for field in fields
        if field.name in flags.FLAGS
        and flags.FLAGS[field.name].value is not None
    }


def define_folder_settings() -> None:
    """Defines the settings that say how a folder of pictures is read."""
    for field in SETTINGS:
        if field.name in ("csv", "csv_columns", "skip_unreadable"):
            _define(field, field.metadata["text"])


def folder_settings() -> dict[str, Any]:
    """Returns the settings that `define_folder_settings` defined."""
    given = flags.FLAGS
    return {
        "csv": given.csv,
        "csv_columns": given.csv_columns,
        "skip_unreadable": bool(given.skip_unreadable),
    }


def _define(field: dataclasses.Field, text: str) -> None:
    """Defines a setting's flag, unset by default."""
    choices = list(field.metadata["choices"] or ())
    if choices and field.type is str:
        flags.DEFINE_enum(field.name, None, choices, text)
    elif field.metadata["path"] is not None:
        define_path(field.name, None, text, field.metadata["path"])
    else:
        _DEFINE[field.type](field.name, None, text)


def preset(name: str, **defaults: Any) -> Preset:
    """Returns the named preset with the settings that were given as flags.

    Args:
        name: of the preset.
        **defaults: settings that the command has instead of the preset's.
    """
    return with_flags(dataclasses.replace(PRESETS[name], **defaults))


def with_flags(preset: Preset) -> Preset:
    """Returns a preset with the settings that were given as flags."""
    return dataclasses.replace(preset, **given_fields(SETTINGS))


def define_threads() -> None:
    """Defines --intra_op_threads and --inter_op_threads."""
    flags.DEFINE_integer(
        "intra_op_threads",
        1,
        "The threads that TensorFlow splits an operation over; 0 for its own "
        "choice.",
        0,
    )
    flags.DEFINE_integer(
        "inter_op_threads",
        0,
        "The operations that TensorFlow runs at a time; 0 for one on each "
        "core.",
        0,
    )


def define_strategy() -> Callable[[dict[str, Any]], Any]:
    """Defines --strategy, --logical_devices and --start_timeout.

    Returns:
        A function that makes the strategy, or None, given what must be alike
        in all processes; to be called before TensorFlow does anything.
    """
    named = flags.DEFINE_enum(
        "strategy",
        None,
        ["mirrored", "multi_worker"],
        "How tasks are shared: among the devices of this process, all GPUs or "
        "--logical_devices (mirrored), or among the processes that TF_CONFIG "
        "or Slurm names (multi_worker). The numbers are those of one device. A "
        "training needs --meta_batch_mode=parallel.",
    )
    devices = flags.DEFINE_integer(
        "logical_devices",
        None,
        "Into how many devices --strategy=mirrored divides the processor.",
        1,
    )
    timeout = flags.DEFINE_float(
        "start_timeout",
        300.0,
        "How long --strategy=multi_worker waits for the others, in seconds.",
        1.0,
    )

    def strategy(wants: dict[str, Any]) -> Any:
        if named.value != "mirrored" and devices.value is not None:
            raise ValueError(
                f"logical_devices={devices.value} needs --strategy=mirrored"
            )
        if named.value is None:
            return None
        from reptile_tf.training import strategies

        if named.value == "multi_worker":
            return strategies.multi_worker(wants, timeout.value)
        return strategies.mirrored(devices.value)

    return strategy
