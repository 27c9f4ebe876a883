"""The piecewise-affine warp."""

import numpy as np
import pytest

from followyouremoji.benchmark.warps import (
    FACE_TRIANGLES,
    HEAD_TRIANGLES,
    cover,
    mesh_depth,
    mesh_warp,
    nearest_last,
    similarity,
)
from followyouremoji.face.topology import TRIANGLES, mean_face

from .metrics.test_regions import frontal_points


def smooth_picture(size: int = 128) -> np.ndarray:
    y, x = np.mgrid[0:size, 0:size] / size
    return np.stack([255 * x, 255 * y, 255 * (1 - x) * y], axis=-1).astype(np.uint8)


def test_landmarks_at_rest_leave_the_picture_alone() -> None:
    points = frontal_points()
    picture = smooth_picture()
    off = np.abs(mesh_warp(picture, points, points).astype(int) - picture)
    assert np.percentile(off, 99) <= 1
    assert off.max() <= 4, "two pixels of this ramp, where slivers touch"


def test_every_landmark_takes_its_colour_along() -> None:
    points = frontal_points()
    rng = np.random.default_rng(0)
    # Far from the picture's middle the field is small, so that no triangle folds.
    moved = points + 3 * np.sin(points[:, ::-1] / 17 + rng.uniform(0, 6, 2))
    picture = smooth_picture()
    warped = mesh_warp(picture, points, moved)
    at = np.floor(moved).astype(int)
    before = np.floor(points).astype(int)
    difference = np.abs(
        warped[at[:, 1], at[:, 0]].astype(int) - picture[before[:, 1], before[:, 0]].astype(int)
    )
    assert np.median(difference) <= 3
    assert np.percentile(difference, 95) <= 8
    assert np.abs(warped[0].astype(int) - picture[0]).max() <= 3, "the border stays"


def test_the_covering_reproduces_an_affine_map() -> None:
    points = frontal_points()
    linear = np.array([[1.1, 0.05], [-0.08, 0.95]])
    moved = (points - 64) @ linear.T + 64
    covering = cover(moved, FACE_TRIANGLES, (128, 128))
    covered = covering.weights.sum(axis=-1) > 0
    assert covered.mean() > 0.1
    places = np.einsum("hwk,hwkc->hwc", covering.weights, points[covering.vertices])
    y, x = np.mgrid[0.5:128, 0.5:128]
    expected = (np.stack([x, y], axis=-1) - 64) @ np.linalg.inv(linear).T + 64
    off = np.abs(places - expected)[covered].max(axis=-1)
    assert np.percentile(off, 95) < 1e-6
    assert off.max() < 3.0, "where edges of slivers touch a pixel"


def test_depth_follows_the_head() -> None:
    face = mean_face()
    angle = np.radians(30)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    turned = face @ turn.T
    depth = mesh_depth(turned[:, :2] * (1, -1) * 5 + 60)
    assert np.corrcoef(depth, -turned[:, 2])[0, 1] > 0.999
    order = nearest_last(np.concatenate([turned[:, :2] * (1, -1), np.zeros((10, 2))]))
    assert sorted(map(tuple, order.tolist())) == sorted(map(tuple, FACE_TRIANGLES.tolist()))


def test_the_mesh_is_closed_but_for_its_oval() -> None:
    edges: dict[frozenset[int], int] = {}
    for triangle in FACE_TRIANGLES.tolist():
        for start, end in zip(triangle, triangle[1:] + triangle[:1], strict=True):
            edge = frozenset((start, end))
            edges[edge] = edges.get(edge, 0) + 1
    border = [edge for edge, count in edges.items() if count == 1]
    assert len(border) == 36
    assert max(edges.values()) == 2
    assert len(FACE_TRIANGLES) == len(TRIANGLES) + 16 + 16 + 18
    assert HEAD_TRIANGLES.max() == 478 + 72 - 1


def test_a_similarity_is_recovered() -> None:
    rng = np.random.default_rng(2)
    source = rng.normal(0, 10, (36, 2))
    turn = 1.3 * np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    found, shift = similarity(source, source @ turn.T + (5, -3))
    np.testing.assert_allclose(found, turn, atol=1e-9)
    np.testing.assert_allclose(shift, (5, -3), atol=1e-9)
    assert np.linalg.det(found) == pytest.approx(1.69)
