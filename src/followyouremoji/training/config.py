"""A training run is one TOML file, read strictly into frozen dataclasses; every part that is not named keeps its default."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from followyouremoji.errors import SettingsError, WeightsError
from followyouremoji.networks import AutoencoderConfig, NetworkConfig


@dataclass(frozen=True)
class Optimisation:
    """AdamW with a linear warm-up, a constant rate, and a linear decay to zero over the last steps."""

    steps: int
    learning_rate: float = 5e-4
    warmup: int = 200
    decay: int = 500  # steps of the final decay
    weight_decay: float = 0.01
    gradient_norm: float = 1.0
    ema: float = 0.999
    precision: Literal["fp32", "bf16"] = "fp32"
    seed: int = 0

    def rate(self, step: int) -> float:
        """The learning rate of step `step` (from 0)."""
        rise = min(1.0, (step + 1) / max(self.warmup, 1))
        fall = min(1.0, (self.steps - step) / max(self.decay, 1))
        return self.learning_rate * min(rise, fall)


@dataclass(frozen=True)
class AutoencoderRun:
    """Trains the small autoencoder on single drawings."""

    drawings: Path
    output: Path
    optimisation: Optimisation
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    batch: int = 16
    face_weight: float = 2.0  # of the reconstruction error inside the face ...
    expression_weight: float = 4.0  # ... and around eyes, brows, lips
    log_every: int = 50
    save_every: int = 500


@dataclass(frozen=True)
class DenoiserRun:
    """Trains the networks: stage 1 on single frames, stage 2 the temporal layers on clips (Sec. 4.1)."""

    stage: Literal[1, 2]
    drawings: Path
    output: Path
    autoencoder: Path  # the TOML file of the autoencoder's finished run
    optimisation: Optimisation
    network: NetworkConfig
    initial: Path | None = None  # a finished run to start from; stage 2 needs one
    references: int = 4  # portraits in a step
    targets: int = (
        4  # frames that each portrait is animated to: single ones in stage 1, successive ones in stage 2
    )
    expression_mask: bool = True  # Eq. 1's two masks
    face_mask: bool = True
    unknown_clips: float = 0.25  # see masking.random_known_frames
    terminal_share: float = (
        0.0  # of the timesteps that are the last one, pure noise: more for sampling in very few steps
    )
    landmark_jitter: float = (
        0.015  # common offset of each facial feature, in pupil distances, as a detector's bias
    )
    log_every: int = 50
    save_every: int = 500

    def __post_init__(self) -> None:
        if self.stage not in (1, 2):
            raise SettingsError(f"`stage` must be 1 or 2, not {self.stage!r}")
        if self.stage == 2 and self.initial is None:
            raise SettingsError("stage 2 needs `initial`, the output folder of a stage-1 run to start from")
        if self.network.layout != "paper" or self.network.image_source != "latents":
            raise SettingsError(
                "only networks of the paper layout that read latents as image prompt can be trained yet"
            )
        for name in ("references", "targets", "log_every", "save_every"):
            if getattr(self, name) < 1:
                raise SettingsError(f"`{name}` must be 1 or more, not {getattr(self, name)}")
        if not 0 <= self.terminal_share <= 1 or not 0 <= self.unknown_clips <= 1:
            raise SettingsError("`terminal_share` and `unknown_clips` are shares from 0 to 1")


Run = AutoencoderRun | DenoiserRun
KINDS: dict[str, type[Any]] = {"autoencoder": AutoencoderRun, "denoiser": DenoiserRun}
NESTED: dict[str, Any] = {
    "optimisation": lambda values: build(Optimisation, values),
    "autoencoder": lambda values: (
        AutoencoderConfig.from_dict(values) if isinstance(values, dict) else Path(values)
    ),
    "network": NetworkConfig.from_dict,
}


def build(kind: type[Any], values: dict[str, Any]) -> Any:
    """Make a frozen dataclass from a table; raises SettingsError naming an entry that is unknown or missing."""
    known = {f.name: f for f in dataclasses.fields(kind)}
    for name in values:
        if name not in known:
            raise SettingsError(f"unknown entry {name!r}; known are {', '.join(known)}")
    made = {}
    for name, value in values.items():
        if name in NESTED:
            made[name] = NESTED[name](value)
        elif "Path" in str(known[name].type):
            made[name] = Path(value)
        else:
            made[name] = value
    try:
        return kind(**made)
    except TypeError as error:
        raise SettingsError(str(error).replace(f"{kind.__name__}.__init__() ", "")) from None


def load_run(path: Path) -> Run:
    """Read a run's TOML file; its paths are relative to the working directory. Raises SettingsError naming the file."""
    try:
        values = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not a TOML file: {error}.") from None
    kind = values.pop("kind", None)
    if kind not in KINDS:
        raise SettingsError(f"{path}: `kind` must be one of {', '.join(KINDS)}, not {kind!r}.")
    try:
        return build(KINDS[kind], values)
    except (SettingsError, WeightsError, TypeError, KeyError) as error:
        raise SettingsError(f"{path}: {error}") from None


def load_autoencoder_run(path: Path) -> AutoencoderRun:
    """Read an autoencoder's run; raises SettingsError where the file describes another kind."""
    run = load_run(path)
    if not isinstance(run, AutoencoderRun):
        raise SettingsError(f"{path} does not describe an autoencoder's run.")
    return run
