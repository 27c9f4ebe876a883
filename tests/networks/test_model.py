"""The holder of all networks: one prediction is reading the portrait, reading the landmarks, and the denoiser."""

import pytest
import torch

from followyouremoji.networks import FollowYourEmoji
from tests.tiny import tiny_network


@pytest.fixture(scope="module")
def networks() -> FollowYourEmoji:
    torch.manual_seed(0)
    made = FollowYourEmoji(tiny_network(warped_reference=True, reference_landmarks=True))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    return made.requires_grad_(False)


def test_forward_is_reading_and_denoising(networks: FollowYourEmoji) -> None:
    config, size = networks.config, 32
    pictures = torch.randint(0, 256, (2, 3, 3, size, size), dtype=torch.uint8)
    latents = torch.randn(2, config.latent_channels, size // 8, size // 8)
    tokens = torch.randn(2, 5, config.image_width)
    warped = torch.randn(2, config.latent_channels, 3, size // 8, size // 8)
    noisy = torch.randn(2, config.denoiser_channels, 3, size // 8, size // 8)
    steps = torch.tensor([10, 900])
    v = networks(latents, tokens, pictures[:, :, 0], pictures, warped, noisy, steps)
    prompt, appearance = networks.read_portrait(latents, tokens, pictures[:, :, 0])
    conditioning = networks.denoiser.condition(prompt, appearance)
    expected = networks.denoiser(noisy, steps, networks.features(pictures, warped), conditioning)
    torch.testing.assert_close(v, expected)
    without = networks.read_portrait(latents, tokens)[1]
    assert any(not torch.allclose(one, other) for one, other in zip(appearance, without, strict=True))


def test_landmark_pictures_are_read_as_shares_of_white(networks: FollowYourEmoji) -> None:
    pictures = torch.randint(0, 256, (1, 3, 1, 32, 32), dtype=torch.uint8)
    torch.testing.assert_close(networks.features(pictures), networks.landmark_encoder(pictures / 255))
