"""Intervals, tests and ranks against values by hand and SciPy's."""

import math

import numpy as np
import pytest

from followyouremoji.benchmark.metrics.frechet import frechet_distance
from followyouremoji.benchmark.statistics import (
    EXACT_PAIRS,
    FLIPS,
    Difference,
    average_ranks,
    bootstrap_interval,
    kendall_w,
    mean_figure,
    paired_difference,
    places,
    set_difference,
    set_distance,
    set_distances,
    set_figure,
    sign_flip_p,
)

NAN, INF = math.nan, math.inf


def test_the_mean_leaves_out_clips_without_a_value() -> None:
    figure = mean_figure(np.array([1.0, NAN, 3.0]))
    assert (figure.value, figure.n) == (2.0, 2)
    assert 1.0 <= figure.low < 2.0 < figure.high <= 3.0
    nothing = mean_figure(np.array([NAN]))
    assert nothing.n == 0
    assert math.isnan(nothing.value)


def test_an_infinite_value_makes_the_mean_infinite_without_an_interval() -> None:
    figure = mean_figure(np.array([30.0, INF]))
    assert figure.value == INF
    assert figure.n == 2
    assert math.isnan(figure.low)


def test_the_bootstrap_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        low, high = bootstrap_interval(rng.normal(2.0, 1.0, 60), seed=seed)
        covered += low <= 2.0 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_intervals_are_the_same_to_the_last_digit() -> None:
    values = np.random.default_rng(3).normal(size=40)
    assert bootstrap_interval(values) == bootstrap_interval(values.copy())
    assert mean_figure(values) == mean_figure(values.copy())


def test_the_interval_of_a_mean_is_about_that_of_scipys_bootstrap() -> None:
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(4).gamma(2.0, size=60)
    theirs = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(1)
    )
    np.testing.assert_allclose(bootstrap_interval(values), theirs.confidence_interval, atol=0.05)


def test_the_sign_flip_test_of_three_pairs_by_hand() -> None:
    # of the 8 ways to sign 1, 2, 3 only +++ and --- are as far from 0
    assert sign_flip_p(np.array([1.0, 2.0, 3.0])) == 2 / 8
    # +1 -2 +3 sums to 2; so far from 0 are also +++, -++ and the mirrors of all three, but not ++- and --+
    assert sign_flip_p(np.array([1.0, -2.0, 3.0])) == 6 / 8
    assert sign_flip_p(np.zeros(4)) == 1.0


@pytest.mark.parametrize("n", [6, EXACT_PAIRS, 40])
def test_the_sign_flip_test_is_scipys(n: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    differences = np.random.default_rng(n).normal(0.35, 1.0, n)
    theirs = stats.permutation_test(
        (differences, np.zeros(n)),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=20_000,
        rng=np.random.default_rng(2),
    ).pvalue
    exact = n <= EXACT_PAIRS
    assert sign_flip_p(differences) == pytest.approx(theirs, abs=1e-12 if exact else 0.015)
    assert exact or round(sign_flip_p(differences) * (FLIPS + 1), 6).is_integer()


def test_a_difference_is_taken_over_common_clips_alone() -> None:
    values, others = np.array([1.0, 5.0, NAN, 2.0]), np.array([0.5, NAN, 9.0, 1.0])
    difference = paired_difference(values, others)
    assert difference.value == pytest.approx(0.75)
    assert difference.n == 2
    assert paired_difference(values[:1], np.array([NAN])).n == 0


def test_pairs_infinite_on_both_sides_are_alike() -> None:
    assert paired_difference(np.array([INF, 2.0]), np.array([INF, 1.0])).value == 0.5
    only_one = paired_difference(np.array([INF, 2.0]), np.array([3.0, 1.0]))
    assert only_one.value == INF
    assert only_one.verdict("more") == ""  # nothing is known of its spread


def test_a_verdict_needs_interval_and_test_and_knows_which_way_is_better() -> None:
    clear = Difference(-0.2, -0.3, -0.1, 0.01, 20)
    assert clear.verdict("less") == "better"
    assert clear.verdict("more") == "worse"
    assert clear.verdict("neither") == ""
    assert Difference(-0.2, -0.3, 0.01, 0.01, 20).verdict("less") == "same"
    assert Difference(-0.2, -0.3, -0.1, 0.125, 4).verdict("less") == "same"  # too few pairs to tell
    assert Difference(-0.2, -0.3, -0.1, NAN, 20).verdict("less") == "better"  # a metric of sets


def test_equal_systems_are_rarely_called_different() -> None:
    rng = np.random.default_rng(5)
    runs = [paired_difference(rng.normal(size=30), rng.normal(size=30)).verdict("less") for _ in range(100)]
    assert runs.count("same") >= 89  # 5 in 100 expected: 11 or more with probability 0.03


def test_places_are_as_the_table_shows_the_values() -> None:
    assert places([0.301, 0.299, NAN, 0.25], "less", 2) == [2, 2, 0, 1]
    assert places([0.301, INF, 0.25], "more", 2) == [2, 1, 3]
    assert places([1.0, 2.0], "neither", 2) == [0, 0]


def test_average_ranks_are_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(6).integers(4, size=(5, 7)).astype(float)
    np.testing.assert_array_equal(average_ranks(values), stats.rankdata(values, axis=-1))


def test_kendalls_w_of_no_whole_and_some_agreement() -> None:
    assert kendall_w(np.array([[1, 2, 3], [1, 2, 3], [1, 2, 3]])) == pytest.approx(1.0)
    assert kendall_w(np.array([[1, 2, 3], [3, 2, 1]])) == pytest.approx(0.0)
    # sums 4, 5, 9 about 6: S = 14, W = 12 * 14 / (9 * 24)
    assert kendall_w(np.array([[1, 2, 3], [2, 1, 3], [1, 2, 3]])) == pytest.approx(12 * 14 / 216)
    assert math.isnan(kendall_w(np.array([[1, 2, 3]])))
    assert math.isnan(kendall_w(np.ones((3, 4))))


def test_kendalls_w_with_ties_is_friedmans_chi_square() -> None:
    """W = chi² / (m (n - 1)), SciPy's chi² being corrected for ties."""
    stats = pytest.importorskip("scipy.stats")
    ratings = np.random.default_rng(7).integers(1, 4, size=(9, 5)).astype(float)
    chi_square = stats.friedmanchisquare(*ratings.T).statistic
    assert kendall_w(ratings) == pytest.approx(chi_square / (9 * 4))


def frechet_sets(n: int, shift: float, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [
        (
            (rng.normal(size=(4, 3)) + shift).astype(np.float32),
            rng.normal(size=(4, 3)).astype(np.float32),
        )
        for _ in range(n)
    ]


def test_a_metric_of_sets_has_one_distance_and_an_interval_around_it() -> None:
    sets = frechet_sets(12, 1.0, 1)
    figure = set_figure(set_distances(sets, frechet_distance), 12)
    features, reference = (np.concatenate([one[side] for one in sets]) for side in (0, 1))
    assert figure.value == frechet_distance(features, reference)
    assert figure.low < figure.value < figure.high
    assert figure == set_figure(set_distances(sets, frechet_distance), 12)
    assert math.isnan(set_figure(set_distances(sets[:1], frechet_distance), 1).low)
    assert math.isnan(set_distance([], frechet_distance))


def test_metrics_of_sets_are_compared_over_the_same_clips() -> None:
    near, far = (set_distances(frechet_sets(12, shift, 2), frechet_distance) for shift in (0.2, 2.0))
    assert set_difference(near, far, 12).verdict("less") == "better"
    assert set_difference(near, near, 12).verdict("less") == "same"
