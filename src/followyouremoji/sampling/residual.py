"""Generation relative to a warp: what is sampled is how a frame differs from the portrait warped by its landmarks.

Background, hair and clothes of the warped portrait are mostly right, so their difference is near zero and stays sharp;
the denoiser spends itself on eyes, mouth and what comes into view.
"""

from __future__ import annotations

from torch import Tensor


def relative_to_warp(latents: Tensor, warped: Tensor, scale: float) -> Tensor:
    """Latents of frames as differences from those of the warped portrait, times `scale`, which gives them about unit
    variance."""
    return (latents - warped) * scale


def onto_warp(differences: Tensor, warped: Tensor, scale: float) -> Tensor:
    """The inverse of `relative_to_warp`: differences back to latents that can be decoded."""
    return warped + differences / scale
