"""LoRA files: low-rank changes of a model's weights, small enough to send.

A LoRA (Hu et al. 2022) adds `scale * alpha / rank * B A` to a weight matrix. A file is one safetensors file: tensors
named as peft names them (`denoiser.….to_q.lora_A.weight`), everything else in its header. Adding it needs no peft: the
sum is the weight.
"""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field
from safetensors import SafetensorError
from torch import Tensor, nn

from followyouremoji.checkpoints.model import Model
from followyouremoji.checkpoints.tensors import open_tensors, write_tensors
from followyouremoji.config import parse, validated
from followyouremoji.errors import WeightsError, shown
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

    def shape(self, target: str) -> tuple[int, ...]:
        """The shape of a layer's weight."""
        return (self.tensors[target + UP].shape[0], *self.tensors[target + DOWN].shape[1:])

    def change(self, target: str) -> Tensor:
        """The float32 change of a layer's weight at scale 1, in the weight's shape."""
        down, up = self.tensors[target + DOWN].float(), self.tensors[target + UP].float()
        product = up.flatten(1) @ down.flatten(1)
        return (self.alpha / self.rank) * product.view(self.shape(target))


@validated
class _Header:
    """What a file's header says of a LoRA."""

    rank: Annotated[int, Field(ge=1, le=65_536)]
    alpha: Annotated[float, Field(gt=0, le=65_536)]
    base: str
    about: str


def check_scale(scale: float) -> None:
    if not abs(scale) <= LARGEST_SCALE:  # also where it is NaN
        raise WeightsError(
            f"a LoRA's scale must be between -{LARGEST_SCALE:g} and {LARGEST_SCALE:g}, not {scale:g}; 1 is as it was trained"
        )


def read_lora(file: Path) -> Lora:
    """Read a LoRA file. Raises WeightsError where it is missing, damaged or something else."""
    if not file.is_file():
        raise WeightsError(f"there is no LoRA file {file}; make one with `fye train lora`")
    with open_tensors(file) as opened:
        header = opened.metadata() or {}
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a mapping)
    if header.get("format") != FORMAT:
        raise WeightsError(
            f"{file} is not a LoRA of this program: its header says {shown(repr(header.get('format')))} instead of {FORMAT!r}. "
            "LoRAs for text-to-image models do not fit"
        )
    said = parse(_Header, header.get("lora", ""), f"the header of {file}", WeightsError)
    lora = Lora(tensors, said.rank, said.alpha, said.base, said.about)
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


def with_loras(model: Model, loras: Sequence[tuple[Lora, float, str]]) -> Model:
    """A model whose weights are the given one's with LoRAs added: each with its scale, and its file for messages.

    Its networks share with the given model's all weights that no LoRA changes, and both can be used at the same time.
    Sums are formed in float32 and rounded once. Raises WeightsError for a LoRA that was made for
    other networks.
    """
    for lora, scale, origin in loras:
        check_scale(scale)
        check_fits(model, lora, origin)
    tensors = chain(model.networks.parameters(), model.networks.buffers())
    networks = copy.deepcopy(model.networks, {id(tensor): tensor for tensor in tensors})
    for name, network in networks.named_children():
        add = partial(add_loras, name=name, loras=loras)
        if model.turns is not None and model.turns.takes(original := model.networks.get_submodule(name)):
            model.turns.add(network, original, add)
        else:
            add(network)
    return dataclasses.replace(model, networks=networks)


@torch.no_grad()
def add_loras(network: nn.Module, name: str, loras: Sequence[tuple[Lora, float, str]]) -> None:
    """Give the layers of a network, called `name` in LoRA files, new weights with the LoRAs' changes added."""
    sums: dict[str, Tensor] = {}
    for lora, scale, _ in loras:
        for target in lora.targets:
            owner, _, path = target.partition(".")
            if owner == name:
                weight = network.get_parameter(f"{path}.weight")
                before = sums.get(path, weight.float())
                sums[path] = before + scale * lora.change(target).to(weight.device)
    for path, total in sums.items():
        weight = network.get_parameter(f"{path}.weight")
        network.get_submodule(path).weight = nn.Parameter(total.to(weight.dtype), requires_grad=False)


def check_fits(model: Model, lora: Lora, origin: str) -> None:
    """Raise WeightsError where a LoRA was made for other networks. `origin` names its file."""
    for target in lora.targets:
        layer, wanted = _layer(model, target), lora.shape(target)
        if layer is None or tuple(layer.weight.shape) != wanted:
            there = "has no such layer" if layer is None else f"has one of {tuple(layer.weight.shape)}"
            raise WeightsError(
                f"{origin} does not fit the model {model.config.name!r}: it was trained on {shown(repr(lora.base))} and changes "
                f"{shown(target)} of {wanted}, where this model {there}; use the model that it was trained on"
            )


def _layer(model: Model, target: str) -> nn.Linear | nn.Conv2d | None:
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
        if not lora.targets:
            yield "no layers"
        known = {target + end for target in lora.targets for end in (DOWN, UP)}
        for name in sorted(set(lora.tensors) ^ known):
            yield f"{shown(name)} without its counterpart"
        for target in lora.targets:
            if target + UP not in lora.tensors:
                continue
            down, up = lora.tensors[target + DOWN], lora.tensors[target + UP]
            fits = down.ndim in (2, 4) and up.ndim == down.ndim and down.shape[0] == lora.rank == up.shape[1]
            if not (down.is_floating_point() and up.is_floating_point()):
                yield f"{shown(target)} of {down.dtype} and {up.dtype}"
            elif not fits:
                yield f"{shown(target)} of the shapes {tuple(down.shape)} and {tuple(up.shape)}"
            elif not (bool(torch.isfinite(down).all()) and bool(torch.isfinite(up).all())):
                yield f"{shown(target)} with values that are not finite"

    for problem in problems():
        raise WeightsError(f"{file} is damaged: it holds {problem}; copy or make it again")
