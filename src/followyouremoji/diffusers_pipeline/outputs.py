"""What the pipeline makes, in the forms that users of diffusers know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from diffusers.utils.outputs import BaseOutput
from PIL import Image
from torch import Tensor

OutputType = Literal["pil", "np", "pt", "latent"]
OUTPUT_TYPES = ("pil", "np", "pt", "latent")

Frames = list[list[Image.Image]] | np.ndarray | Tensor


@dataclass
class FollowYourEmojiPipelineOutput(BaseOutput):
    """What the pipeline makes.

    Attributes
    ----------
    frames : of one clip, the only one of its batch. "pil": a list of a list of pictures. "np": float32 (1, frames,
        height, width, channels) in [0, 1]. "pt": the same as (1, frames, channels, height, width). "latent": float32
        (1, channels, frames, height / 8, width / 8) of the generated squares, before they are decoded and put back into
        the portrait.
    frame_rate : frames a second, those of the motion.
    """

    frames: Frames
    frame_rate: float


def as_output(made: Sequence[np.ndarray] | Tensor, output_type: str) -> Frames:
    """Finished frames uint8 (height, width, channels), or latents, in the form that a user asks for; see
    `FollowYourEmojiPipelineOutput`."""
    if isinstance(made, Tensor):
        return made
    if output_type == "pil":
        return [[Image.fromarray(picture) for picture in made]]
    levels = np.stack(made)[None].astype(np.float32) / 255
    return levels if output_type == "np" else torch.from_numpy(levels).permute(0, 1, 4, 2, 3)
