"""How near a result is to the true one, frame by frame: L1, SSIM, PSNR and MS-SSIM, as means over the frames."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from followyouremoji.benchmark.metrics.metric import Measured, Metric
from followyouremoji.benchmark.metrics.regions import l1_by_region
from followyouremoji.fidelity import psnr, ssim_and_ms_ssim

if TYPE_CHECKING:
    from followyouremoji.benchmark.observation import Observation

BEST_PSNR = 100.0
"""Of equal pictures, in dB, so that a mean exists: a single value of 256x256 pixels that is off by one gives 101."""

_EVERYWHERE = ("blur", "noise", "colour shift", "pixel shift", "lag", "another identity", "frozen frames")

METRICS = (
    Metric("l1", "L1", "less", 4, "Mean absolute difference from the truth, in levels from 0 to 1.",
           needs=("truth",), paper=True, sees=_EVERYWHERE),
    Metric("ssim", "SSIM", "more", 4, "Structural similarity of the luma (Wang et al. 2004).",
           needs=("truth",), paper=True, sees=tuple(name for name in _EVERYWHERE if name != "colour shift")),
    Metric("psnr", "PSNR, dB", "more", 2, "Peak signal-to-noise ratio over all three channels, 100 for equal frames.",
           needs=("truth",), sees=_EVERYWHERE),
    Metric("ms_ssim", "MS-SSIM", "more", 4, "Structural similarity of the luma at five scales (Wang et al. 2003).",
           needs=("truth",), sees=("blur", "noise", "lag", "another identity", "frozen frames")),
    Metric("l1_face", "face L1", "less", 4, "L1 inside the oval of the true face.",
           needs=("truth",), sees=_EVERYWHERE),
    Metric("l1_eyes", "eyes L1", "less", 4, "L1 around both true eyes.",
           needs=("truth",), sees=(*_EVERYWHERE, "still eyes")),
    Metric("l1_mouth", "mouth L1", "less", 4, "L1 around the true mouth.",
           needs=("truth",), sees=(*_EVERYWHERE, "still mouth", "late smile")),
)  # fmt: skip


def picture_figures(picture: np.ndarray, truth: np.ndarray, truth_points: np.ndarray) -> dict[str, float]:
    """The figures of one frame by the names of `METRICS`; pictures uint8 (h, w, 3), `truth_points` (478, 2) pixels."""
    regions = l1_by_region(picture, truth, truth_points)
    similar, similar_at_scales = ssim_and_ms_ssim(picture, truth)
    return {
        "l1": regions["picture"],
        "ssim": similar,
        "psnr": min(psnr(picture, truth), BEST_PSNR),
        "ms_ssim": similar_at_scales,
        **{f"l1_{name}": regions[name] for name in ("face", "eyes", "mouth")},
    }


def measure(observation: Observation) -> list[Measured]:
    truth = observation.target.truth
    if truth is None:
        return [Measured(metric.name, math.nan) for metric in METRICS]
    rows = [
        picture_figures(*frame)
        for frame in zip(observation.result.frames, truth.frames, truth.expected, strict=True)
    ]
    return [Measured(metric.name, mean_of_known([row[metric.name] for row in rows])) for metric in METRICS]


def mean_of_known(values: list[float] | np.ndarray) -> float:
    """The mean of the values that are not NaN; NaN where none is."""
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    return float(known.mean()) if known.size else math.nan
