"""Which models are served, and which of their versions.

All models below a folder, each in its newest version; or one model; or those
that a file names, as TF Serving's --model_config_file does.
"""

import dataclasses
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from google.protobuf import text_format

from reptile_tf.serving.server.saved_models import find_versions
from reptile_tf.utils.extras import extra
from reptile_tf.utils.paths import local

with extra("serve"):
    from tensorflow_serving.config import model_server_config_pb2

# What a URL of TF Serving's REST API can name, and no hidden folder.
_NAME = re.compile(r"(?!\.)[^/:\\\0\ud800-\udfff]+")


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """One model, and which of its versions are served.

    Attributes:
        name: of the model.
        folder: that holds its versions.
        newest: how many of the newest versions; None for all.
        only: the versions that are served; None for any.
        labels: label -> version, for URLs.
    """

    name: str
    folder: pathlib.Path
    newest: int | None = 1
    only: tuple[int, ...] | None = None
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def candidates(self) -> list[int]:
        """Returns the versions in the folder that may be served.

        The highest is first. Only `newest` of them are to be served; the ones
        after those are for where one cannot be loaded.
        """
        found = find_versions(self.folder)
        return [v for v in found if self.only is None or v in self.only]


class Source(Protocol):
    """Where it is said which models are served."""

    def __call__(self) -> Sequence[ModelConfig]:
        """Returns the models that there are now."""

    def left_out(self) -> dict[str, str]:
        """Returns folder -> what would do, of what cannot be served."""


class ModelFolder:
    """The models below a folder, each in its newest version.

    Args:
        base: the folder of the models' folders.

    Raises:
        ValueError: there is no such folder.
    """

    def __init__(self, base: str | os.PathLike):
        self._base = local("model_base_path", base)
        if not self._base.is_dir():
            raise ValueError(
                f"model_base_path={base} is not a folder; give the folder of "
                "the models' folders, as in BASE/NAME/VERSION/saved_model.pb"
            )

    def __call__(self) -> list[ModelConfig]:
        """Returns the models that there are now.

        Raises:
            OSError: the folder cannot be read.
        """
        return [
            ModelConfig(folder.name, folder)
            for folder in sorted(self._base.iterdir())
            if _NAME.fullmatch(folder.name) and find_versions(folder)
        ]

    def left_out(self) -> dict[str, str]:
        """Returns folder -> what would do, of what cannot be served."""
        found = {}
        for folder in sorted(self._base.iterdir()):
            if find_versions(folder) and not _NAME.fullmatch(folder.name):
                found[str(folder)] = (
                    "no URL can name it; give it a name without colon, "
                    "backslash and leading dot, in UTF-8"
                )
            if folder.name.isdecimal():  # a version, not a model
                continue
            for path in [folder, *_unnumbered(folder)]:
                if (path / "saved_model.pb").is_file():
                    found[str(path)] = (
                        "it has no version; put saved_model.pb into a folder "
                        f"{folder}/NUMBER whose name is a number without "
                        "leading zeros, such as 1"
                    )
        return found


def _unnumbered(folder: pathlib.Path) -> Sequence[pathlib.Path]:
    """Returns what lies in a model's folder, and is no version of it."""
    if not folder.is_dir():
        return []
    known = {str(version) for version in find_versions(folder)}
    return sorted(p for p in folder.iterdir() if p.name not in known)


class OneModel:
    """One model, in its newest version or in a given one.

    Args:
        folder: of the model's versions, or of one of them.

    Attributes:
        name: of the model, which is that of the folder of its versions.

    Raises:
        ValueError: the folder holds no model that can be served.
    """

    def __init__(self, folder: str | os.PathLike):
        path = local("model", folder).resolve()
        only = None
        if (path / "saved_model.pb").is_file() and path.name.isdecimal():
            path, only = path.parent, (int(path.name),)
        self.name = path.name
        self._config = ModelConfig(path.name, path, only=only)
        if not _NAME.fullmatch(path.name) or not self._config.candidates():
            raise ValueError(
                f"model={folder} holds no exported model; give a folder that "
                "reptile-tf export wrote, such as saved_models/mine"
            )

    def __call__(self) -> list[ModelConfig]:
        """Returns the model."""
        return [self._config]

    def left_out(self) -> dict[str, str]:
        """Returns nothing: what cannot be served was refused."""
        return {}


class ConfigFile:
    """The models that a file names.

    Args:
        path: of a `ModelServerConfig` as text, which TF Serving reads, too.

    Raises:
        ValueError: the file cannot be read, or names what cannot be served.
    """

    def __init__(self, path: str | os.PathLike):
        self._path = local("model_config_file", path)
        config = model_server_config_pb2.ModelServerConfig()
        try:
            text_format.Parse(self._path.read_text(), config)
        except (OSError, ValueError, text_format.ParseError) as error:
            raise self._refusal(f"cannot be read: {error}") from error
        self._configs = [
            self._model(one) for one in config.model_config_list.config
        ]
        names = [one.name for one in self._configs]
        if len(set(names)) < len(names) or not names:
            raise self._refusal(
                "must hold a model_config_list of models of different names; "
                f"received {', '.join(names) or 'none'}"
            )

    def __call__(self) -> list[ModelConfig]:
        """Returns the models."""
        return self._configs

    def left_out(self) -> dict[str, str]:
        """Returns folder -> what would do, of what cannot be served."""
        return {
            str(one.folder): "it holds no VERSION/saved_model.pb to serve"
            if one.folder.is_dir()
            else "there is no such folder"
            for one in self._configs
            if not one.candidates()
        }

    def _model(self, one: model_server_config_pb2.ModelConfig) -> ModelConfig:
        if one.model_platform not in ("", "tensorflow"):
            raise self._refusal(
                f"has model_platform {one.model_platform!r} for {one.name!r}; "
                "it must be tensorflow"
            )
        if not _NAME.fullmatch(one.name) or not one.base_path:
            raise self._refusal(
                f"must give each model a base_path, and a name that a URL can "
                f"hold; received {one.name!r} at {one.base_path!r}"
            )
        policy = one.model_version_policy
        newest: int | None = max(1, policy.latest.num_versions)
        if policy.HasField("all") or policy.HasField("specific"):
            newest = None
        return ModelConfig(
            one.name,
            local("base_path", one.base_path),
            newest,
            tuple(policy.specific.versions)
            if policy.HasField("specific")
            else None,
            dict(one.version_labels),
        )

    def _refusal(self, reason: str) -> ValueError:
        return ValueError(f"model_config_file={self._path} {reason}")
