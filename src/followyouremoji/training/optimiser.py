"""The optimiser of a run: AdamW, and at which share of the learning rate each part of the networks learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from followyouremoji.errors import SettingsError
from followyouremoji.training.settings import Optimisation

BETAS = (0.9, 0.99)


def parameter_groups(module: nn.Module, rates: Mapping[str, float]) -> list[dict[str, Any]]:
    """A module's trained parameters in groups; `rate` is a group's share of the learning rate.

    `rates` are shares by the first part of a parameter's name; parts that it does not name learn at the whole rate.
    """
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            groups.setdefault(rates.get(name.partition(".")[0], 1.0), []).append(parameter)
    return [{"params": parameters, "rate": rate} for rate, parameters in groups.items()]


def first_moment(settings: Optimisation) -> str:
    """What the optimiser calls the mean of the gradients that it keeps of a parameter."""
    return "state1" if settings.optimiser == "adamw8bit" else "exp_avg"


def make_optimiser(
    settings: Optimisation, module: nn.Module, rates: Mapping[str, float] | None = None
) -> torch.optim.Optimizer:
    """AdamW for `parameter_groups`, with its moments in 32 or 8 bits. Raises SettingsError where bitsandbytes is asked
    for and missing."""
    groups = parameter_groups(module, rates or {})
    adamw: dict[str, Any] = {
        "lr": settings.learning_rate,
        "betas": BETAS,
        "weight_decay": settings.weight_decay,
    }
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
