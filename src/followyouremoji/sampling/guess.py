"""Generation relative to a guess: what is sampled is how a frame differs from the portrait bent by its landmarks.

Background, hair and clothes of the guess are mostly right, so their difference is near zero and stays sharp; the
denoiser spends itself on eyes, mouth and what comes into view.
"""

from __future__ import annotations

from torch import Tensor


def relative_to_guess(latents: Tensor, guess: Tensor, scale: float) -> Tensor:
    """Latents of frames as differences from those of their guesses, times `scale`, which gives them about unit
    variance."""
    return (latents - guess) * scale


def onto_guess(differences: Tensor, guess: Tensor, scale: float) -> Tensor:
    """The inverse of `relative_to_guess`: differences back to latents that can be decoded."""
    return guess + differences / scale
