"""Pretrained starts: Stable Diffusion's UNet, AnimateDiff's motion module or a saved model, copied into networks before
they are trained.

The paper starts its networks from Stable Diffusion 1.5 and its temporal layers from AnimateDiff (Sec. 3, 4.1); the
released image prompt is that of sd-image-variations. Whatever a file does not hold stays as a new network has it, and
the report says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from followyouremoji.checkpoints.folder import CONFIG_FILE, NETWORK_FILES, read_config
from followyouremoji.checkpoints.sources import find_checkpoint
from followyouremoji.checkpoints.tensors import read_tensors
from followyouremoji.config import validated
from followyouremoji.errors import WeightsError, some_of
from followyouremoji.training.checkpointing import averaged_weights, carries_decoder, holds_run
from followyouremoji.training.copying import Copied, copy_tensors
from followyouremoji.training.foreign import TIME, copy_motion, copy_unet
from followyouremoji.training.networks import Networks


@validated
class Start:
    """What to start from: one of `model`, `run` and `unet`, with or without `motion` on top."""

    model: Annotated[str, Field(min_length=1)] | None = None
    """`released`, `bundled` or a model's folder: all networks."""
    run: Path | None = None
    """Output folder of a training, whose averaged weights are taken."""
    unet: Path | None = None
    """Diffusers folder of Stable Diffusion 1.x or sd-image-variations, or its folder `unet`: appearance net and
    denoiser."""
    motion: Path | None = None
    """Temporal layers: AnimateDiff's motion module, `.ckpt` or `.safetensors`, diffusers' folder of one, or a model's
    folder."""

    @model_validator(mode="after")
    def _fills_each_layer_once(self) -> Self:
        named = [name for name in ("model", "run", "unet") if getattr(self, name) is not None]
        if len(named) > 1:
            raise ValueError(
                f"takes one of {', '.join(named)}, not several: each fills the denoiser's spatial layers"
            )
        if not named and self.motion is None:
            raise ValueError("names nothing to start from: give `model`, `run` or `unet`")
        return self


@dataclass(frozen=True)
class StartReport:
    """What was loaded from where, and by network what stayed new."""

    copied: tuple[Copied, ...]
    fresh: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """The report for people, a line a fact."""
        lines = []
        for part in self.copied:
            lines.append(
                f"{part.network}: {len(part.loaded)} tensors, {part.values / 1e6:.2f} M values, from {part.source}"
            )
            if part.widened:
                lines.append(
                    f"{part.network}: {', '.join(part.widened)} widened, new input channels begin at zero"
                )
            if part.unused:
                lines.append(f"{part.network}: {some_of(part.unused)} of the file not used")
        lines += [f"{name}: {some_of(names)} new" for name, names in self.fresh.items() if names]
        return lines


def start_of(initial: Path | Start) -> Start:
    """What a config's `initial` names: "bundled", "released" and a model's folder are models, other paths runs."""
    if isinstance(initial, Start):
        return initial
    named = str(initial) in ("bundled", "released")
    is_model = named or ((initial / CONFIG_FILE).exists() and not holds_run(initial))
    return Start(model=str(initial)) if is_model else Start(run=initial)


def initial_weights(networks: Networks, start: Start) -> StartReport:
    """Copy pretrained weights into networks.

    The denoiser's first convolution may read more channels than the file's (the known frames of Sec. 3.3): those begin
    at zero, so that the network begins as the pretrained one. A new layer for the warped portrait begins at zero for
    the same reason.

    Raises
    ------
    WeightsError : a folder or file is missing, damaged, not what it is said to be, or of another size than the
        networks.
    """
    parts = {
        name: module
        for name in ("appearance_net", "denoiser", "landmark_encoder", "qformer")
        if (module := getattr(networks, name)) is not None
    }
    copied: list[Copied] = []
    if start.model is not None:
        copied += _from_model(parts, start.model)
    if start.run is not None:
        decoder = networks.decoder
        tuned = {"decoder": decoder} if decoder is not None and carries_decoder(start.run) else {}
        copied += _from_run({**parts, **tuned}, start.run)
    if start.unet is not None:
        copied += copy_unet(parts, networks.config, start.unet)
    if start.motion is not None:
        copied.append(copy_motion(networks.denoiser, start.motion))
    given: dict[str, set[str]] = {}
    for part in copied:
        given.setdefault(part.network, set()).update(part.loaded)
    fresh = {
        name: tuple(key for key in module.state_dict() if key not in given.get(name, ()))
        for name, module in parts.items()
    }
    if (
        hasattr(networks.landmark_encoder, "conv_warped")
        and "conv_warped.weight" in fresh["landmark_encoder"]
    ):
        nn.init.zeros_(networks.landmark_encoder.conv_warped.weight)
        nn.init.zeros_(networks.landmark_encoder.conv_warped.bias)  # type: ignore[arg-type]
    return StartReport(tuple(copied), fresh)


def _from_model(parts: Mapping[str, nn.Module], model: str) -> list[Copied]:
    folder = find_checkpoint(model)
    config, _ = read_config(folder)
    copied = []
    for network, module in parts.items():
        file = folder / NETWORK_FILES[network]
        if network == "qformer" and config.network.qformer is None:
            continue  # a released-layout model that starts a paper-layout network
        if not file.is_file():
            raise WeightsError(f"{file} is missing: the model is incomplete; fetch or save it again")
        copied.append(_copied(network, module, read_tensors(file), file))
    return copied


def _from_run(parts: Mapping[str, nn.Module], folder: Path) -> list[Copied]:
    weights = averaged_weights(folder)
    copied = []
    for network, module in parts.items():
        prefix = f"{network}."
        own = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        copied.append(_copied(network, module, own, folder))
    return copied


def _copied(network: str, module: nn.Module, tensors: Mapping[str, Tensor], source: Path) -> Copied:
    """Copy a network of the project's own; its temporal layers and the layer for the warped portrait may begin here or
    end here."""

    def optional(name: str) -> bool:
        return TIME in name or name.startswith("conv_warped.")

    return copy_tensors(network, module, tensors, source, may_lack=optional, may_ignore=optional)
