import math

import numpy as np
import pytest

from followyouremoji.benchmark.metrics.frechet import frechet_distance


def drawn(seed: int, n: int, d: int) -> np.ndarray:
    """Features whose dimensions hang together."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)


@pytest.mark.parametrize(("n", "m", "d"), [(300, 200, 20), (12, 30, 20), (8, 9, 20), (2, 2, 5)])
def test_agrees_with_the_matrix_square_root_of_scipy(n: int, m: int, d: int) -> None:
    sqrtm = pytest.importorskip("scipy.linalg").sqrtm
    features, reference = drawn(1, n, d), drawn(2, m, d)
    first, second = np.cov(features, rowvar=False), np.cov(reference, rowvar=False)
    # S1 S2 has the eigenvalues of R S2 R, R the root of S1, which is symmetric: SciPy takes the root of that precisely
    # even where the covariances have no full rank.
    root = sqrtm(first + 1e-14 * np.eye(d)).real
    inner = root @ second @ root
    common = np.trace(sqrtm(inner + 1e-14 * np.eye(d)).real)
    means = features.mean(axis=0) - reference.mean(axis=0)
    expected = means @ means + np.trace(first) + np.trace(second) - 2 * common
    assert frechet_distance(features, reference) == pytest.approx(expected, rel=1e-5)


def test_of_diagonal_covariances_is_the_distance_of_means_and_deviations() -> None:
    # Of independent dimensions: the sum of (m1 - m2)^2 + (s1 - s2)^2 (Dowson and Landau 1982, Eq. 4). Columns of a
    # Hadamard matrix are independent to the last digit.
    hadamard = np.array([[1]])
    for _ in range(4):
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    signs = hadamard[:, 1:4]  # (16, 3), mean 0, sum of squares 16
    deviation, other = np.array([1.0, 2.0, 3.0]), np.array([1.5, 2.0, 0.5])
    scale = math.sqrt(15 / 16)  # the covariance is divided by n - 1
    distance = frechet_distance(signs * deviation * scale + 5, signs * other * scale + [5, 6, 5])
    assert distance == pytest.approx(1 + ((deviation - other) ** 2).sum(), rel=1e-12)


def test_of_a_set_to_itself_is_nothing_and_to_its_shift_the_squared_shift() -> None:
    features = drawn(3, 40, 30)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(features + 2, features[::-1]) == pytest.approx(4 * 30, rel=1e-9)


def test_is_biased_upwards_by_few_features_about_in_proportion_to_one_over_their_number() -> None:
    rng = np.random.default_rng(4)
    of = {
        n: np.mean([frechet_distance(rng.normal(size=(n, 6)), rng.normal(size=(n, 6))) for _ in range(20)])
        for n in (50, 100, 200)
    }
    assert of[50] > of[100] > of[200] > 0
    assert of[50] / of[200] == pytest.approx(4, rel=0.35)


def test_one_feature_has_no_covariance() -> None:
    assert math.isnan(frechet_distance(np.zeros((1, 4)), np.zeros((9, 4))))


def test_float32_features_of_the_size_of_fid_lose_no_digits() -> None:
    features = drawn(5, 30, 2048).astype(np.float32)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-6 * features.var(axis=0).sum())
