"""Drawn portraits as a source: reproducible, with depth that makes the metric face again."""

import numpy as np
import pytest

from followyouremoji.data import Drawn
from followyouremoji.data.drawn import spatial_points
from followyouremoji.data.preparation.survey import head_angles
from followyouremoji.errors import SettingsError
from followyouremoji.face.geometry import solve_metric_faces

pytest.importorskip("skia", reason="drawn portraits need skia")


def test_a_position_is_a_pure_function_of_the_seed() -> None:
    clip, again = (Drawn(size=48, seed=4).clip(7, 2) for _ in range(2))
    assert clip.pictures.shape == (2, 48, 48, 3)
    assert clip.points.shape == (2, 478, 3)
    assert clip.points.dtype == np.float32
    np.testing.assert_array_equal(clip.pictures, again.pictures)
    np.testing.assert_array_equal(clip.points, again.points)
    other = Drawn(size=48, seed=5).clip(7, 2)
    assert np.abs(other.pictures.astype(int) - clip.pictures).mean() > 2


def test_only_the_chosen_styles_occur() -> None:
    source = Drawn(size=32, styles=("stone", "animal"))
    styles = {source.clip(position, 1).key.rsplit("-", 1)[1] for position in range(12)}
    assert styles == {"stone", "animal"}


def test_singles_differ_more_than_successive_frames() -> None:
    def step(acting: str) -> float:
        source = Drawn(size=48, seed=1, acting=acting, frame_rates=(25.0, 25.0))  # type: ignore[arg-type]
        clips = [source.clip(position, 3).points for position in range(4)]
        return float(np.mean([np.abs(np.diff(points, axis=0)).mean() for points in clips]))

    assert step("singles") > 3 * step("motion")


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"), [(0, 0, 0), (25, 0, 0), (0, -15, 0), (0, 0, 20), (-20, 10, 5)]
)
def test_the_depth_of_points_gives_shape_and_pose_of_the_drawn_head_back(
    yaw: float, pitch: float, roll: float
) -> None:
    """What is solved from the points is the drawn head, to the error of MediaPipe's weak perspective: a few millimetres
    and degrees."""
    from followyouremoji.portraits import Performance, draw_portrait, random_identity
    from followyouremoji.portraits.head import FULL_VIEW

    who = random_identity(np.random.default_rng(3), "person")
    portrait = draw_portrait(who, Performance(yaw=yaw, pitch=pitch, roll=roll), 64)
    points = spatial_points(portrait)
    assert abs(points[:468, 2].mean()) < 1e-3
    # The picture is the middle of the view of the camera that the geometry knows.
    view = FULL_VIEW * 64
    normalised = (points + np.array([0.5, 0.5, 0.0]) * (view - 64)) / view
    solved = solve_metric_faces(normalised[None], (1000, 1000))
    np.testing.assert_allclose(head_angles(solved.poses)[0], (yaw, pitch, roll), atol=4.0)
    size = np.ptp(portrait.vertices[:, 0])
    fitted = solved.vertices[0] * size / np.ptp(solved.vertices[0][:, 0])
    apart = (fitted - fitted.mean(axis=0)) - (portrait.vertices - portrait.vertices.mean(axis=0))
    assert np.linalg.norm(apart, axis=1).mean() < 0.06 * size


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"styles": ("ghost",)}, "ghost"),
        ({"size": 8}, "from 32 to 2048"),
        ({"size": 100}, "multiple of 8"),
        ({"size": "128"}, "'128'"),
        ({"size": True}, "not true"),
        ({"styles": "person"}, "`styles` must be a list"),
        ({"acting": "dance"}, "dance"),
        ({"speech": 2.0}, "speech"),
        ({"speech": "much"}, "speech"),
        ({"frame_rates": (25.0, 8.0)}, "frame_rates"),
        ({"frame_rates": 25}, "frame_rates"),
        ({"frame_rates": (8, float("inf"))}, "frame_rates"),
        ({"frame_rates": ("8", "25")}, "frame_rates"),
        ({"seed": 0.5}, "seed"),
        ({"seed": -1}, "at least 0"),
    ],
    ids=str,
)
def test_impossible_settings_are_refused(settings: dict, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        Drawn(**settings)
