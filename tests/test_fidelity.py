"""Figures of pictures, on pictures whose figures are known."""

import numpy as np
import pytest

from followyouremoji import fidelity
from followyouremoji.fidelity import l1, ms_ssim, psnr, ssim, ssim_and_ms_ssim


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


def disturbed(kind: str, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A smooth picture (side, side - 7, 3) and another one."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:side, 0 : side - 7]
    waves = [127 + 90 * np.sin(x / (9 + 3 * c)) * np.cos(y / (13 - 2 * c)) for c in range(3)]
    truth = np.stack(waves, axis=-1).astype(np.uint8)
    match kind:
        case "noise":
            picture = np.clip(truth + rng.normal(0, 20, truth.shape), 0, 255).astype(np.uint8)
        case "shift":
            picture = np.roll(truth, 2, axis=1)
        case "bright":
            picture = (truth // 2 + 120).astype(np.uint8)
        case _:
            picture = rng.integers(0, 256, truth.shape, np.uint8)
    return picture, truth


@pytest.mark.parametrize("kind", ["noise", "shift", "bright", "other"])
def test_ssim_and_psnr_are_those_of_scikit_image(kind) -> None:
    reference = pytest.importorskip("skimage.metrics", reason="the reference is scikit-image's")
    picture, truth = disturbed(kind, 201)
    wanted = reference.structural_similarity(
        picture @ fidelity.LUMA, truth @ fidelity.LUMA,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255,
    )  # fmt: skip
    assert ssim(picture, truth) == pytest.approx(wanted, abs=2e-6)
    assert psnr(picture, truth) == pytest.approx(reference.peak_signal_noise_ratio(truth, picture), rel=1e-9)


@pytest.mark.parametrize("kind", ["noise", "shift", "bright", "other"])
@pytest.mark.parametrize("side", [256, 201])
def test_ms_ssim_is_that_of_torchmetrics(kind, side) -> None:
    image = pytest.importorskip("torchmetrics.functional.image", reason="the reference is torchmetrics'")
    import torch

    picture, truth = disturbed(kind, side)
    x, y = (torch.tensor(one @ fidelity.LUMA)[None, None] for one in (picture, truth))
    # Its ready figure mirrors the borders of the smallest scale, of which little else is left; the published one does
    # not, and so its parts are put together here.
    ready = float(image.multiscale_structural_similarity_index_measure(x, y, data_range=255.0))
    wanted = 1.0
    for scale, weight in enumerate(fidelity.MS_SSIM_WEIGHTS):
        whole, structure = image.structural_similarity_index_measure(
            x, y, data_range=255.0, return_contrast_sensitivity=True
        )
        if scale == 4:
            whole = image.structural_similarity_index_measure(x, y, data_range=255.0, return_full_image=True)[
                1
            ]
            structure = whole[..., 5:-5, 5:-5].mean()
        wanted *= max(float(structure), 0.0) ** weight
        x, y = (torch.nn.functional.avg_pool2d(one, 2) for one in (x, y))
    assert ms_ssim(picture, truth) == pytest.approx(wanted, abs=2e-6)
    assert ms_ssim(picture, truth) == pytest.approx(ready, abs=0.02)
    assert ssim_and_ms_ssim(picture, truth) == (ssim(picture, truth), ms_ssim(picture, truth))


def test_ms_ssim_of_equal_inverted_and_small_pictures(noise) -> None:
    picture, truth = disturbed("noise", 190)
    assert ms_ssim(truth, truth) == 1.0
    assert ms_ssim(255 - truth, truth) == 0.0
    assert 0 < ms_ssim(picture, truth) < 1
    assert np.isnan(ms_ssim(noise, noise))
