"""`acceleration.json` beside a checkpoint's weights: how its passes are best forecast, as `fye calibrate` found it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from followyouremoji.checkpoints.folder import ACCELERATION_FILE, NETWORK_FILES, read_config
from followyouremoji.errors import SettingsError, WeightsError
from followyouremoji.media.outputs import written_whole
from followyouremoji.sampling.forecast.placement import general_preset
from followyouremoji.sampling.forecast.presets import SPEEDS, rescaled, written_out
from followyouremoji.sampling.forecast.settings import EXACT, Forecast

FORMAT = 1
REACH = 2.0  # a preset serves numbers of steps up to so many times more or fewer than it was found for


@dataclass(frozen=True)
class Preset:
    """A forecast for one of `SPEEDS`, found for so many steps; `measured` is told to people alone."""

    speed: str
    steps: int
    forecast: Forecast
    measured: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Acceleration:
    """What was found for a checkpoint, `denoiser` the SHA-256 sum of the weights that it was found with."""

    denoiser: str
    presets: tuple[Preset, ...]

    def forecast(self, speed: str, steps: int) -> Forecast | None:
        """The forecast for a speed, from the preset whose number of steps is nearest; None where none is near."""
        near = [p for p in self.presets if p.speed == speed and 1 / REACH <= steps / p.steps <= REACH]
        if not near:
            return None
        preset = min(near, key=lambda one: abs(math.log(steps / one.steps)))
        return rescaled(preset.forecast, preset.steps, steps)


def forecast_for(acceleration: Acceleration | None, speed: str, steps: int) -> Forecast:
    """The forecast that a user asks for: one of `SPEEDS`, or a forecast written out, see `Forecast.from_text`.

    Where nothing was found for a checkpoint, the presets for any model serve. Raises SettingsError for a text that is
    neither.
    """
    written = written_out(speed)
    if written is not None:
        return written
    if speed == "exact":
        return EXACT
    found = None if acceleration is None else acceleration.forecast(speed, steps)
    return general_preset(speed, steps) if found is None else found


def denoiser_checksum(folder: Path) -> str:
    """The SHA-256 sum of a checkpoint's denoiser, from its config; "" where the config knows none. Raises
    WeightsError."""
    _, records = read_config(folder)
    record = records.get(NETWORK_FILES["denoiser"])
    return "" if record is None else record.sha256


def read_acceleration(folder: Path) -> Acceleration | None:
    """What was found for the checkpoint in a folder; None where nothing was, or for other weights than now lie there.

    Raises WeightsError for a file that is damaged.
    """
    file = folder / ACCELERATION_FILE
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{file} cannot be read as JSON ({error}); {REMEDY}") from error
    try:
        if values["format"] != FORMAT:
            raise WeightsError(f"{file} has the format {values['format']!r}, not {FORMAT}; {REMEDY}")
        presets = tuple(_preset(one) for one in values["presets"])
        found = Acceleration(str(values["denoiser"]), presets)
    except (KeyError, TypeError, ValueError, AttributeError, SettingsError) as error:
        raise WeightsError(f"{file} is damaged ({error}); {REMEDY}") from error
    return found if found.denoiser == denoiser_checksum(folder) else None


REMEDY = "make it anew with `fye calibrate`, or delete it: the presets for any model are used then"


def _preset(values: Any) -> Preset:
    steps = int(values["steps"])
    forecast = Forecast.from_dict(values["forecast"])
    if values["speed"] not in SPEEDS or steps < 1:
        raise ValueError(f"{values['speed']!r} with {steps} steps is no preset")
    if forecast.computed is not None and forecast.computed[-1] >= steps:
        raise ValueError(f"step {forecast.computed[-1]} of {steps} is computed")
    return Preset(values["speed"], steps, forecast, dict(values.get("measured", {})))


def write_acceleration(acceleration: Acceleration, file: Path, overwrite: bool = False) -> None:
    """Write the file, whole or not at all. Raises WeightsError where it exists or cannot be written."""
    presets = [
        {"speed": p.speed, "steps": p.steps, "forecast": p.forecast.to_dict(), "measured": dict(p.measured)}
        for p in acceleration.presets
    ]
    values = {"format": FORMAT, "denoiser": acceleration.denoiser, "presets": presets}
    with written_whole(file, overwrite, WeightsError) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
