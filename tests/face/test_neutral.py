"""How far a face is from rest, by geometry alone."""

import numpy as np
import pytest

from followyouremoji.face.geometry import EYE_DISTANCE_CM, MetricFaces
from followyouremoji.face.heads import turned_by
from followyouremoji.face.neutral import expression_scores
from followyouremoji.face.topology import mean_face


@pytest.mark.parametrize(
    ("points", "axis", "by", "score"),
    [
        ((14,), 1, -1.0, 1.0),  # the lower lip from the upper one
        ((159,), 1, -0.2, 4.0 * 0.5 * 0.2),  # an upper lid: half of both eyes' mean openness, four times
        ((386, 159), 1, 0.1, 4.0 * 0.1),  # a stare
        (
            (61,),
            0,
            0.5,
            (2.0 + 0.5) * 0.5 / 10,
        ),  # one of ten points, against the mean face and its own usual place
        ((4,), 1, 3.0, 0.0),  # the nose does not count
    ],
)
def test_each_distance_counts_by_its_weight(
    points: tuple[int, ...], axis: int, by: float, score: float
) -> None:
    """In eye distances, in the last of eight frames of which the others are the mean face."""
    vertices = np.repeat(mean_face()[None], 8, axis=0)
    vertices[:, 13, 1] = vertices[:, 14, 1]  # a closed mouth
    vertices[-1, list(points), axis] += by
    scores = expression_scores(MetricFaces(vertices, np.repeat(np.eye(4)[None], 8, axis=0)))
    np.testing.assert_allclose(scores[:-1], scores[0])
    assert scores[-1] - scores[0] == pytest.approx(score / EYE_DISTANCE_CM)


def test_a_turn_counts_a_fifth_of_its_angle() -> None:
    poses = np.repeat(np.eye(4)[None], 2, axis=0)
    poses[1, :3, :3] = turned_by(np.array([30.0, 0.0, 0.0]))
    calm, turned = expression_scores(MetricFaces(np.repeat(mean_face()[None], 2, axis=0), poses))
    assert turned - calm == pytest.approx(0.2 * np.radians(30.0))
