"""Where a model's weights come from, followed through all runs that led to it, for what an exported model says of
itself."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from followyouremoji.checkpoints.folder import NETWORK_FILES, read_config
from followyouremoji.checkpoints.sources import find_checkpoint
from followyouremoji.config import parse, validated
from followyouremoji.errors import WeightsError, first_line
from followyouremoji.files import write_json
from followyouremoji.reading import MOST_JSON, read_bytes
from followyouremoji.training.settings import DenoiserRun

ORIGIN_FILE = "origin.json"
MEND = "delete it, the run's origin is then unknown"
DRAWN = "Trained by the Follow Your Emoji project on portraits that it drew itself; it knows drawn faces, not photographs."
DRAWN_ON_TOP = "Trained with Follow Your Emoji on portraits that it draws itself."
OWN_DATA = "Trained with Follow Your Emoji on clips of its owner's choice."


@validated
class Origin:
    """What a run and those before it learnt from."""

    drawn: bool
    """Whether drawn portraits alone."""
    starts: tuple[str, ...] = ()
    """The weights of others that were at the beginning, in words."""

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
    start, starts = run.start, list[str]()
    if start is None:
        return Origin(drawn=drawn)
    if start.run is not None:
        before = read_origin(start.run)
        if before is None:
            before = Origin(
                drawn=False, starts=(f"the run {start.run.name}, which holds no record of its own beginning",)
            )
        drawn, starts = drawn and before.drawn, list(before.starts)
    if start.model is not None:
        starts.append(f"the model {describe_model(find_checkpoint(start.model))}")
    if start.unet is not None:
        starts.append(f"the UNet of {named(start.unet)}")
    if start.motion is not None and (start.motion / NETWORK_FILES["denoiser"]).is_file():
        starts.append(f"the temporal layers of the model {describe_model(start.motion)}")
    elif start.motion is not None:
        starts.append(f"the motion module {start.motion.name}")
    if run.distillation is not None and run.distillation.teacher != start.model:
        starts.append(f"the teacher {describe_model(find_checkpoint(run.distillation.teacher))}")
    return Origin(drawn=drawn, starts=tuple(starts))


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
        return parse(
            Origin, read_bytes(file, MOST_JSON), file, lambda words: WeightsError(f"{words}; {MEND}")
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{file} cannot be read ({first_line(error)}); {MEND}") from error
