"""Tensors of a file into a network, by name: all that fit are copied, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from followyouremoji.errors import WeightsError, some_of


@dataclass(frozen=True)
class Copied:
    """What one file gave one network; names are those of its tensors."""

    network: str
    source: Path
    loaded: tuple[str, ...]
    values: int  # numbers in them
    widened: tuple[str, ...] = ()  # loaded into a part; the new input channels begin at zero
    unused: tuple[str, ...] = ()  # in the file, not in the network


@torch.no_grad()
def copy_tensors(
    network: str,
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    source: Path,
    *,
    may_lack: Callable[[str], bool],
    may_ignore: Callable[[str], bool],
) -> Copied:
    """Copy tensors by name, all or none.

    `may_lack` and `may_ignore` say of a name whether the file may lack it and whether the network may. Only
    `conv_in.weight` may read fewer channels in the file. Raises WeightsError for anything else that does not fit.
    """
    own = module.state_dict()
    missing = [name for name in own if name not in tensors and not may_lack(name)]
    foreign = [name for name in tensors if name not in own and not may_ignore(name)]
    loaded = [name for name in own if name in tensors]
    widened = [name for name in loaded if name == "conv_in.weight" and _is_narrower(tensors[name], own[name])]
    other = [name for name in loaded if name not in widened and tensors[name].shape != own[name].shape]
    if missing or foreign or other:
        problems = []
        if missing:
            problems.append(f"it lacks {some_of(missing)}")
        if foreign:
            problems.append(f"it holds {some_of(foreign)}, which the network has not")
        if other:
            shapes = f"{tuple(tensors[other[0]].shape)}, not {tuple(own[other[0]].shape)}"
            problems.append(f"{some_of(other)} of another size ({other[0]} is {shapes})")
        raise WeightsError(
            f"{source} does not fit the {network.replace('_', ' ')} of this run: {'; '.join(problems)}. Compare `[network]` in the "
            "config with the model that the file belongs to"
        )
    values = 0
    for name in loaded:
        target, value = own[name], tensors[name]
        values += value.numel()
        if name in widened:
            target.zero_()
            target = target[:, : value.shape[1]]
        target.copy_(value)
    unused = tuple(name for name in tensors if name not in own)
    return Copied(network, source, tuple(loaded), values, tuple(widened), unused)


def _is_narrower(given: Tensor, own: Tensor) -> bool:
    """Whether a convolution's weight reads fewer channels and is else of the same size."""
    return (
        given.ndim == own.ndim == 4
        and given.shape[1] < own.shape[1]
        and (given.shape[0], *given.shape[2:]) == (own.shape[0], *own.shape[2:])
    )
