"""How near a picture is to the true one. Pictures are uint8 (..., height, width, 3) RGB; figures count levels from 0 to
1."""

from __future__ import annotations

import math

import cv2
import numpy as np

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
SSIM_WINDOW, SSIM_SIGMA = 11, 1.5  # pixels (Wang et al. 2004, Sec. III-C)
SSIM_C1, SSIM_C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # of levels from 0 to 255


def l1(picture: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Mean absolute difference, inside the bool mask (..., height, width) where one is given; NaN where that is
    empty."""
    difference = np.abs(picture.astype(np.float32) - truth).mean(axis=-1) / 255
    inside = difference if mask is None else difference[mask]
    return float(inside.mean(dtype=np.float64)) if inside.size else math.nan


def psnr(picture: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB over all three channels; infinite for equal pictures."""
    error = float(((picture.astype(np.float64) - truth) ** 2).mean())
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def ssim(picture: np.ndarray, truth: np.ndarray) -> float:
    """Structural similarity of the luma of two pictures (height, width, 3): Wang et al. 2004, Eq. 13.

    The mean over all places where the window, a Gaussian of 11x11 pixels, fits; K1 = 0.01, K2 = 0.03. From -1 to 1,
    which is reached by equal pictures alone.
    """

    def local_mean(values: np.ndarray) -> np.ndarray:
        blurred = cv2.GaussianBlur(values, (SSIM_WINDOW, SSIM_WINDOW), SSIM_SIGMA)
        half = SSIM_WINDOW // 2
        return blurred[half:-half, half:-half]

    x, y = picture @ LUMA, truth @ LUMA
    mean_x, mean_y = local_mean(x), local_mean(y)
    variance_x, variance_y = local_mean(x * x) - mean_x**2, local_mean(y * y) - mean_y**2
    covariance = local_mean(x * y) - mean_x * mean_y
    alike = (2 * mean_x * mean_y + SSIM_C1) * (2 * covariance + SSIM_C2)
    scale = (mean_x**2 + mean_y**2 + SSIM_C1) * (variance_x + variance_y + SSIM_C2)
    return float((alike / scale).mean())
