"""How near a picture is to the true one. Pictures are uint8 (..., height, width, 3) RGB; figures count levels from 0 to
1."""

from __future__ import annotations

import math

import cv2
import numpy as np

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
SSIM_WINDOW, SSIM_SIGMA = 11, 1.5  # pixels (Wang et al. 2004, Sec. III-C)
MS_SSIM_WEIGHTS = (
    0.0448,
    0.2856,
    0.3001,
    0.2363,
    0.1333,
)  # from the largest scale (Wang et al. 2003, Sec. 3.2)
SSIM_C1, SSIM_C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # of levels from 0 to 255


def l1(picture: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Mean absolute difference, inside the bool mask (..., height, width) where one is given; NaN where that is
    empty."""
    difference = np.abs(picture.astype(np.float32) - truth).mean(axis=-1) / 255
    inside = difference if mask is None else difference[mask]
    return float(inside.mean(dtype=np.float64)) if inside.size else math.nan


def psnr(picture: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB over all three channels; infinite for equal pictures."""
    error = cv2.norm(_rows(picture), _rows(truth), cv2.NORM_L2SQR) / picture.size
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def ssim(picture: np.ndarray, truth: np.ndarray) -> float:
    """Structural similarity of the luma of two pictures (height, width, 3): Wang et al. 2004, Eq. 13.

    The mean over all places where the window, a Gaussian of 11x11 pixels, fits; K1 = 0.01, K2 = 0.03. From -1 to 1,
    which is reached by equal pictures alone.
    """
    return _similarity(luma(picture), luma(truth))[0]


def ms_ssim(picture: np.ndarray, truth: np.ndarray) -> float:
    """The same at five scales, each half as large as the one before: Wang et al. 2003, Eq. 7.

    The contrast and structure of all scales and the luminance of the smallest, each averaged over its places and, where
    negative, taken as 0. NaN for pictures of less than 176 pixels a side, whose smallest scale has no place for the
    window.
    """
    return ssim_and_ms_ssim(picture, truth)[1]


def ssim_and_ms_ssim(picture: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Both at the cost of `ms_ssim`."""
    x, y = luma(picture), luma(truth)
    whole, structure = _similarity(x, y)
    if min(x.shape) < SSIM_WINDOW * 2 ** (len(MS_SSIM_WEIGHTS) - 1):
        return whole, math.nan
    product = max(structure, 0.0) ** MS_SSIM_WEIGHTS[0]
    for weight in MS_SSIM_WEIGHTS[1:-1]:
        x, y = _halved(x), _halved(y)
        product *= max(_similarity(x, y)[1], 0.0) ** weight
    return whole, product * max(_similarity(_halved(x), _halved(y))[0], 0.0) ** MS_SSIM_WEIGHTS[-1]


def _rows(pictures: np.ndarray) -> np.ndarray:
    """Pictures (..., width, 3) as one matrix of rows."""
    return pictures.reshape(-1, pictures.shape[-2] * pictures.shape[-1])


def luma(picture: np.ndarray) -> np.ndarray:
    """Of a picture (height, width, 3), float32 (height, width), 0 to 255."""
    return cv2.transform(picture.astype(np.float32), LUMA[None].astype(np.float32))


def _halved(values: np.ndarray) -> np.ndarray:
    """Means of 2x2 pixels; an odd last row or column is left out."""
    height, width = values.shape[0] // 2, values.shape[1] // 2
    return cv2.resize(values[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)


def _similarity(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Structural similarity of luma float32 (h, w), and its part that is contrast and structure.

    By the sum and the difference of both pictures, whose local means and variances m and v give
    2 mean_x mean_y = (m_sum^2 - m_difference^2) / 2, 2 covariance = (v_sum - v_difference) / 2, and so on: four blurs
    instead of five, and nothing is lost to rounding where the pictures are equal.
    """

    def local_squared_mean_and_variance(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        middle = cv2.mean(values)[0]  # is taken off first: the squares of large numbers lose digits
        values -= np.float32(middle)
        mean: np.ndarray = cv2.GaussianBlur(values, (SSIM_WINDOW, SSIM_WINDOW), SSIM_SIGMA)
        variance: np.ndarray = cv2.GaussianBlur(values * values, (SSIM_WINDOW, SSIM_WINDOW), SSIM_SIGMA)
        variance -= mean * mean
        mean += np.float32(middle)
        mean *= mean
        return mean, variance

    mean_total, variance_total = local_squared_mean_and_variance(x + y)
    mean_difference, variance_difference = local_squared_mean_and_variance(x - y)
    structure = (variance_total - variance_difference + 2 * SSIM_C2) / (
        variance_total + variance_difference + 2 * SSIM_C2
    )
    luminance = (mean_total - mean_difference + 2 * SSIM_C1) / (mean_total + mean_difference + 2 * SSIM_C1)
    half = SSIM_WINDOW // 2  # beyond, the window does not fit
    inside = slice(half, -half), slice(half, -half)
    return cv2.mean((luminance * structure)[inside])[0], cv2.mean(structure[inside])[0]
