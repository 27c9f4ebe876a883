"""Detection on drawn portraits, whose landmarks are known by construction, and on the real pictures beside the
checkout."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from followyouremoji.errors import FaceNotFound, SettingsError, WeightsError
from followyouremoji.face.detection import FaceDetector, Landmarks
from followyouremoji.face.face_graphs import has_mesh
from followyouremoji.portraits import Look, Performance, draw_portrait, random_identity

pytest.importorskip("skia", reason="drawn portraits need skia")
pytest.importorskip("mediapipe")

SHARED = Path(__file__).parents[2].parent / "shared"
BUNDLE = SHARED / "models" / "face_landmarker_v2_with_blendshapes.task"


@pytest.fixture(scope="module")
def detector() -> Iterator[FaceDetector]:
    with FaceDetector() as opened:
        yield opened


def drawn(seed: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """A drawn person and the true points."""
    identity = replace(random_identity(np.random.default_rng(seed), style="person"), look=Look())
    portrait = draw_portrait(identity, Performance.neutral(), size=size)
    return portrait.picture, portrait.points


def error(found: np.ndarray, true: np.ndarray) -> float:
    """Mean distance of the points in pupil distances."""
    return float(np.linalg.norm(found - true, axis=-1).mean() / np.linalg.norm(true[468] - true[473]))


def side_by_side(sizes: tuple[int, ...], seed: int = 8) -> tuple[np.ndarray, list[np.ndarray]]:
    """Drawn people of several sizes on one grey picture, from left to right, and their true points."""
    height = max(sizes)
    picture = np.full((height, sum(sizes), 3), 128, np.uint8)
    points, left = [], 0
    for index, size in enumerate(sizes):
        part, true = drawn(seed + index, size)
        picture[height - size :, left : left + size] = part
        points.append(np.add(true, (left, height - size)))
        left += size
    return picture, points


def test_a_face_is_found_where_it_was_drawn(detector: FaceDetector) -> None:
    """0.027 to 0.042 on four drawn people."""
    picture, points = drawn(3, 256)
    found = detector.detect(picture)
    assert found.size == (256, 256)
    assert found.normalised.shape == (478, 3)
    assert found.normalised.dtype == np.float32
    assert found.blendshapes is None
    assert error(found.points, points) < 0.06


@pytest.mark.parametrize("turns", [0, 1])
def test_all_faces_are_found_from_left_to_right_without_what_is_none(
    detector: FaceDetector, turns: int
) -> None:
    """Of the four, the last is too small to count."""
    picture, points = side_by_side((256, 128, 256, 40))
    found = detector.detect_all(np.ascontiguousarray(np.rot90(picture, -turns)), any_turn=True)
    assert [one.quarter_turns for one in found] == [turns] * 3
    assert not any(one.doubtful for one in found)
    for one, true in zip(found, points[:3], strict=True):
        assert error(one.points, true) < 0.08


def test_where_one_face_is_found_all_of_them_are_that_one(detector: FaceDetector) -> None:
    picture, _ = drawn(3, 256)
    (alone,) = detector.detect_all(picture, any_turn=True)
    np.testing.assert_array_equal(alone.points, detector.detect(picture, any_turn=True).points)
    with pytest.raises(FaceNotFound):
        detector.detect_all(np.full((128, 128, 3), 90, np.uint8))


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_picture_is_turned_by_its_face(detector: FaceDetector, turns: int) -> None:
    """Upside down, a face is found without `any_turn`, too: with the chin for a forehead."""
    upright, points = drawn(5, 256)
    lying = np.ascontiguousarray(np.rot90(upright, -turns))
    found = detector.detect(lying, any_turn=True)
    assert found.quarter_turns == turns
    assert not found.doubtful
    assert error(found.points, points) < 0.06
    if turns == 2:
        plain = detector.detect(lying)
        assert plain.quarter_turns == 0
        assert error(plain.points, points) > 0.2
    *_, last = detector.track([lying] * 2 + [lying // 2 + 60] * 2, any_turn=True)
    assert last is not None
    assert last.quarter_turns == turns
    assert error(last.points, points) < 0.06


def test_what_only_looks_like_a_face_is_doubtful(detector: FaceDetector) -> None:
    """Two dark spots and a third one below: the mesh finds a face, which moves when the picture does."""
    if not has_mesh():
        pytest.skip("Google's model finds no face there")
    picture = np.full((256, 256, 3), 200, np.uint8)
    for x, y in ((95, 100), (165, 110), (125, 190)):
        cv2.circle(picture, (x, y), 14, (60, 40, 40), -1)
    assert detector.detect(picture, any_turn=True).doubtful


def test_several_faces_largest_first_and_by_number(detector: FaceDetector) -> None:
    picture, points = side_by_side((200, 320, 240))
    assert error(detector.detect(picture).points, points[1]) < 0.08
    for number in (1, 2, 3):
        assert error(detector.detect(picture, face=number).points, points[number - 1]) < 0.08
    with pytest.raises(FaceNotFound, match="Face 4 was asked for, but only 3 faces were found"):
        detector.detect(picture, face=4)
    with pytest.raises(SettingsError, match="count from 1"):
        detector.detect(picture, face=0)


def test_a_small_face_is_found_in_an_enlarged_part(detector: FaceDetector) -> None:
    """A face of 55 pixels in a picture of 1280, too small for the first look."""
    picture = np.full((720, 1280, 3), 128, np.uint8)
    part, points = drawn(3, 112)
    picture[500:612, 200:312] = part
    found = detector.detect(picture)
    assert error(found.points, np.add(points, (200, 500))) < 0.15


def test_a_picture_without_a_face_is_an_error(detector: FaceDetector) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    for picture in (cv2.resize(noise, (140, 120)), noise[:1, :1]):
        with pytest.raises(FaceNotFound, match="No face was found"):
            detector.detect(picture)


def test_the_followed_face_stays_the_same_face(detector: FaceDetector) -> None:
    """Two people; the smaller, on the left, is followed while the picture slides, goes and comes back."""
    picture, points = side_by_side((220, 300))
    shifts = [0, 6, 12, 18, None, None, 24, 30]
    frames = [
        np.full_like(picture, 128) if shift is None else np.roll(picture, shift, axis=1) for shift in shifts
    ]
    followed = list(detector.track(frames, face=1))
    assert [face is None for face in followed] == [shift is None for shift in shifts]
    for face, shift in zip(followed, shifts, strict=True):
        if face is not None:
            assert error(face.points, np.add(points[0], (shift, 0))) < 0.1


def test_a_small_face_is_followed(detector: FaceDetector) -> None:
    part, points = drawn(3, 128)
    frames = []
    for step in range(4):
        frame = np.full((720, 1280, 3), 128, np.uint8)
        frame[400:528, 600 + 3 * step : 728 + 3 * step] = part
        frames.append(frame)
    for step, face in enumerate(detector.track(frames)):
        assert face is not None
        assert error(face.points, np.add(points, (600 + 3 * step, 400))) < 0.15


def test_tracking_reads_one_frame_at_a_time(detector: FaceDetector) -> None:
    picture, _ = drawn(3, 256)
    read = 0

    def frames() -> Iterator[np.ndarray]:
        nonlocal read
        while True:
            read += 1
            yield picture

    tracking = detector.track(frames())
    assert isinstance(next(tracking), Landmarks)
    assert isinstance(next(tracking), Landmarks)
    assert read == 2
    tracking.close()  # type: ignore[attr-defined]


def test_a_held_picture_keeps_its_landmarks_and_costs_no_detection(detector: FaceDetector) -> None:
    """Frames of a doubled frame rate; without a look at the bytes, the tracker moves the points of a still face."""
    picture, _ = drawn(3, 256)
    shown = [np.roll(picture, shift, axis=1) for shift in (0, 4, 8)]
    doubled = list(detector.track([one.copy() for one in shown for _ in range(2)]))
    plain = list(detector.track(shown))
    for first, second, alone in zip(doubled[::2], doubled[1::2], plain, strict=True):
        assert first is not None
        assert first is second
        assert alone is not None
        np.testing.assert_array_equal(first.normalised, alone.normalised)


def test_a_buffer_that_is_read_over_is_not_taken_for_a_held_picture(detector: FaceDetector) -> None:
    picture, points = drawn(3, 256)
    buffer = np.empty_like(picture)

    def frames() -> Iterator[np.ndarray]:
        for shift in (0, 6, 12):
            buffer[:] = np.roll(picture, shift, axis=1)
            yield buffer

    for shift, face in zip((0, 6, 12), detector.track(frames()), strict=True):
        assert face is not None
        assert error(face.points, np.add(points, (shift, 0))) < 0.08


def test_a_bundle_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no face-landmarker bundle at .*absent\.task"):
        FaceDetector(tmp_path / "absent.task")
    (tmp_path / "text.task").write_text("no model")
    picture, _ = drawn(3, 128)
    with (
        FaceDetector(tmp_path / "text.task") as detector,
        pytest.raises(WeightsError, match=r"text\.task is not"),
    ):
        detector.detect(picture)


def test_a_bundle_adds_52_scores() -> None:
    if not BUNDLE.is_file():
        pytest.skip("the face-landmarker bundle is not beside this checkout")
    picture, points = drawn(3, 256)
    with FaceDetector(BUNDLE) as detector:
        found = [detector.detect(picture), *detector.track([picture, picture])]
    for face in found:
        assert face is not None
        assert face.blendshapes is not None
        assert face.blendshapes.shape == (52,)
        assert ((face.blendshapes >= 0) & (face.blendshapes <= 1)).all()
        assert error(face.points, points) < 0.08


@pytest.mark.parametrize("name", ["s0", "s3", "s5", "s7", "s8", "s9", "s10", "s25", "s31", "s41", "s23"])
def test_real_portraits_and_animals_are_found(detector: FaceDetector, name: str) -> None:
    """Paintings, a cartoon, two dogs, a cat and a llama; the last two only by the search in crops."""
    path = SHARED / "media" / "portraits" / f"{name}.jpg"
    if not path.is_file():
        pytest.skip("the real pictures are not beside this checkout")
    if name in ("s41", "s23") and not has_mesh():
        pytest.skip(
            "Google's model finds no llama, and the cat's face in another place: docs/measurements/face_models.md"
        )
    picture = cv2.imread(str(path))[..., ::-1]
    points = detector.detect(picture).points
    right, left = points[468], points[473]
    assert 0.02 * picture.shape[1] < left[0] - right[0] < 0.6 * picture.shape[1]
    assert abs(left[1] - right[1]) < 0.5 * (left[0] - right[0])
    assert points[13, 1] > max(left[1], right[1])
