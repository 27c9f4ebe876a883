"""The exponential moving average of what a run trains, and tensors that are spread over processes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


def full_tensor(value: Tensor) -> Tensor:
    """A tensor with all that other processes hold of it (FSDP). All processes must ask at the same time."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def local_shard(value: Tensor) -> Tensor:
    """What this process holds of a tensor, for arithmetic in place."""
    return value.to_local() if isinstance(value, DTensor) else value


def shard_like(value: Tensor, parameter: Tensor) -> Tensor:
    """A whole tensor as its parameter lies: on its device, and in shares where the parameter is one of shares."""
    if isinstance(parameter, DTensor) and value.shape == parameter.shape:
        return distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements)
    return value.to(parameter.device)


class Average:
    """Moving average of the trained parameters, with a warm-up so that early steps do not linger; a decay of 0 holds
    nothing."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.parameters = (
            {name: p for name, p in module.named_parameters() if p.requires_grad} if decay else {}
        )
        self.values = {name: p.detach().clone() for name, p in self.parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        if not self.values:
            return
        decay = min(self.decay, (1 + step) / (10 + step))
        averages = [local_shard(value) for value in self.values.values()]
        parameters = [local_shard(parameter.detach()) for parameter in self.parameters.values()]
        get_ema_multi_avg_fn(decay)(averages, parameters, step)

    def restore(self, values: Mapping[str, Tensor]) -> None:
        """Take over saved values; parameters that have none begin with what they are."""
        for name, parameter in self.parameters.items():
            value = shard_like(values[name], parameter) if name in values else parameter.detach()
            self.values[name] = value.clone()
