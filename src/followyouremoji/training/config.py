"""A training run is one TOML file, read strictly into frozen dataclasses; every part that is not named keeps its
default."""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from followyouremoji.checkpoints.config import autoencoder_config, network_config
from followyouremoji.errors import SettingsError, WeightsError, is_number
from followyouremoji.networks import AutoencoderConfig, NetworkConfig
from followyouremoji.training.settings import (
    AutoencoderRun,
    DataPart,
    DenoiserRun,
    LandmarkOptions,
    Optimisation,
    RunSettings,
    Validation,
)
from followyouremoji.training.starts import Start

KINDS: dict[str, type[Any]] = {"autoencoder": AutoencoderRun, "denoiser": DenoiserRun}
TABLES: dict[type[Any], Any] = {
    AutoencoderConfig: autoencoder_config,
    NetworkConfig: network_config,
    Optimisation: lambda values: build(Optimisation, values),
    LandmarkOptions: lambda values: build(LandmarkOptions, values),
    Validation: lambda values: build(Validation, values),
    Start: Start.from_table,
}


def build(kind: type[Any], values: dict[str, Any]) -> Any:
    """Make a frozen dataclass from a table; raises SettingsError naming an entry that is unknown, missing or of a wrong
    kind."""
    known = typing.get_type_hints(kind)
    for name in values:
        if name not in known:
            raise SettingsError(f"unknown entry {name!r}; known are {', '.join(known)}")
    required = {
        entry.name
        for entry in dataclasses.fields(kind)
        if entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING
    }
    missing = sorted(required - set(values))
    if missing:
        raise SettingsError(f"the entry {', '.join(map(repr, missing))} is missing")
    return kind(**{name: entry(name, value, known[name]) for name, value in values.items()})


def entry(name: str, value: Any, kind: Any) -> Any:
    """The value of one entry, as its dataclass holds it."""
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if value is None and type(None) in kinds:
        return None
    for one in kinds:
        if one in TABLES and (isinstance(value, dict) or len(kinds) == 1):
            return TABLES[one](table(name, value))
        if one is Path and isinstance(value, str):
            return Path(value)
        if typing.get_origin(one) is Mapping and isinstance(value, dict):
            return value
        if one == tuple[DataPart, ...]:
            return data_parts(value)
        if (
            one == tuple[int, ...]
            and isinstance(value, list)
            and all(type(number) is int for number in value)
        ):
            return tuple(value)
    if bool in kinds and not isinstance(value, bool):
        raise SettingsError(f"`{name}` must be true or false, not {value!r}")
    if int in kinds and (not isinstance(value, int) or isinstance(value, bool)):
        raise SettingsError(f"`{name}` must be a whole number, not {value!r}")
    if tuple[int, ...] in kinds:
        raise SettingsError(f"`{name}` must be a list of whole numbers, not {value!r}")
    if float in kinds and not is_number(value):
        raise SettingsError(f"`{name}` must be a number, not {value!r}")
    if Path in kinds:
        raise SettingsError(f"`{name}` must be a path, not {value!r}")
    return value


def table(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SettingsError(f"`{name}` must be a table, not {value!r}")
    return value


def data_parts(values: Any) -> tuple[DataPart, ...]:
    """The entries of `data`: a list of tables."""
    if not isinstance(values, list):
        raise SettingsError('`data` must be a list, such as [{shards = "FOLDER", weight = 1.0}]')
    return tuple(build(DataPart, table("data", value)) for value in values)


def load_run(path: Path) -> RunSettings:
    """Read a run's TOML file; its paths are relative to the working directory. Raises SettingsError naming the file."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not a TOML file: {error}.") from None
    kind = values.pop("kind", None)
    if kind not in KINDS:
        raise SettingsError(f"{path}: `kind` must be one of {', '.join(KINDS)}, not {kind!r}.")
    try:
        return build(KINDS[kind], values)
    except (SettingsError, WeightsError) as error:
        raise SettingsError(f"{path}: {error}") from None


def load_autoencoder_run(path: Path) -> AutoencoderRun:
    """Read an autoencoder's run; raises SettingsError where the file describes another kind."""
    run = load_run(path)
    if not isinstance(run, AutoencoderRun):
        raise SettingsError(f"{path} does not describe an autoencoder's run.")
    return run


def load_denoiser_run(path: Path) -> DenoiserRun:
    """Read a denoiser's run; raises SettingsError where the file describes another kind."""
    run = load_run(path)
    if not isinstance(run, DenoiserRun):
        raise SettingsError(f"{path} does not describe a denoiser's run.")
    return run
