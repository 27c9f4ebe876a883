"""The optimiser of a run: which of its parameters learn by which rule, and at which share of the learning rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from followyouremoji.errors import SettingsError
from followyouremoji.training.muon import Muon, matrices
from followyouremoji.training.settings import Optimisation

BETAS = (0.9, 0.99)


def parameter_groups(
    settings: Optimisation, module: nn.Module, rates: Mapping[str, float]
) -> list[dict[str, Any]]:
    """A module's trained parameters in groups; `rate` is a group's share of the learning rate, `orthogonal` says that
    it learns by Muon.

    `rates` are shares by the first part of a parameter's name. A part with a rate of its own is tuned, not learnt from
    nothing, and stays with AdamW.
    """
    by_muon = matrices(module) if settings.optimiser == "muon" else {}
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            part = name.partition(".")[0]
            key = (rates.get(part, 1.0), name in by_muon and part not in rates)
            groups.setdefault(key, []).append(parameter)
    return [
        {"params": parameters, "rate": rate, "orthogonal": orthogonal}
        for (rate, orthogonal), parameters in groups.items()
    ]


def first_moment(settings: Optimisation, orthogonal: bool) -> str:
    """What an optimiser calls the mean of the gradients that it keeps of a parameter."""
    if orthogonal:
        return "momentum"
    return "state1" if settings.optimiser == "adamw8bit" else "exp_avg"


def make_optimiser(
    settings: Optimisation,
    module: nn.Module,
    rates: Mapping[str, float] | None = None,
    process: int = 0,
    processes: int = 1,
) -> torch.optim.Optimizer:
    """AdamW with its moments in 32 or 8 bits, or Muon, for `parameter_groups`. Raises SettingsError where bitsandbytes
    is asked for and missing."""
    groups = parameter_groups(settings, module, rates or {})
    adamw: dict[str, Any] = {
        "lr": settings.learning_rate,
        "betas": BETAS,
        "weight_decay": settings.weight_decay,
    }
    if settings.optimiser == "muon":
        precision = torch.float32 if settings.precision == "fp32" else torch.bfloat16
        return Muon(groups, precision=precision, process=process, processes=processes, **adamw)
    if settings.optimiser == "adamw8bit":
        try:
            from bitsandbytes.optim import AdamW8bit
        except ImportError:
            raise SettingsError(
                "the optimiser adamw8bit needs bitsandbytes: pip install bitsandbytes"
            ) from None
        optimiser: torch.optim.Optimizer = AdamW8bit(groups, **adamw)
        return optimiser
    return torch.optim.AdamW(groups, **adamw)
