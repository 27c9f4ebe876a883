"""LoRA files: low-rank changes of a model's weights, small enough to send, merged into a model and taken out again.

A LoRA (Hu et al. 2022) adds `scale * alpha / rank * B A` to a weight matrix. A file is one safetensors file: tensors
named as peft names them (`denoiser.….to_q.lora_A.weight`), everything else in its header. Merging needs no peft: the
sum is the weight.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from followyouremoji.checkpoints.model import Model
from followyouremoji.checkpoints.tensors import write_tensors
from followyouremoji.errors import WeightsError
from followyouremoji.files import atomic_output

FORMAT = "followyouremoji-lora-1"
NETWORKS = ("denoiser", "appearance_net")  # what a LoRA may change
DOWN, UP = ".lora_A.weight", ".lora_B.weight"
LARGEST_SCALE = 10.0


@dataclass(frozen=True)
class Lora:
    """A LoRA as it lies in its file.

    Attributes
    ----------
    tensors : A (rank, inputs) or (rank, inputs, height, width) and B (outputs, rank) or (outputs, rank, 1, 1) by name
    rank, alpha : of all of them; a change has the factor alpha / rank
    base : name of the model that it was trained on
    about : what it shows and how it was made, for people
    """

    tensors: Mapping[str, Tensor]
    rank: int
    alpha: float
    base: str
    about: str = ""

    @property
    def targets(self) -> list[str]:
        """Names of the layers that it changes, each beginning with its network's name."""
        return sorted(name.removesuffix(DOWN) for name in self.tensors if name.endswith(DOWN))

    @property
    def networks(self) -> set[str]:
        """Names of the networks that it changes, or that it says to change."""
        return {target.partition(".")[0] for target in self.targets}

    def change(self, target: str) -> Tensor:
        """The float32 change of a layer's weight at scale 1, in the weight's shape."""
        down, up = self.tensors[target + DOWN].float(), self.tensors[target + UP].float()
        product = up.flatten(1) @ down.flatten(1)
        return (self.alpha / self.rank) * product.view(up.shape[0], *down.shape[1:])


def parse_lora(text: str) -> tuple[Path, float]:
    """`FILE` or `FILE:SCALE` as the command line takes it. Raises WeightsError for a scale that cannot be used."""
    if Path(text).exists():
        return Path(text), 1.0
    name, colon, number = text.rpartition(":")
    if colon:
        try:
            return Path(name), checked_scale(float(number))
        except ValueError:
            pass
    return Path(text), 1.0


def checked_scale(scale: float) -> float:
    if not (math.isfinite(scale) and abs(scale) <= LARGEST_SCALE):
        raise WeightsError(
            f"a LoRA's scale must be between -{LARGEST_SCALE:g} and {LARGEST_SCALE:g}, not {scale:g}; 1 is as it was trained"
        )
    return scale


def read_lora(file: Path) -> Lora:
    """Read a LoRA file. Raises WeightsError where it is missing, damaged or something else."""
    if not file.is_file():
        raise WeightsError(f"there is no LoRA file {file}; make one with `fye train lora`")
    try:
        with safe_open(file, framework="pt") as opened:
            header = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{file} is damaged or no safetensors file; copy or make it again") from error
    if header.get("format") != FORMAT:
        raise WeightsError(
            f"{file} is not a LoRA of this program: its header says {header.get('format')!r} instead of {FORMAT!r}. "
            "LoRAs for text-to-image models do not fit"
        )
    try:
        values = json.loads(header["lora"])
        lora = Lora(
            tensors, int(values["rank"]), float(values["alpha"]), str(values["base"]), str(values["about"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{file} has a damaged header; copy or make it again") from error
    _check(lora, file)
    return lora


def write_lora(lora: Lora, file: Path, *, overwrite: bool = False) -> Path:
    """Write a LoRA in half precision; it appears when it is complete. Raises WeightsError where it exists or cannot be
    written."""
    described = {name: value for name, value in dataclasses.asdict(lora).items() if name != "tensors"}
    with atomic_output(file, overwrite, WeightsError, SafetensorError) as temporary:
        metadata = {"format": FORMAT, "lora": json.dumps(described)}
        write_tensors(lora.tensors, temporary, torch.float16, metadata)
    return file


@dataclass(frozen=True)
class Merged:
    """A LoRA in a model: `undo` puts back the very weights that were there before."""

    lora: Lora
    scale: float
    before: Mapping[str, nn.Parameter]

    def undo(self, model: Model) -> None:
        for target, weight in self.before.items():
            _layer(model, target).weight = weight


@torch.no_grad()
def merge_lora(model: Model, lora: Lora, scale: float, origin: str) -> Merged:
    """Add a LoRA to a model's weights. `origin` names its file in messages.

    Sums are formed in float32 and rounded once. Several LoRAs add up; undo them in the opposite order. Raises
    WeightsError, with the model unchanged, where the LoRA was made for other networks.
    """
    checked_scale(scale)
    changes: dict[str, nn.Parameter] = {}
    for target in lora.targets:
        layer = _layer_or_none(model, target)
        change = lora.change(target)
        if layer is None or tuple(layer.weight.shape) != tuple(change.shape):
            there = "has no such layer" if layer is None else f"has one of {tuple(layer.weight.shape)}"
            raise WeightsError(
                f"{origin} does not fit the model {model.config.name!r}: it was trained on {lora.base!r} and changes {target} of "
                f"{tuple(change.shape)}, where this model {there}; use the model that it was trained on"
            )
        weight = layer.weight
        summed = weight.float() + scale * change.to(weight.device)
        changes[target] = nn.Parameter(summed.to(weight.dtype), requires_grad=False)
    before = {}
    for target, weight in changes.items():
        layer = _layer(model, target)
        before[target] = layer.weight
        layer.weight = weight
    return Merged(lora, scale, before)


def _layer(model: Model, target: str) -> Any:
    layer = _layer_or_none(model, target)
    assert layer is not None
    return layer


def _layer_or_none(model: Model, target: str) -> Any | None:
    network, _, path = target.partition(".")
    if network not in NETWORKS:
        return None
    try:
        layer = getattr(model.networks, network).get_submodule(path)
    except AttributeError:
        return None
    return layer if isinstance(layer, (nn.Linear, nn.Conv2d)) else None


def _check(lora: Lora, file: Path) -> None:
    def problems() -> Iterator[str]:
        if lora.rank < 1 or not (math.isfinite(lora.alpha) and lora.alpha > 0):
            yield f"rank {lora.rank} with alpha {lora.alpha}"
        if not lora.targets:
            yield "no layers"
        known = {target + end for target in lora.targets for end in (DOWN, UP)}
        for name in sorted(set(lora.tensors) ^ known):
            yield f"{name} without its counterpart"
        for target in lora.targets:
            if target + UP not in lora.tensors:
                continue
            down, up = lora.tensors[target + DOWN], lora.tensors[target + UP]
            fits = down.ndim in (2, 4) and up.ndim == down.ndim and down.shape[0] == lora.rank == up.shape[1]
            if not fits:
                yield f"{target} of the shapes {tuple(down.shape)} and {tuple(up.shape)}"
            elif not (bool(torch.isfinite(down).all()) and bool(torch.isfinite(up).all())):
                yield f"{target} with values that are not finite"

    for problem in problems():
        raise WeightsError(f"{file} is damaged: it holds {problem}; copy or make it again")
