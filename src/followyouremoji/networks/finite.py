"""Values that are not finite: found where a network returns them, not in a black picture at the end."""

from __future__ import annotations

import torch
from torch import Tensor

from followyouremoji.errors import WeightsError


def finite(values: Tensor, network: str) -> Tensor:
    """The values, as they are. Raises WeightsError, naming the network that made them, where one is NaN or infinite."""
    if not bool(torch.isfinite(values).all()):
        raise WeightsError(
            f"the {network} returns values that are not finite: its weights are damaged, or too large for numbers of "
            "16 bits; load the model anew, or compute in float32"
        )
    return values
