"""What is said of figures: intervals, paired tests, ranks and agreement, as pure functions.

All of it is seeded: the same figures give the same numbers to the last digit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

RESAMPLES = 2000
SET_RESAMPLES = 50
"""Of metrics of sets, each of which costs a singular value decomposition: enough for their spread to within 10 %."""
SET_SIDE = 512
"""Features or dimensions, whichever is less, up to which metrics of sets get an interval: larger ones, those of FID,
would take minutes for each."""
FLIPS = 10_000
EXACT_PAIRS = 13
"""Up to so many pairs, all 2^n ways to flip signs are counted (8192, about as many as `FLIPS`)."""
SIGNIFICANT = 0.05
NORMAL_95 = 1.959963984540054  # the 97.5 % quantile of the normal distribution

Better = Literal["less", "more", "neither"]
Verdict = Literal["better", "worse", "same", ""]
Sets = Sequence[tuple[np.ndarray, np.ndarray]]
"""Of each clip the features float32 (n, d) of the result and of what it is compared with."""
Distance = Callable[[np.ndarray, np.ndarray], float]
"""Between two sets of features (n, d) and (m, d), such as `metrics.frechet.frechet_distance`."""


@dataclass(frozen=True)
class Figure:
    """A figure of a table: its value, its 95 % interval, and of how many clips it is. NaN where there is none."""

    value: float
    low: float
    high: float
    n: int


NO_FIGURE = Figure(math.nan, math.nan, math.nan, 0)


@dataclass(frozen=True)
class Difference:
    """One system less another over the clips that both have, with its 95 % interval.

    Attributes
    ----------
    p : of a two-sided sign-flip permutation test; NaN for metrics of sets, which have the interval alone.
    n : clips that both have.
    """

    value: float
    low: float
    high: float
    p: float
    n: int

    def mirrored(self) -> Difference:
        """The other system less this one."""
        return Difference(-self.value, -self.high, -self.low, self.p, self.n)

    def verdict(self, better: Better) -> Verdict:
        """What is shown of the first system: better or worse where both the interval and the test say so, else the
        same; nothing where there is no interval, or the metric only describes."""
        if better == "neither" or math.isnan(self.low):
            return ""
        apart = (self.low > 0 or self.high < 0) and not self.p >= SIGNIFICANT
        if not apart:
            return "same"
        return "better" if (self.value > 0) == (better == "more") else "worse"


NO_DIFFERENCE = Difference(math.nan, math.nan, math.nan, math.nan, 0)


def bootstrap_interval(values: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of the mean of `values` (n,): of `RESAMPLES` with replacement (Efron's percentile method).

    NaN and infinite values are left out; of none, the interval is NaN.
    """
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return float("nan"), float("nan")
    means = values[_resamples(len(values), seed)].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def mean(values: np.ndarray) -> float:
    """The mean of the clips that have a value (n,), NaN being those without; see `mean_figure`."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def mean_figure(values: np.ndarray) -> Figure:
    """The mean of the clips that have a value (n,), NaN being those without. Where one is infinite, as the PSNR of
    equal pictures is, so is the mean, and nothing can be said of its spread."""
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return NO_FIGURE
    if np.isinf(known).any():
        return Figure(mean(known), math.nan, math.nan, len(known))
    return Figure(mean(known), *bootstrap_interval(known), len(known))


def set_distance(sets: Sets, distance: Distance) -> float:
    """The distance between the features of all results and of all references; NaN of none."""
    return _distance(sets, range(len(sets)), distance) if sets else math.nan


def set_distances(sets: Sets, distance: Distance) -> np.ndarray:
    """The distance of `set_distance`, and then those of resamples of the clips: (1 + `SET_RESAMPLES`,), which are the
    same resamples for as many clips of another system. Of fewer than two clips, and of sets beyond `SET_SIDE`, there
    are no resamples.
    """
    features = sum(len(features) for features, _ in sets)
    known = len(sets) > 1 and min(features, sets[0][0].shape[1]) <= SET_SIDE
    chosen = np.random.default_rng(0).integers(len(sets), size=(SET_RESAMPLES if known else 0, len(sets)))
    return np.array([set_distance(sets, distance), *(_distance(sets, some, distance) for some in chosen)])


def set_figure(distances: np.ndarray, n: int) -> Figure:
    """A metric of sets, as FVD and FID are, from the `set_distances` of n clips.

    Its interval is the value and 1.96 standard deviations of the resamples to each side. Their percentiles would not
    do: a resample holds a clip twice, which makes every distance larger than the one that is asked for.
    """
    value, spread = float(distances[0]), _spread(distances[1:])
    low = max(0.0, value - spread) if math.isfinite(spread) else math.nan
    return Figure(value, low, value + spread, n)


def paired_difference(values: np.ndarray, others: np.ndarray, seed: int = 0) -> Difference:
    """The mean of `values` less `others`, both (n,) clip by clip; clips that one of them lacks are left out.

    Its interval is a bootstrap over clips. Its p is the share of ways to flip the differences' signs, which change
    nothing if the systems are alike, whose mean is at least as far from 0: of all 2^n ways for up to `EXACT_PAIRS`
    clips, else of `FLIPS` random ones and the one that was seen (Phipson & Smyth 2010).
    """
    known = ~np.isnan(values) & ~np.isnan(others)
    if not known.any():
        return NO_DIFFERENCE
    with np.errstate(invalid="ignore"):
        difference = np.where(values == others, 0.0, values - others)[
            known
        ]  # infinite on both sides is alike
    if not np.isfinite(difference).all():
        return Difference(float(difference.mean()), math.nan, math.nan, math.nan, len(difference))
    low, high = bootstrap_interval(difference, seed)
    return Difference(float(difference.mean()), low, high, sign_flip_p(difference, seed), int(known.sum()))


def set_difference(distances: np.ndarray, others: np.ndarray, n: int) -> Difference:
    """Of two systems' `set_distances` over the same n clips; see `set_figure` for its interval."""
    apart = distances - others
    value, spread = float(apart[0]), _spread(apart[1:])
    return Difference(value, value - spread, value + spread, math.nan, n)


def sign_flip_p(differences: np.ndarray, seed: int = 0) -> float:
    """The two-sided p of a mean of `differences` (n,) under flips of their signs, see `paired_difference`."""
    n = len(differences)
    seen = abs(float(differences.mean()))
    nearly = seen - 1e-9 * float(np.abs(differences).max())  # sums in another order round differently
    as_far = int((np.abs(_sign_flips(n, seed) @ differences) / n >= nearly).sum())
    return as_far / 2**n if n <= EXACT_PAIRS else (as_far + 1) / (FLIPS + 1)


def places(values: Sequence[float], better: Better, digits: int) -> list[int]:
    """The place of each value, 1 the best, as a table with so many digits shows it: equal ones share a place, and the
    next value has the next. 0 for those without one, and for all where neither is better."""
    shown = [value if math.isinf(value) else round(value, digits) for value in values]
    known = sorted({value for value in shown if not math.isnan(value)}, reverse=better == "more")
    if better == "neither":
        return [0] * len(shown)
    return [0 if math.isnan(value) else 1 + known.index(value) for value in shown]


def average_ranks(values: np.ndarray) -> np.ndarray:
    """The ranks of values (..., n) along the last axis, 1 the least; equal ones share the mean of their ranks."""
    values = np.asarray(values, np.float64)
    less = (values[..., None, :] < values[..., :, None]).sum(-1)
    alike = (values[..., None, :] == values[..., :, None]).sum(-1)
    return np.asarray(less + (alike + 1) / 2)


def kendall_w(ranks: np.ndarray) -> float:
    """Kendall's coefficient of concordance of m raters, who each ranked the same n items, (m, n): from 0, no agreement,
    to 1, all alike.

    W = 12 S / (m² (n³ - n) - m Σ T), S being the squared deviations of the items' rank sums and T = Σ (t³ - t) over
    the groups of t equal ranks of a rater (Kendall & Gibbons 1990, Eq. 6.9). NaN for fewer than two raters or items,
    and where every rater holds all items equal.
    """
    ranks = average_ranks(ranks)
    raters, items = ranks.shape
    sums = ranks.sum(axis=0)
    deviations = float(((sums - sums.mean()) ** 2).sum())
    ties = sum(
        float((counts**3 - counts).sum())
        for counts in (np.unique(row, return_counts=True)[1].astype(np.float64) for row in ranks)
    )
    whole = raters**2 * (items**3 - items) - raters * ties
    return 12 * deviations / whole if raters > 1 and whole > 0 else math.nan


@lru_cache(maxsize=8)
def _resamples(n: int, seed: int) -> np.ndarray:
    """Which of n values each resample has, (`RESAMPLES`, n)."""
    return np.random.default_rng(seed).integers(n, size=(RESAMPLES, n))


@lru_cache(maxsize=8)
def _sign_flips(n: int, seed: int) -> np.ndarray:
    """Signs, int8 (ways, n): all 2^n ways for few, else random ones."""
    if n <= EXACT_PAIRS:
        minus = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    else:
        minus = np.random.default_rng(seed).integers(2, size=(FLIPS, n))
    return (1 - 2 * minus).astype(np.int8)


def _distance(sets: Sets, chosen: Sequence[int] | np.ndarray, distance: Distance) -> float:
    features, reference = (np.concatenate([sets[index][side] for index in chosen]) for side in (0, 1))
    return distance(features, reference)


def _spread(values: np.ndarray) -> float:
    """Half the width of a 95 % interval, from resampled values; NaN of none."""
    return NORMAL_95 * float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
