"""Latents relative to a warp."""

import torch

from followyouremoji.sampling.residual import onto_warp, relative_to_warp


def test_there_and_back() -> None:
    latents, warped = torch.randn(2, 4, 3, 8, 8), torch.randn(2, 4, 3, 8, 8)
    torch.testing.assert_close(onto_warp(relative_to_warp(latents, warped, 1.5), warped, 1.5), latents)


def test_what_is_as_warped_is_zero() -> None:
    latents = torch.randn(1, 4, 1, 8, 8)
    assert not relative_to_warp(latents, latents, 1.5).any()
    assert torch.equal(onto_warp(torch.zeros_like(latents), latents, 1.5), latents)
