"""Compilation by torch, region by region: the modules between which caches cut, so that these work as before.

Shapes are static, since there are few: those of a level of the UNet, times the lengths of a clip's windows. Modules of
equal shapes have one compilation, and weights are its inputs, not part of it: they may change or be loaded again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from followyouremoji.errors import SettingsError, first_line
from followyouremoji.networks.layers import Downsample, ResnetBlock, SpatialTransformer, Upsample
from followyouremoji.networks.motion_module import MotionModule, position_table
from followyouremoji.networks.unet import UNet

REGIONS = (SpatialTransformer, MotionModule, ResnetBlock, Downsample, Upsample)
ON_PROCESSORS = REGIONS[:2]  # there the minimal filters of `cpu_kernels.py` are quicker for the others
MOST_SHAPES = 4096
"""Of all regions together: never reached, where torch's own limit of 8 would be in the first pass."""


def compile_regions(
    network: UNet, device: torch.device, backend: str | Callable[..., Any] = "inductor"
) -> None:
    """Let torch compile the regions of a network for a device, in place, each when it first gets inputs of new shapes.

    The network's modules and tensors keep their names. A region is compiled whole or fails; torch never falls back to
    interpreting it.

    Parameters
    ----------
    backend : torch's name of a compiler, or a function as `torch.compile` takes it.
    """
    torch.compiler.assume_constant_result(
        position_table
    )  # a formula of numbers that are known when compiling
    regions = ON_PROCESSORS if device.type == "cpu" else REGIONS
    for module in network.modules():
        if isinstance(module, regions):
            compile_module(module, backend, fullgraph=True)


def compile_module(
    module: nn.Module, backend: str | Callable[..., Any] = "inductor", *, fullgraph: bool = False
) -> None:
    """Let torch compile a module, in place, once for each shape of its inputs. After 8 shapes, torch's own limit, it
    would silently run uncompiled. With `fullgraph` the module is compiled whole, or fails.
    """
    limits = torch._dynamo.config  # one of them counts all modules whose forward is the same function
    limits.accumulated_recompile_limit = max(limits.accumulated_recompile_limit, MOST_SHAPES)
    module.compile(backend=backend, fullgraph=fullgraph, dynamic=False, recompile_limit=MOST_SHAPES)


def compiler_problem(device: torch.device, backend: str = "inductor") -> str | None:
    """Why torch cannot compile for a device, in the compiler's words; None where it can. Compiles a sum to find out,
    which takes seconds."""
    try:
        with torch.inference_mode():
            total = torch.compile(torch.add, backend=backend, dynamic=False, fullgraph=True)
            total(torch.ones(64, device=device), torch.ones(64, device=device))
    except (
        Exception
    ) as error:  # a compiler that is missing, too old or broken shows itself in any of many ways
        return first_line(error)
    return None


def check_compiler(device: torch.device) -> None:
    """Raise SettingsError where torch cannot compile for a device."""
    problem = compiler_problem(device)
    if problem is not None:
        needed = "Triton" if device.type == "cuda" else "a C++ compiler, such as g++"
        raise SettingsError(
            f"torch cannot compile for {device} here ({problem}): install {needed}, or leave out compiling, which only saves time"
        )
