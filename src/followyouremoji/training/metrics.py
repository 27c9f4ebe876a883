"""How near generated pictures are to the true ones. All pictures are uint8 (..., height, width, 3); levels count from 0 to 1."""

from __future__ import annotations

import math

import cv2
import numpy as np

SSIM_SIGMA, SSIM_WIDTH = 1.5, 11  # Wang et al. 2004: an 11x11 Gaussian window
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2


def l1(generated: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Mean absolute difference, inside the bool mask (..., height, width) where one is given; NaN where that is empty."""
    difference = np.abs(generated.astype(np.float32) - truth.astype(np.float32)).mean(axis=-1) / 255
    inside = difference if mask is None else difference[mask]
    return float(inside.mean()) if inside.size else math.nan


def psnr(generated: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB, at most 100."""
    mse = float(((generated.astype(np.float64) - truth.astype(np.float64)) ** 2).mean()) / 255**2
    return 10 * math.log10(1 / max(mse, 1e-10))


def ssim(generated: np.ndarray, truth: np.ndarray) -> float:
    """Structural similarity of two pictures (height, width, 3), mean over pixels and channels (Wang et al. 2004, Eq. 13)."""
    x, y = generated.astype(np.float64) / 255, truth.astype(np.float64) / 255

    def blurred(values: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(values, (SSIM_WIDTH, SSIM_WIDTH), SSIM_SIGMA)

    mean_x, mean_y = blurred(x), blurred(y)
    variance_x, variance_y = blurred(x * x) - mean_x**2, blurred(y * y) - mean_y**2
    covariance = blurred(x * y) - mean_x * mean_y
    alike = (2 * mean_x * mean_y + SSIM_C1) * (2 * covariance + SSIM_C2)
    return float((alike / ((mean_x**2 + mean_y**2 + SSIM_C1) * (variance_x + variance_y + SSIM_C2))).mean())
