"""Figures of pictures, on pictures whose figures are known."""

import numpy as np
import pytest

from followyouremoji import fidelity
from followyouremoji.fidelity import l1, psnr, ssim


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (128, 128, 3), np.uint8)


def test_equal_pictures_have_the_best_figures(noise) -> None:
    assert l1(noise, noise) == 0
    assert psnr(noise, noise) == np.inf
    assert ssim(noise, noise) == 1.0


def test_metrics_of_a_known_difference() -> None:
    truth = np.full((1, 32, 32, 3), 100, np.uint8)
    brighter = truth + np.uint8(51)  # by a fifth of the range
    mask = np.zeros((1, 32, 32), bool)
    mask[:, :16] = True
    half = np.where(mask[..., None], brighter, truth)
    assert l1(brighter, truth) == pytest.approx(0.2)
    assert l1(half, truth, mask) == pytest.approx(0.2)
    assert l1(half, truth, ~mask) == 0
    assert psnr(brighter, truth) == pytest.approx(-20 * np.log10(0.2))
    assert ssim(truth[0], truth[0]) == pytest.approx(1)
    # Of flat pictures only the means differ: (2 x y + C1) / (x^2 + y^2 + C1), Eq. 13.
    x, y = 100 / 255, 151 / 255
    assert ssim(brighter[0], truth[0]) == pytest.approx((2 * x * y + 1e-4) / (x * x + y * y + 1e-4))
    assert np.isnan(l1(half, truth, np.zeros_like(mask)))


def test_ssim_is_its_formula_with_a_gaussian_window(noise) -> None:
    other = np.clip(noise.astype(int) * 0.7 + 20, 0, 255).astype(np.uint8)
    x, y = noise[20:31, 40:51] @ fidelity.LUMA, other[20:31, 40:51] @ fidelity.LUMA
    along = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window = np.outer(along, along) / along.sum() ** 2
    mean_x, mean_y = (window * x).sum(), (window * y).sum()
    variance_x, variance_y = (window * (x - mean_x) ** 2).sum(), (window * (y - mean_y) ** 2).sum()
    covariance = (window * (x - mean_x) * (y - mean_y)).sum()
    luminance = (2 * mean_x * mean_y + (0.01 * 255) ** 2) / (mean_x**2 + mean_y**2 + (0.01 * 255) ** 2)
    structure = (2 * covariance + (0.03 * 255) ** 2) / (variance_x + variance_y + (0.03 * 255) ** 2)
    patch = fidelity.ssim(noise[20:31, 40:51], other[20:31, 40:51])
    assert patch == pytest.approx(luminance * structure, rel=1e-6)


def test_ssim_falls_with_noise(noise) -> None:
    rng = np.random.default_rng(1)
    smooth = np.repeat(np.repeat(noise[::16, ::16], 16, axis=0), 16, axis=1)
    disturbed = [
        fidelity.ssim(np.clip(smooth + rng.normal(0, sigma, smooth.shape), 0, 255).astype(np.uint8), smooth)
        for sigma in (2, 10, 40)
    ]
    assert 1 > disturbed[0] > disturbed[1] > disturbed[2]
