"""The Fréchet distance between two sets of features: of pictures FID (Heusel et al. 2017), of clips FVD (Unterthiner
et al. 2018).

**It is biased.** The estimate is larger the fewer features there are, about in proportion to 1/n (Bińkowski et al.
2018, Chong and Forsyth 2020): two halves of one set are not at distance 0. Fewer features than dimensions (FVD has 400,
FID 2048) leave both covariances without full rank, and the bias large. So a figure means something only beside another
one of the same pairs, and its number of features belongs to it.

What others do: FID of 50 000 generated pictures against the whole training set (StyleGAN); FVD of 2048 clips of 16
frames (StyleGAN-V), of 256 clips of 15 (the paper that defined it). The paper of Follow-Your-Emoji gives neither its
number of clips nor the length of those that I3D saw. Here a clip is one feature of FVD, over all frames that the
protocol compares, and each frame is one of FID.
"""

from __future__ import annotations

import math

import numpy as np


def frechet_distance(features: np.ndarray, reference: np.ndarray) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of the means and covariances of two sets (Heusel et al. 2017, Eq. 6).

    Exact for any number of features, also for fewer than dimensions: no square root of a singular matrix is taken. With
    S1 = A'A and S2 = B'B the eigenvalues of S1 S2 are the squares of the singular values of A B', hence the trace of
    the root is the sum of these.

    Parameters
    ----------
    features, reference : (n, d) and (m, d), of the results and of what they are compared with.

    Returns
    -------
    0 or more; NaN for fewer than two features in a set, which have no covariance.
    """
    if min(len(features), len(reference)) < 2:
        return math.nan
    mean, root = _mean_and_root(features)
    other_mean, other_root = _mean_and_root(reference)
    common = np.linalg.svd(root @ other_root.T, compute_uv=False).sum()
    distance = ((mean - other_mean) ** 2).sum() + (root**2).sum() + (other_root**2).sum() - 2 * common
    return max(0.0, float(distance))


def _mean_and_root(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean (d,) and a matrix A (at most d rows, d) with A'A the covariance, divided by n - 1."""
    values = np.asarray(features, np.float64)
    mean = values.mean(axis=0)
    root = (values - mean) / math.sqrt(len(values) - 1)
    return mean, np.asarray(np.linalg.qr(root, mode="r")) if len(root) > root.shape[1] else root
