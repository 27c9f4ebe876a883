"""A training run is one TOML file; every part that is not named keeps its default."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from followyouremoji.config import parse
from followyouremoji.errors import SettingsError, first_line, shown
from followyouremoji.reading import check_nesting, read_bytes
from followyouremoji.training.settings import AutoencoderRun, DecoderRun, DenoiserRun, RunSettings

MOST_TOML = 1 << 20  # bytes


def read_toml(path: Path) -> dict[str, Any]:
    """The entries of a TOML file. Raises SettingsError naming the file."""
    try:
        values = tomllib.loads(read_bytes(path, MOST_TOML).decode())
        check_nesting(values)
        return values
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file.") from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} is not a TOML file: {first_line(error)}.") from None
    except RecursionError:
        raise SettingsError(f"{path} is not a TOML file of settings: its lists nest too deep.") from None


def load_run(path: Path) -> RunSettings:
    """Read a run's TOML file; its paths are relative to the working directory. Raises SettingsError naming the file."""
    values = read_toml(path)
    match values.get("kind"):
        case "autoencoder":
            return parse(AutoencoderRun, to_json(values), path)
        case "decoder":
            return parse(DecoderRun, to_json(values), path)
        case "denoiser":
            return parse(DenoiserRun, to_json(values), path)
        case other:
            raise SettingsError(
                f"{path}: `kind` must be 'autoencoder', 'decoder' or 'denoiser', not {shown(repr(other))}"
            )


def load_autoencoder_run(path: Path) -> AutoencoderRun:
    """Read an autoencoder's run; raises SettingsError where the file describes another kind."""
    run = load_run(path)
    if not isinstance(run, AutoencoderRun):
        raise SettingsError(f"{path} does not describe an autoencoder's run.")
    return run


def load_decoder_run(path: Path) -> DecoderRun:
    """Read a decoder's run; raises SettingsError where the file describes another kind."""
    run = load_run(path)
    if not isinstance(run, DecoderRun):
        raise SettingsError(f"{path} does not describe a decoder's run.")
    return run


def load_denoiser_run(path: Path) -> DenoiserRun:
    """Read a denoiser's run; raises SettingsError where the file describes another kind."""
    run = load_run(path)
    if not isinstance(run, DenoiserRun):
        raise SettingsError(f"{path} does not describe a denoiser's run.")
    return run
