"""Framing and aligning: what a model will see, before any model runs. Faces are drawn; one test detects them for
real."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from followyouremoji.errors import ClipError, FaceNotFound, MotionError, PictureError, SettingsError
from followyouremoji.face.alignment import after_mean_face
from followyouremoji.face.detection import FaceDetector, Landmarks
from followyouremoji.face.drawing import LandmarkStyle
from followyouremoji.face.expressions import EXPRESSIONS
from followyouremoji.face.geometry import iris_places, solve_metric_faces
from followyouremoji.face.motion import Motion
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.face.topology import INNER_LIPS_LOOP, mean_face
from followyouremoji.framing import ModelFraming, choose_crop
from followyouremoji.media.pictures import on_background, write_picture
from followyouremoji.preparation import prepare
from followyouremoji.settings import AnimationSettings
from followyouremoji.sources import as_picture, read_motion

pytest.importorskip("skia", reason="drawn portraits need skia")
from followyouremoji.portraits import (
    DrawnPortrait,
    Performance,
    draw_portrait,
    expressive_motion,
    random_identity,
)

DRAWN = 256


def truth(drawn: DrawnPortrait) -> np.ndarray:
    """Normalised landmarks (478, 3) of a drawn portrait; irises get the depth of the eyes' outer corners."""
    camera = drawn.vertices @ drawn.pose[:3, :3].T + drawn.pose[:3, 3]
    size = drawn.picture.shape[0]
    pixels_a_centimetre = np.ptp(drawn.points[:468, 0]) / np.ptp(camera[:, 0])
    depth = -(camera[:, 2] - camera[:, 2].mean()) * pixels_a_centimetre / size
    depth = np.concatenate([depth, depth[[33] * 5 + [263] * 5]])
    return np.concatenate([drawn.points / size, depth[:, None]], axis=1).astype(np.float32)


def landmarks_of(drawn: DrawnPortrait) -> Landmarks:
    return Landmarks(truth(drawn), (drawn.picture.shape[1], drawn.picture.shape[0]))


def drawn_motion(frames: int, seed: int = 0) -> Motion:
    rng = np.random.default_rng(seed)
    identity = random_identity(rng, "person")
    pictures = [draw_portrait(identity, p, 64) for p in expressive_motion(rng, frames, 25.0)]
    return Motion(
        landmarks=np.stack([truth(picture) for picture in pictures]),
        timestamps=np.arange(frames) / 25.0,
        frame_rate=25.0,
        size=(64, 64),
        source="a drawn motion",
        found=np.ones(frames, bool),
    )


@pytest.fixture(scope="module")
def portrait() -> DrawnPortrait:
    rng = np.random.default_rng(3)
    return draw_portrait(random_identity(rng, "person"), Performance(), DRAWN)


@pytest.fixture(scope="module")
def motion() -> Motion:
    return drawn_motion(6)


def test_points_and_picture_share_the_crop_s_pixels(portrait: DrawnPortrait, motion: Motion) -> None:
    prepared = prepare(
        portrait.picture,
        motion,
        ModelFraming(128, always_crop=True),
        portrait_landmarks=landmarks_of(portrait),
    )
    assert prepared.picture.shape == (128, 128, 3)
    assert len(prepared) == 6
    assert prepared.framing.points.shape == (6, 478, 2)
    scale = 128 / prepared.framing.crop.side
    expected = (portrait.points - (prepared.framing.crop.x, prepared.framing.crop.y)) * scale
    np.testing.assert_allclose(prepared.framing.reference_points, expected, atol=1e-3)
    assert prepared.framing.points.min() > 0
    assert prepared.framing.points.max() < 128
    assert prepared.landmark_picture(0).shape == (128, 128, 3)
    assert prepared.landmark_picture(0).any()


def test_without_a_motion_the_points_stay_the_portrait_s_own(portrait: DrawnPortrait, motion: Motion) -> None:
    still = AlignmentSettings(expression=0.0, gaze=0.0, head="none")
    prepared = prepare(
        portrait.picture,
        motion,
        ModelFraming(128),
        alignment=still,
        portrait_landmarks=landmarks_of(portrait),
    )
    expected = np.broadcast_to(prepared.framing.reference_points, prepared.framing.points.shape)
    np.testing.assert_allclose(prepared.framing.points, expected, atol=0.01)


def test_a_model_that_is_not_shown_the_pupils_is_not_told_the_gaze(
    portrait: DrawnPortrait, motion: Motion
) -> None:
    shown, hidden = (
        prepare(
            portrait.picture,
            motion,
            ModelFraming(128, LandmarkStyle(pupils=pupils)),
            portrait_landmarks=landmarks_of(portrait),
        )
        for pupils in (True, False)
    )
    np.testing.assert_allclose(hidden.framing.points[:, :468], shown.framing.points[:, :468])
    own = iris_places(hidden.framing.reference_points[None])
    places = iris_places(hidden.framing.points)
    np.testing.assert_allclose(places, np.broadcast_to(own, places.shape), atol=1e-6)
    assert np.abs(iris_places(shown.framing.points) - own).max() > 0.01


def test_pasting_back_restores_the_portrait_outside_and_the_result_inside(
    portrait: DrawnPortrait, motion: Motion
) -> None:
    wide = np.pad(portrait.picture, ((200, 200), (100, 300), (0, 0)), mode="edge")
    points = portrait.points + np.array([100, 200])
    height, width = wide.shape[:2]
    normalised = truth(portrait)
    normalised[:, :2] = points / (width, height)
    normalised[:, 2] *= DRAWN / width
    known = Landmarks(normalised, (width, height))
    prepared = prepare(wide, motion, ModelFraming(128), portrait_landmarks=known)
    assert prepared.paste_back
    assert prepared.output_size == (width, height)
    finished = prepared.finish(np.full((128, 128, 3), 255, np.uint8), 0)
    x, y, side = prepared.framing.crop.x, prepared.framing.crop.y, prepared.framing.crop.side
    assert finished.shape == wide.shape
    assert np.array_equal(finished[: int(y) - 1], wide[: int(y) - 1])
    assert np.array_equal(finished[:, int(x + side) + 2 :], wide[:, int(x + side) + 2 :])
    assert (finished[int(y + side / 2), int(x + side / 2)] == 255).all()

    alone = prepare(
        wide,
        motion,
        ModelFraming(128),
        settings=AnimationSettings(paste_back=False),
        portrait_landmarks=known,
    )
    result = np.full((128, 128, 3), 7, np.uint8)
    assert alone.output_size == (128, 128)
    assert np.array_equal(alone.finish(result, 0), result)


@pytest.mark.parametrize(
    ("shape", "face", "always", "switch", "cropped"),
    [
        ((100, 100), 50, False, "auto", False),
        ((100, 100), 50, True, "auto", True),
        ((100, 100), 20, False, "auto", True),  # a small face
        ((100, 140), 50, False, "auto", True),  # not square
        ((100, 140), 50, True, False, False),
        ((100, 100), 50, False, True, True),
    ],
)
def test_what_is_cropped(shape: tuple[int, int], face: int, always: bool, switch, cropped: bool) -> None:
    picture = np.zeros((*shape, 3), np.uint8)
    own = np.array([[0.0, 0.0], [face, face]]) + 30
    crop, around_face = choose_crop(picture, own, own[None] + 5, switch, always)
    assert around_face is cropped
    if cropped:
        for corner in (own[0], own[1] + 5):
            assert (crop.to_crop(corner, 1) > 0).all()
            assert (crop.to_crop(corner, 1) < 1).all()
    else:  # the middle of the picture
        assert (crop.x, crop.y, crop.side) == ((shape[1] - 100) / 2, 0, 100)


def test_a_face_that_the_middle_square_cuts_away_is_not_animated_without_a_crop() -> None:
    picture = np.zeros((100, 300, 3), np.uint8)  # its middle square is that of x from 100 to 200
    corner = np.stack(np.meshgrid(np.arange(40.0), np.arange(40.0)), axis=-1).reshape(-1, 2)
    for x, y in ((90, 30), (170, 60)):
        crop, _ = choose_crop(picture, corner + np.array([x, y]), corner[None], False, True)
        assert (crop.x, crop.y, crop.side) == (100, 0, 100)
    for x in (10, 70, 190, 250):
        face = corner + np.array([x, 30])
        with pytest.raises(SettingsError, match=r"100x100 pixels of the portrait's 300x100 .* lies outside"):
            choose_crop(picture, face, face[None], False, True)
        _, cropped = choose_crop(picture, face, face[None], "auto", False)
        assert cropped


def test_a_picture_s_open_mouth_opens_the_portrait_s(portrait: DrawnPortrait) -> None:
    """As released, it is compared with the mean face, which looks straight ahead from the same place."""
    rng = np.random.default_rng(8)
    identity = random_identity(rng, "person")
    opened = []
    for name in ("neutral", "surprised"):
        drawn = draw_portrait(
            identity, replace(Performance(), controls=tuple(EXPRESSIONS[name].vector())), 256
        )
        motion = replace(
            drawn_motion(1), landmarks=truth(drawn)[None], size=(256, 256), source=f"{name} picture"
        )
        both = solve_metric_faces(after_mean_face(motion).landmarks, motion.size)
        np.testing.assert_allclose(both.vertices[0], mean_face(), atol=1e-3)
        np.testing.assert_allclose(both.poses[0, :3, 3], both.poses[1, :3, 3], atol=1e-3)
        prepared = prepare(
            portrait.picture, motion, ModelFraming(256), portrait_landmarks=landmarks_of(portrait)
        )
        assert len(prepared) == 1
        opened.append(np.ptp(prepared.framing.points[0, list(INNER_LIPS_LOOP), 1]))
    assert opened[1] > opened[0] + 5


@pytest.mark.parametrize("paste_back", [True, False])
@pytest.mark.parametrize("face_alone", [True, False])
def test_a_transparent_portrait_s_opacity_is_bent_as_its_picture_is(
    portrait: DrawnPortrait, motion: Motion, face_alone: bool, paste_back: bool
) -> None:
    """Black where it is opaque, on white it is the negative of its opacity, before and after."""
    soft = np.clip(400 - np.hypot(*(np.indices((DRAWN, DRAWN)) - 150)) * 3.5, 0, 255).astype(np.uint8)
    layers = np.dstack([np.zeros((DRAWN, DRAWN, 3), np.uint8), soft])
    layers[soft == 0, :3] = (255, 0, 255)  # which nobody sees
    prepared = prepare(
        layers,
        motion,
        ModelFraming(128, always_crop=True, face_alone=face_alone, relative_to_warp=True),
        settings=AnimationSettings(paste_back=paste_back),
        portrait_landmarks=landmarks_of(portrait),
    )
    assert prepared.transparent
    np.testing.assert_array_equal(prepared.portrait, np.repeat(255 - soft[..., None], 3, axis=2))
    width, height = prepared.output_size
    for frame in (0, 5):
        warped = prepared.warped_picture(frame)
        made = prepared.finish(warped, frame, warped)
        assert made.shape == (height, width, 4)
        darkness = on_background(made)[..., 0].astype(int)
        assert (
            np.abs(darkness - (255 - made[..., 3])).max() <= 4
        )  # a change that is carried over from the window
        assert (made[made[..., 3] == 255, :3] < 5).all()
        if paste_back:
            outside = np.s_[: max(0, int(prepared.framing.crop.y) - 1)]
            np.testing.assert_array_equal(made[outside, ..., 3], soft[outside])


@pytest.mark.parametrize("face_alone", [True, False])
def test_the_frames_of_a_transparent_portrait_on_white_are_those_of_the_portrait_on_white(
    portrait: DrawnPortrait, motion: Motion, face_alone: bool
) -> None:
    opacity = np.clip(420 - np.hypot(*(np.indices((DRAWN, DRAWN)) - 128)) * 3.5, 0, 255).astype(np.uint8)
    layers = np.dstack([portrait.picture, opacity])
    through, white = (
        prepare(
            one,
            motion,
            ModelFraming(128, always_crop=True, face_alone=face_alone, relative_to_warp=True),
            portrait_landmarks=landmarks_of(portrait),
        )
        for one in (layers, on_background(layers))
    )
    np.testing.assert_array_equal(through.picture, white.picture)
    result = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    for prepared in (through, white):
        assert prepared.finish(result, 3, result).shape[2] == (4 if prepared is through else 3)
    made, expected = (one.finish(result, 3, result) for one in (through, white))
    seen = made[..., 3] > 0
    assert np.abs(on_background(made).astype(int) - expected)[seen & (made[..., 3] == 255)].max() == 0
    edge = seen & (made[..., 3] < 255)
    assert np.abs(on_background(made).astype(int) - expected)[edge].mean() < 2


def test_an_opaque_portrait_of_four_channels_is_as_one_of_three(
    portrait: DrawnPortrait, motion: Motion
) -> None:
    full = np.dstack([portrait.picture, np.full((DRAWN, DRAWN), 255, np.uint8)])
    prepared = prepare(full, motion, ModelFraming(128), portrait_landmarks=landmarks_of(portrait))
    assert not prepared.transparent
    assert prepared.finish(np.zeros((128, 128, 3), np.uint8), 0).shape[2] == 3


def test_what_alignment_did_is_told(motion: Motion) -> None:
    surprised = replace(Performance(), controls=tuple(EXPRESSIONS["surprised"].vector()))
    drawn = draw_portrait(random_identity(np.random.default_rng(8), "person"), surprised, 256)
    prepared = prepare(drawn.picture, motion, ModelFraming(128), portrait_landmarks=landmarks_of(drawn))
    assert any("its open mouth" in note for note in prepared.notes)
    kept = AlignmentSettings(portrait_expression="keep")
    prepared = prepare(
        drawn.picture, motion, ModelFraming(128), portrait_landmarks=landmarks_of(drawn), alignment=kept
    )
    assert not any("its open mouth" in note for note in prepared.notes)


def test_a_pose_needs_a_model_that_takes_fitted_motions(portrait: DrawnPortrait, motion: Motion) -> None:
    smiling = AlignmentSettings(pose={"smile": 1.0})
    with pytest.raises(SettingsError, match="no pose"):
        prepare(
            portrait.picture,
            motion,
            ModelFraming(64, in_picture=True),
            alignment=smiling,
            portrait_landmarks=landmarks_of(portrait),
        )


def test_portraits_come_as_arrays_images_and_paths(portrait: DrawnPortrait, tmp_path: Path) -> None:
    path = tmp_path / "portrait.png"
    write_picture(path, portrait.picture)
    for source in (portrait.picture, Image.fromarray(portrait.picture), path, str(path), path.read_bytes()):
        assert np.array_equal(as_picture(source, "the portrait"), portrait.picture)


def test_files_are_detected_and_read_by_what_they_are(
    portrait: DrawnPortrait, motion: Motion, tmp_path: Path
) -> None:
    """With MediaPipe: the portrait's face and a driving picture's are found; motion files are loaded as they are."""
    path = tmp_path / "portrait.png"
    write_picture(path, portrait.picture)
    motion.save(tmp_path / "drawn.fyemotion")
    prepared = prepare(path, tmp_path / "drawn.fyemotion", ModelFraming(128, always_crop=True))
    assert np.array_equal(prepared.motion.landmarks, motion.landmarks)
    eyes = np.linalg.norm(portrait.points[468] - portrait.points[473])
    off = np.linalg.norm(prepared.landmarks.points - portrait.points, axis=1).mean()
    assert off < 0.15 * eyes
    with FaceDetector() as detector:
        for source in (path, portrait.picture, path.read_bytes()):
            still = read_motion(source, detector)
            assert len(still.motion) == 1
            assert still.gaps is still.damage is None


@pytest.mark.parametrize(("kept", "frames"), [(1.0, {6}), (0.6, {2, 3, 4}), (0.25, {1})])
def test_a_damaged_driving_clip_is_told_of(
    portrait: DrawnPortrait, tmp_path: Path, kept: float, frames: set[int]
) -> None:
    """Even where one frame is all that is left of it."""
    path = tmp_path / "cut.gif"
    pictures = [Image.fromarray(np.roll(portrait.picture, shift, axis=1)) for shift in range(6)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=40)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    prepared = prepare(portrait.picture, path, ModelFraming(64), portrait_landmarks=landmarks_of(portrait))
    assert len(prepared) in frames
    assert (prepared.damage is not None) == (kept < 1)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((32, 32, 3), np.float32), "array of bytes .* not float32"),
        (np.zeros((32, 32), np.uint8), r"shape \(height, width, 3\) .* not \(32, 32\)"),
        (np.zeros((32, 8, 3), np.uint8), "too small: 8x32"),
        (7, "not int"),
    ],
)
def test_arrays_that_are_no_pictures(array: object, message: str) -> None:
    with pytest.raises(PictureError, match=message):
        as_picture(array, "the portrait")  # type: ignore[arg-type]


def test_files_that_cannot_be_used_are_named(portrait: DrawnPortrait, motion: Motion, tmp_path: Path) -> None:
    known = landmarks_of(portrait)
    blank = tmp_path / "blank.png"
    write_picture(blank, np.full((64, 64, 3), 128, np.uint8))
    with pytest.raises(FaceNotFound, match=r"blank\.png"):
        prepare(blank, motion, ModelFraming(128))
    with pytest.raises(FaceNotFound, match=r"blank\.png"):
        prepare(portrait.picture, blank, ModelFraming(128), portrait_landmarks=known)
    with pytest.raises(PictureError, match=r"nowhere\.png"):
        prepare(tmp_path / "nowhere.png", motion, ModelFraming(128))
    with pytest.raises(ClipError, match=r"nowhere\.mp4"):
        prepare(portrait.picture, tmp_path / "nowhere.mp4", ModelFraming(128), portrait_landmarks=known)
    with pytest.raises(MotionError, match=r"nowhere\.fyemotion"):
        prepare(portrait.picture, tmp_path / "nowhere.fyemotion", ModelFraming(128), portrait_landmarks=known)


@pytest.mark.parametrize(
    "values",
    [
        {"size": 0},
        {"steps": 0},
        {"steps": 1001},
        {"speed": "warp"},
        {"speed": "what=nonsense"},
        {"guidance_scale": 0.5},
        {"guidance_scale": float("nan")},
        {"seed": -1},
        {"shared_noise": 2.0},
        {"window": 2},
        {"batch": 0},
        {"long_clips": "magic"},
        {"crop": "maybe"},
        {"paste_back": "maybe"},
        {"driving_face": -1},
    ],
)
def test_settings_that_cannot_be_used(values: dict) -> None:
    with pytest.raises(SettingsError):
        AnimationSettings(**values)


def test_a_preview_needs_no_torch() -> None:
    code = "import sys, followyouremoji.preparation; sys.exit('torch' in sys.modules or 'mediapipe' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
