"""Mattes: of drawn heads whose opacity and colours are known, and of the bundled portraits."""

import numpy as np
import pytest

from followyouremoji.face.face_graphs import has_mesh
from followyouremoji.face.topology import FACE_OVAL_LOOP, mean_face
from followyouremoji.media.pictures import read_picture
from followyouremoji.requests.bundled import portrait_landmarks, portrait_path
from followyouremoji.stickers import matte
from followyouremoji.stickers.matte import cut_out, foreground_colours, head_matte

SIDE, UNIT = 240, 6.0  # pixels, and of a centimetre
HEAD = np.array([225.0, 150.0, 60.0])
MIDDLE = (SIDE / 2, SIDE / 2 - 10)


def face(unit: float = UNIT, middle: tuple[float, float] = MIDDLE) -> np.ndarray:
    points = mean_face()[:, :2] * (1, -1)
    points = middle + unit * (points - points.mean(axis=0))
    return np.concatenate([points, points[:10]])


def disc(radius: float) -> np.ndarray:
    """Opacity float (SIDE, SIDE), one pixel soft."""
    y, x = np.indices((SIDE, SIDE)) + 0.5
    return np.clip(radius + 0.5 - np.hypot(x - MIDDLE[0], y - MIDDLE[1]), 0, 1)


def ground() -> np.ndarray:
    """A blue that gets lighter to the right, with some noise, float (SIDE, SIDE, 3)."""
    along = np.linspace(0, 1, SIDE)[None, :, None]
    noise = np.random.default_rng(0).normal(0, 2, (SIDE, SIDE, 3))
    return (50.0, 100.0, 170.0) + along * (25.0, 25.0, 25.0) + noise


def laid(opacity: np.ndarray, colours: np.ndarray, behind: np.ndarray) -> np.ndarray:
    return opacity[..., None] * colours + (1 - opacity[..., None]) * behind


@pytest.fixture
def no_network(monkeypatch) -> None:
    monkeypatch.setattr(matte, "has_mesh", lambda: False)


@pytest.fixture
def head() -> tuple[np.ndarray, np.ndarray]:
    """A round head before a ground, and its opacity."""
    opacity = disc(11 * UNIT)
    return np.rint(laid(opacity, HEAD, ground())).astype(np.uint8), opacity


def test_a_drawn_head_is_found_to_parts_of_a_pixel(no_network, head) -> None:
    picture, opacity = head
    found = head_matte(picture, face()) / 255.0
    assert found[opacity == 0].max() < 0.02
    assert found[opacity == 1].min() > 0.98
    assert np.abs(found - opacity).max() < 0.1


def test_nothing_of_the_old_ground_is_left_in_the_edge(no_network, head) -> None:
    picture, opacity = head
    layers = cut_out(picture, face()).astype(float)
    for behind in ((255.0, 255.0, 255.0), (0.0, 0.0, 0.0), (255.0, 0.0, 255.0)):
        shown = laid(layers[..., 3] / 255.0, layers[..., :3], np.array(behind))
        error = np.abs(shown - laid(opacity, HEAD, np.array(behind)))
        assert (
            error.max() < 24
        )  # of 255; the edge of the picture itself differs by up to 128 from its head's colour
        assert error[(opacity > 0) & (opacity < 1)].mean() < 6


def test_colours_of_a_known_opacity_are_those_of_the_foreground() -> None:
    """Of an edge eight pixels soft."""
    y, x = np.indices((SIDE, SIDE)) + 0.5
    soft = np.rint(255 * np.clip((64 - np.hypot(x - MIDDLE[0], y - MIDDLE[1])) / 8, 0, 1)).astype(np.uint8)
    picture = np.rint(laid(soft / 255.0, HEAD, ground())).astype(np.uint8)
    colours = foreground_colours(picture, soft)
    np.testing.assert_array_equal(colours[soft == 255], picture[soft == 255])
    wrong = np.abs(colours - HEAD) * soft[..., None] / 255.0  # as it is seen
    assert wrong.max() < 6
    mixed = np.abs(picture - HEAD) * soft[..., None] / 255.0
    assert wrong[soft > 0].mean() < 0.1 * mixed[soft > 0].mean()


def test_large_pictures_have_mattes_as_small_ones(no_network, head) -> None:
    """And nothing of the background stays in the file, not even where it is transparent."""
    times = 3
    picture = head[0].repeat(times, axis=0).repeat(times, axis=1)
    layers = cut_out(picture, times * face())
    assert layers.shape == (times * SIDE, times * SIDE, 4)

    def shrunk(values: np.ndarray) -> np.ndarray:
        return values.reshape(SIDE, times, SIDE, times, -1).mean(axis=(1, 3))

    assert np.abs(shrunk(layers[..., 3] / 255.0)[..., 0] - head[1]).mean() < 0.002
    black = np.zeros(3)
    shown = shrunk(laid(layers[..., 3] / 255.0, layers[..., :3], black))
    assert np.abs(shown - laid(head[1], HEAD, black)).max() < 40
    assert (layers[layers[..., 3] == 0, :3] == 255).all()


def test_a_transparent_portrait_keeps_its_own_opacity() -> None:
    layers = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 4), np.uint8)
    np.testing.assert_array_equal(cut_out(layers, face()), layers)


def test_a_body_is_cut_off_round_below_the_chin(no_network, head) -> None:
    picture, unit = head[0].copy(), 5.0
    middle = (SIDE / 2, 90.0)
    picture[120:, 60:180] = HEAD
    opacity = head_matte(picture, face(unit, middle))
    chin = int(face(unit, middle)[152, 1])
    assert opacity[chin + 10, SIDE // 2] == 255
    assert opacity[int(90 + 16 * unit) :].max() == 0
    lowest = [int(np.flatnonzero(opacity[:, x] > 128)[-1]) for x in (70, 95, 120)]
    assert lowest == sorted(lowest)
    assert lowest[0] < lowest[2] - 5


def test_specks_and_small_holes_are_none(no_network, head) -> None:
    picture, opacity = head[0].copy(), head[1]
    picture[10:16, 20:26] = HEAD  # far from the head
    rows, columns = slice(int(MIDDLE[1] - 60), int(MIDDLE[1] - 56)), slice(118, 122)
    picture[rows, columns] = ground()[rows, columns]
    found = head_matte(picture, face())
    assert found[5:20, 15:30].max() == 0
    assert opacity[rows, columns].min() == 1
    assert found[rows, columns].min() > 128


@pytest.mark.parametrize(
    ("unit", "middle"), [(60.0, MIDDLE), (UNIT, (0.0, 0.0)), (UNIT, (SIDE, SIDE)), (0.5, MIDDLE)]
)
def test_faces_of_any_size_and_place_have_a_matte(no_network, head, unit, middle) -> None:
    points = face(unit, middle)
    opacity = head_matte(head[0], points)
    assert opacity.shape == (SIDE, SIDE)
    assert opacity.dtype == np.uint8
    seen = np.clip(np.rint(points[4]), 0, SIDE - 1).astype(int)
    assert opacity[seen[1], seen[0]] > 0


@pytest.mark.parametrize("network", [True, False])
@pytest.mark.parametrize("name", ["max", "emoji"])
def test_bundled_portraits_stand_out_from_their_ground(name, network, monkeypatch) -> None:
    if network and not has_mesh():
        pytest.skip("this mediapipe brings no network for people")
    if not network:
        monkeypatch.setattr(matte, "has_mesh", lambda: False)
    path = portrait_path(f"bundled:{name}")
    picture, landmarks = read_picture(path), portrait_landmarks(path)
    points = landmarks[:, :2] * picture.shape[1::-1]
    opacity = head_matte(picture, points)
    oval = points[list(FACE_OVAL_LOOP)]
    oval = 0.3 * oval.mean(axis=0) + 0.7 * oval
    rows, columns = np.rint(oval[:, 1]).astype(int), np.rint(oval[:, 0]).astype(int)
    assert opacity[rows, columns].min() > 200
    assert opacity[:20].max() == 0
    assert opacity[:, :20].max() == 0
    assert opacity[:, -20:].max() == 0
    assert 0.1 < (opacity > 128).mean() < 0.6
    assert ((opacity > 10) & (opacity < 245)).mean() < 0.03  # a sharp edge: both are drawn so
