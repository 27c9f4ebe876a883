"""Latents relative to a guess."""

import torch

from followyouremoji.sampling.guess import onto_guess, relative_to_guess


def test_there_and_back() -> None:
    latents, guess = torch.randn(2, 4, 3, 8, 8), torch.randn(2, 4, 3, 8, 8)
    torch.testing.assert_close(onto_guess(relative_to_guess(latents, guess, 1.5), guess, 1.5), latents)


def test_what_is_as_guessed_is_zero() -> None:
    latents = torch.randn(1, 4, 1, 8, 8)
    assert not relative_to_guess(latents, latents, 1.5).any()
    assert torch.equal(onto_guess(torch.zeros_like(latents), latents, 1.5), latents)
