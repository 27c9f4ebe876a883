"""Poses of one portrait: what an animation would give, in a square that stays, from networks that read it once."""

from dataclasses import replace

import numpy as np
import pytest

from followyouremoji import posing
from followyouremoji.animator import AlignmentSettings, AnimationSettings, PortraitAnimator
from followyouremoji.errors import SettingsError
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.motion import Motion
from followyouremoji.media.pictures import read_layers
from followyouremoji.posing import PoseSession
from followyouremoji.requests.bundled import bundled_motion, portrait_landmarks, portrait_path
from tests.small_model import small_model

KEEP = AlignmentSettings(portrait_expression="keep")


@pytest.fixture(scope="module")
def ada() -> tuple[np.ndarray, Landmarks]:
    path = portrait_path("bundled:ada")
    layers, known = read_layers(path), portrait_landmarks(path)
    assert known is not None
    return layers, Landmarks(known, (layers.shape[1], layers.shape[0]))


@pytest.fixture(scope="module")
def session(ada: tuple[np.ndarray, Landmarks]) -> PoseSession:
    return PoseSession(PortraitAnimator.from_pretrained("bundled"), ada[0], portrait_landmarks=ada[1])


@pytest.fixture(scope="module")
def hello() -> Motion:
    return bundled_motion("hello")


def test_the_portraits_own_pose_comes_out_as_the_portrait(
    session: PoseSession, ada: tuple[np.ndarray, Landmarks]
) -> None:
    picture, landmarks = ada
    eyes = float(np.linalg.norm(landmarks.points[33] - landmarks.points[263]))
    points = session.points(session.own, KEEP)
    assert np.linalg.norm(points - landmarks.points, axis=1).max() < 0.01 * eyes
    changed = np.abs(session.picture(session.own, KEEP).astype(int) - picture).mean()
    assert changed < 1.0
    posed = replace(KEEP, pose={"mouth_open": 1.0})
    assert (
        np.abs(session.points(session.own, posed)[17] - points[17]).max() > 0.05 * eyes
    )  # below the lower lip
    opened = np.abs(session.picture(session.own, posed).astype(int) - picture).mean()
    assert opened > 2 * changed


def test_points_of_a_frame_are_those_of_the_whole_motion(
    session: PoseSession, ada: tuple[np.ndarray, Landmarks], hello: Motion
) -> None:
    prepared = PortraitAnimator(session._model).prepare(ada[0], hello, portrait_landmarks=ada[1])
    framing = prepared.framing
    expected = framing.crop.from_crop(framing.points_in_picture[7], framing.square.shape[0])
    assert np.abs(session.points(hello, frame=7) - expected).max() < 1e-6


@pytest.mark.parametrize("network", [{}, {"warped_reference": True}])
def test_a_picture_is_that_of_an_animation_in_the_same_square(
    ada: tuple[np.ndarray, Landmarks], hello: Motion, network: dict[str, object]
) -> None:
    """To the bit. An animation of one pose whose face stays inside the portrait's own contour has that square."""
    animator = PortraitAnimator(small_model(**network))
    settings = AnimationSettings(steps=1, seed=3, size=64)
    session = PoseSession(animator, ada[0], portrait_landmarks=ada[1], settings=settings)
    for motion in (session.own, hello[5:6]):
        prepared = animator.prepare(
            ada[0], motion, alignment=KEEP, settings=settings, portrait_landmarks=ada[1]
        )
        posed = session._still.posed(motion, session.points(motion, KEEP)[None])
        (expected,) = animator.frames(posed, settings)
        assert np.array_equal(session.picture(motion, KEEP), expected)
        if motion is session.own:
            assert posed.framing.crop == prepared.framing.crop
            assert np.array_equal(expected, next(animator.frames(prepared, settings)))


def test_the_networks_read_the_portrait_once(
    ada: tuple[np.ndarray, Landmarks], hello: Motion, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, read = [], posing.read_portrait
    monkeypatch.setattr(posing, "read_portrait", lambda *given: calls.append(1) or read(*given))
    settings = AnimationSettings(steps=1)
    session = PoseSession(
        PortraitAnimator(small_model()), ada[0], portrait_landmarks=ada[1], settings=settings
    )
    session.points(hello, frame=2)
    assert calls == []
    pictures = [session.picture(hello, frame=frame) for frame in (0, 20, 0)]
    assert calls == [1]
    assert np.array_equal(pictures[0], pictures[2])
    assert not np.array_equal(pictures[0], pictures[1])
    corner = np.stack(pictures)[:, :8, :8]
    assert (corner == corner[0]).all()


def test_a_transparent_portrait_stays_transparent(ada: tuple[np.ndarray, Landmarks]) -> None:
    opacity = np.full((*ada[0].shape[:2], 1), 255, np.uint8)
    opacity[:40] = 0
    layers = np.concatenate([ada[0], opacity], axis=2)
    settings = AnimationSettings(steps=1)
    session = PoseSession(
        PortraitAnimator(small_model()), layers, portrait_landmarks=ada[1], settings=settings
    )
    assert session.picture(session.own).shape == layers.shape


def test_settings_that_do_not_fit_the_model_are_refused(ada: tuple[np.ndarray, Landmarks]) -> None:
    with pytest.raises(SettingsError, match="multiple of"):
        PoseSession(PortraitAnimator(small_model()), ada[0], settings=AnimationSettings(size=60))
