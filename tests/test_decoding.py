"""From latents to pictures, and what the autoencoder makes of warped portraits."""

from __future__ import annotations

import numpy as np
import torch

from followyouremoji.checkpoints.codec import to_pictures
from followyouremoji.checkpoints.model import Model
from followyouremoji.decoding import Decoder, in_groups
from followyouremoji.sampling.residual import onto_warp
from followyouremoji.sampling.sampler import Sampled
from tests.small_model import small_model


def decoded_alone(model: Model, latents: torch.Tensor) -> np.ndarray:
    return to_pictures(model.codec.decode(latents))


@torch.inference_mode()
def test_the_last_warp_of_each_group_is_decoded_and_losses_go_over_between() -> None:
    model = small_model(warped_reference=True)
    torch.manual_seed(0)
    latents, warped = torch.randn(2, 7, 4, 8, 8)
    sampled = Sampled(0.1 * latents, warped)
    decoder = Decoder(model)
    assert [coded for _, coded in decoder(sampled)] == [None] * 7  # where nothing reads them
    exact = decoded_alone(model, warped).astype(float)
    warps = np.clip(exact + 20 * np.linspace(-1, 1, 7)[:, None, None, None], 0, 255).round().astype(np.uint8)
    frames = [
        frame for group in (slice(0, 3), slice(3, 7)) for frame in decoder(sampled[group], warps[group])
    ]
    coded = np.stack([one for _, one in frames])
    np.testing.assert_array_equal(coded[[0, 2, 6]], exact[[0, 2, 6]])
    inside = (exact > 25) & (exact < 230)  # where the warps above were not cut off
    assert inside.mean() > 0.3
    assert np.abs(coded - exact)[inside].max() <= 1  # a loss that changes evenly is met
    np.testing.assert_array_equal(
        np.stack([picture for picture, _ in frames]),
        decoded_alone(model, onto_warp(sampled.latents, warped, model.networks.config.residual_scale)),
    )


@torch.inference_mode()
def test_of_frames_that_come_one_by_one_every_fourth_warp_is_decoded() -> None:
    model = small_model(warped_reference=True)
    torch.manual_seed(0)
    warped = torch.randn(9, 4, 8, 8)
    exact = decoded_alone(model, warped)
    warps = np.clip(exact.astype(int) + 9, 0, 255).astype(np.uint8)
    shown = to_count_decoded(model)
    decoder, sampled = Decoder(model), Sampled(torch.zeros(9, 4, 8, 8), warped)
    coded = [decoder(sampled[one : one + 1], warps[one : one + 1])[0][1] for one in range(9)]
    assert shown == [2, 1, 1, 1, 2, 1, 1, 1, 2]
    inside = (exact > 20) & (exact < 230)
    assert np.abs(np.stack(coded).astype(int) - exact)[inside].max() <= 1


def to_count_decoded(model: Model) -> list[int]:
    """How many latents each call of the model's decoder gets, from now on."""
    counts: list[int] = []
    decode = model.codec.decode

    def counted(latents: torch.Tensor) -> torch.Tensor:
        counts.append(len(latents))
        return decode(latents)

    model.codec.decode = counted  # type: ignore[method-assign]
    return counts


def test_pieces_come_in_groups() -> None:
    frames = torch.arange(11.0)[:, None, None, None]
    for warped in (None, -frames):
        pieces = [
            Sampled(frames, warped)[part] for part in (slice(0, 1), slice(1, 7), slice(7, 7), slice(7, 11))
        ]
        assert [len(group) for group in in_groups(pieces, 4, whole=False)] == [1, 4, 2, 4]
        groups = list(in_groups(pieces, 4, whole=True))
        assert [len(group) for group in groups] == [4, 4, 3]
        assert torch.equal(torch.cat([group.latents for group in groups]), frames)
        if warped is not None:
            assert torch.equal(torch.cat([group.warped for group in groups]), warped)
