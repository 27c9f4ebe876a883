"""What a metric is, and what a clip gives for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Metric:
    """A column of the tables.

    Attributes
    ----------
    title : as tables print it, with the unit.
    better : which of two values is the better one; "neither" for what only describes.
    meaning : one sentence.
    modes : of reenactment in which it is measured.
    needs : "truth", where the true result must be known, else the value is NaN; "blendshapes", for which the detector
        needs its bundle; else names of networks.
    of_sets : the figure is a distance between the features of all results and of all truths, not a mean over clips.
    paper : whether the papers' tables have it.
    sees : the damages, of `benchmarks/metrics.py`, that it claims to see.
    """

    name: str
    title: str
    better: Literal["less", "more", "neither"]
    digits: int
    meaning: str
    modes: tuple[str, ...] = ("self", "cross")
    needs: tuple[str, ...] = ()
    of_sets: bool = False
    paper: bool = False
    sees: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measured:
    """What a clip gives for a metric; `value` is NaN where the clip has none, and for metrics of sets.

    `features` and `reference` are float32 (n, d) of the result and of what it is compared with; of the landmark
    accuracy, the (1, 20) points of its curve.
    """

    metric: str
    value: float
    features: np.ndarray | None = None
    reference: np.ndarray | None = None
