"""Known frames at the denoiser's input: how the paper layout learns which frames exist already (Sec. 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor


def join_known(noisy: Tensor, known: Tensor, mask: Tensor) -> Tensor:
    """Join noisy latents, known latents and their mask along the channels.

    `noisy` and `known` (batch, channels, frames, height, width); `mask` (batch, 1, frames, 1, 1), 1 where a frame is
    known. Unknown frames enter as zeros. Returns (batch, 2 * channels + 1, frames, height, width).
    """
    plane = mask.to(noisy.dtype).expand(-1, -1, -1, *noisy.shape[3:])
    return torch.cat([noisy, known * plane, plane], dim=1)
