"""Noise is a function of the seed and the frame, whatever the segment."""

import pytest
import torch

from followyouremoji.sampling.noise import frame_noise

SHAPE = (4, 16, 16)


@pytest.mark.parametrize("shared", [0.0, 0.3, 1.0])
def test_noise_of_a_frame_does_not_depend_on_its_segment(shared: float) -> None:
    whole = frame_noise(7, range(10), SHAPE, shared)
    part = frame_noise(7, (3, 8), SHAPE, shared)
    assert torch.equal(part, whole[:, :, [3, 8]])


def test_seeds_and_frames_give_other_noise() -> None:
    noise = torch.cat([frame_noise(seed, range(3), SHAPE)[0].transpose(0, 1) for seed in (0, 1, 2**40)])
    correlation = torch.corrcoef(noise.flatten(1)) - torch.eye(9)
    assert correlation.abs().max() < 5 / 1024**0.5  # five standard errors of 1024 values


@pytest.mark.parametrize("shared", [0.0, 0.5, 0.9])
def test_shared_noise_keeps_unit_variance_and_is_the_correlation(shared: float) -> None:
    noise = frame_noise(0, range(8), (4, 64, 64), shared)[0].transpose(0, 1).flatten(1)
    assert noise.var(dim=1) == pytest.approx(torch.ones(8), abs=0.06)
    correlation = torch.corrcoef(noise)[~torch.eye(8, dtype=torch.bool)]
    assert correlation == pytest.approx(torch.full_like(correlation, shared), abs=0.05)


def test_all_noise_shared() -> None:
    noise = frame_noise(0, range(3), SHAPE, 1.0)
    assert torch.equal(noise[:, :, 0], noise[:, :, 2])
