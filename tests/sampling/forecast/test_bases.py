"""Laws of forecasts as weights of remembered passes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followyouremoji.sampling.forecast.bases import divided_differences, interpolation, passes_used, weights

BASES = ("newton", "taylor", "hermite", "chebyshev")
TIMES = np.array([1.57, 1.2, 0.9, 0.75, 0.3])  # of passes, unevenly spaced, falling as a schedule's


@settings(deadline=None)
@given(
    st.sampled_from(BASES),
    st.integers(0, 4),
    st.lists(st.integers(-999, 999), min_size=1, max_size=7, unique=True),
    st.floats(-1.5, 1.5),
)
def test_weights_sum_to_one(basis: str, order: int, times: list[int], time: float) -> None:
    """So what does not change is told exactly."""
    shares = weights(basis, order, np.array(times) / 1000, time)
    assert shares.sum() == pytest.approx(1, abs=1e-6 * np.abs(shares).max())


@pytest.mark.parametrize("basis", BASES)
def test_order_0_is_the_last_pass_again(basis: str) -> None:
    assert weights(basis, 0, TIMES, 0.1).tolist() == [0, 0, 0, 0, 1]
    assert weights(basis, 3, TIMES[:1], 0.1).tolist() == [1]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("time", [-0.1, 0.0, 0.5, 1.3])
def test_newton_is_exact_on_polynomials_of_its_order(order: int, time: float) -> None:
    polynomial = np.polynomial.Polynomial([0.3, -2.0, 1.5, 0.7, -1.1][: order + 1])
    assert weights("newton", order, TIMES, time) @ polynomial(TIMES) == pytest.approx(polynomial(time))


@pytest.mark.parametrize("basis", ["taylor", "hermite"])
def test_the_first_order_of_every_series_is_the_line_through_two_passes(basis: str) -> None:
    np.testing.assert_allclose(weights(basis, 1, TIMES, 0.1), weights("newton", 1, TIMES, 0.1), atol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("ahead", [1, 2, 4])
def test_taylor_on_even_times_is_the_published_series(order: int, ahead: int) -> None:
    """TaylorSeer: sum over i of the i-th backward difference times k^i / (i! N^i), k steps after passes N apart."""
    apart, values = 5, np.array([0.2, 1.4, -0.3, 2.2])  # of the last four passes, the latest last
    expected = sum(
        np.diff(values, i)[-1] * ahead**i / (math.factorial(i) * apart**i) for i in range(order + 1)
    )
    times = -apart * np.arange(4.0)
    assert weights("taylor", order, times, times[-1] - ahead) @ values == pytest.approx(expected)


def test_hermite_tames_what_lies_far_ahead() -> None:
    """sigma^2 H_2(sigma x) = x^2 - 1 for sigma^2 = 1/2, against the x^2 of a Taylor series."""
    times = np.array([2.0, 1.0, 0.0])
    curved = np.array([1.0, 0.0, 0.0])  # half the second difference is 1/2
    told = [weights(basis, 2, times, -2.0) @ curved for basis in ("taylor", "hermite")]
    first = weights("newton", 1, times, -2.0) @ curved
    assert told == pytest.approx([first + 0.5 * 4, first + 0.5 * 3])


def test_chebyshev_fits_all_passes_and_hardly_bends_for_an_outlier() -> None:
    times = np.linspace(1, 0.3, 8)
    line = 2 * times - 0.5
    assert weights("chebyshev", 1, times, 0.2) @ line == pytest.approx(-0.1, abs=2e-3)  # the ridge's bias
    outlier = np.eye(8)[-1]
    assert abs(weights("chebyshev", 1, times, 0.2) @ outlier) < abs(
        weights("newton", 1, times, 0.2) @ outlier
    )


def test_interpolation_goes_through_the_passes_and_is_exact_between() -> None:
    cubic = np.polynomial.Polynomial([1.0, -1.0, 2.0, 0.5])
    for time in (0.3, 0.5, 0.8, 1.57):
        assert interpolation(TIMES, time, 3) @ cubic(TIMES) == pytest.approx(cubic(time))
    np.testing.assert_allclose(interpolation(TIMES, 0.9, 2), [0, 0, 1, 0, 0], atol=1e-12)


def test_divided_differences_of_a_monomial() -> None:
    """Of x^n the n-th divided difference is 1, and of lower powers it is 0."""
    rows = divided_differences(TIMES)
    for power in range(5):
        assert rows[4] @ TIMES**power == pytest.approx(float(power == 4), abs=1e-9)


def test_what_has_to_be_remembered_is_bounded() -> None:
    assert [passes_used(basis, 2) for basis in BASES] == [3, 3, 3, 6]
    assert {passes_used(basis, 0) for basis in BASES} == {1}
