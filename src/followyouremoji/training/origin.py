"""Where a model's weights come from, followed through all runs that led to it, for what an exported model says of
itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from followyouremoji.checkpoints.folder import NETWORK_FILES, read_config
from followyouremoji.checkpoints.sources import find_checkpoint
from followyouremoji.errors import WeightsError
from followyouremoji.files import write_json
from followyouremoji.training.settings import DenoiserRun
from followyouremoji.training.starts import start_of

ORIGIN_FILE = "origin.json"
DRAWN = "Trained by the Follow Your Emoji project on portraits that it drew itself; it knows drawn faces, not photographs."
DRAWN_ON_TOP = "Trained with Follow Your Emoji on portraits that it draws itself."
OWN_DATA = "Trained with Follow Your Emoji on clips of its owner's choice."


@dataclass(frozen=True)
class Origin:
    """What a run and those before it learnt from: drawn portraits alone or not, and which weights of others were at the
    beginning."""

    drawn: bool
    starts: tuple[str, ...] = ()

    def summary(self) -> str:
        """A sentence or two for users of the model."""
        if self.drawn and not self.starts:
            return DRAWN
        learnt = DRAWN_ON_TOP if self.drawn else OWN_DATA
        return f"{learnt} It began with {'; '.join(self.starts)}." if self.starts else learnt


def origin_of(run: DenoiserRun) -> Origin:
    """The origin of what a run learns, as it is begun. Raises WeightsError where what it starts from is missing or
    damaged."""
    drawn = run.drawings is not None or all(part.drawn is not None for part in run.data)
    if run.initial is None:
        return Origin(drawn)
    start, starts = start_of(run.initial), list[str]()
    if start.run is not None:
        before = read_origin(start.run)
        if before is None:
            before = Origin(False, (f"the run {start.run.name}, which holds no record of its own beginning",))
        drawn, starts = drawn and before.drawn, list(before.starts)
    if start.model is not None:
        starts.append(f"the model {describe_model(find_checkpoint(start.model))}")
    if start.unet is not None:
        starts.append(f"the UNet of {named(start.unet)}")
    if start.motion is not None and (start.motion / NETWORK_FILES["denoiser"]).is_file():
        starts.append(f"the temporal layers of the model {describe_model(start.motion)}")
    elif start.motion is not None:
        starts.append(f"the motion module {start.motion.name}")
    return Origin(drawn, tuple(starts))


def describe_model(folder: Path) -> str:
    """A saved model in words: its name and where it says that it comes from."""
    config, _ = read_config(folder)
    return f"{config.name} ({config.provenance.rstrip('.') or 'of unknown origin'})"


def named(unet: Path) -> str:
    """The name that a diffusers folder, or its folder `unet`, was given."""
    return unet.resolve().parent.name if unet.name == "unet" else unet.name


def write_origin(folder: Path, origin: Origin) -> None:
    """Keep a run's origin in its output folder."""
    write_json(folder / ORIGIN_FILE, asdict(origin))


def read_origin(folder: Path) -> Origin | None:
    """The origin of the run in `folder`; None for one of an earlier version, which kept none. Raises WeightsError where
    it is damaged."""
    file = folder / ORIGIN_FILE
    try:
        values: Any = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{file} cannot be read ({error}); delete it, the run's origin is then unknown"
        ) from error
    starts = values.get("starts") if isinstance(values, Mapping) else None
    if not isinstance(starts, list) or not all(isinstance(one, str) for one in starts):
        raise WeightsError(f"{file} is damaged; delete it, the run's origin is then unknown")
    return Origin(values.get("drawn") is True, tuple(starts))
