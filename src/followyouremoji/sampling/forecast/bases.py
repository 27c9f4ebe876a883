"""Forecasts as linear combinations: whatever is remembered of some passes is told for another time by weights that the
times alone decide.

Reusing the last features, a Taylor series of their differences (TaylorSeer, 2025), a Hermite one (HiCache, 2025), a
Chebyshev fit (Spectrum, 2026), the polynomial through them, and the interpolation between two passes are all of this
form: forecast = sum over passes of weight * features. So the mathematics is here, in NumPy, and knows no features.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.polynomial import chebyshev, hermite

Basis = Literal["newton", "taylor", "hermite", "chebyshev"]

HERMITE_CONTRACTION = math.sqrt(0.5)  # sigma of HiCache; with this one the first order is the straight line
RIDGE = 1e-3  # of the Chebyshev fit, on all its polynomials but the constant
FITTED_PASSES = 3  # that a Chebyshev fit remembers beyond its order + 1


def passes_used(basis: Basis, order: int) -> int:
    """How many passes a forecast of this order reads at most: what has to be remembered."""
    return order + 1 + (FITTED_PASSES if basis == "chebyshev" and order > 0 else 0)


def weights(basis: Basis, order: int, times: np.ndarray, time: float) -> np.ndarray:
    """Weights of remembered passes in the forecast for `time`.

    Order 0 is the last pass alone, whatever the basis. Fewer passes than an order needs lower it to what they allow.

    Parameters
    ----------
    basis : "newton", the polynomial through the last order + 1 passes, which interpolates where `time` lies between
        them; "taylor", divided differences taken for derivatives at the last pass; "hermite", the same in contracted
        Hermite polynomials; "chebyshev", a ridge fit to all passes given.
    order : of the polynomial, 0 or more.
    times : (n,) of the passes, on any clock, in the order in which they were computed; all different.
    time : that is asked for, on the same clock.

    Returns
    -------
    (n,) float64, which sum to one.
    """
    times = np.asarray(times, np.float64)
    order = min(order, len(times) - 1)
    if order == 0:
        return np.eye(len(times))[-1]
    if basis == "chebyshev":
        return chebyshev_weights(order, times, time)
    used = times[::-1][: order + 1]  # the last pass first
    gap = used[0] - used[1]
    ahead = (time - used[0]) / gap
    rows = divided_differences(used) * gap ** np.arange(order + 1)[:, None]
    if basis == "newton":
        factors = np.cumprod([1.0, *((time - used[:-1]) / gap)])
    elif basis == "taylor":
        factors = ahead ** np.arange(order + 1)
    else:
        factors = contracted_hermite(order, ahead)
    result = np.zeros(len(times))
    result[::-1][: order + 1] = factors @ rows
    return result


def divided_differences(times: np.ndarray) -> np.ndarray:
    """Newton's divided differences of any function as weights of its values: row i is f[t_0, ..., t_i], (n, n) for
    times (n,)."""
    distances = times[:, None] - times
    rows = np.zeros_like(distances)
    for i in range(len(times)):
        among = distances[: i + 1, : i + 1] + np.eye(i + 1)
        rows[i, : i + 1] = 1 / among.prod(axis=1)
    return rows


def contracted_hermite(order: int, x: float) -> np.ndarray:
    """sigma^i H_i(sigma x) of the physicists' Hermite polynomials, i = 0 to `order` (HiCache, dual scaling).

    Gaps between passes are the unit of x, and the factor i! of the series is in the divided differences.
    """
    sigma = HERMITE_CONTRACTION
    return np.array([sigma**i * hermite.hermval(sigma * x, np.eye(order + 1)[i]) for i in range(order + 1)])


def chebyshev_weights(order: int, times: np.ndarray, time: float) -> np.ndarray:
    """What a ridge regression on Chebyshev polynomials gives each of the values that it is fitted to, (n,).

    Times are mapped to [-1, 1], from the earliest of them to what is asked for. The constant is not penalised: a
    constant function is fitted exactly.
    """
    known = np.append(times, time)
    low, high = known.min(), known.max()
    table = chebyshev.chebvander(2 * (known - low) / (high - low) - 1, order)
    fitted, asked = table[:-1], table[-1]
    penalty = RIDGE * np.diag([0.0] + [1.0] * order)
    return asked @ np.linalg.solve(fitted.T @ fitted + penalty, fitted.T)


def interpolation(times: np.ndarray, time: float, order: int) -> np.ndarray:
    """Weights of the polynomial through the order + 1 passes nearest to `time`, (n,): for times between passes that are
    all known."""
    times = np.asarray(times, np.float64)
    nearest = np.sort(np.argsort(np.abs(times - time), kind="stable")[: order + 1])
    result = np.zeros(len(times))
    result[nearest] = weights("newton", order, times[nearest], time)
    return result
