"""What a `FaceFinder` remembers: the same picture, clip and motion are not looked at twice, changed ones are."""

from pathlib import Path

import numpy as np
import pytest

from followyouremoji.errors import FaceNotFound
from followyouremoji.face.alignment import SolvedMotion
from followyouremoji.face.detection import FaceDetector, Landmarks
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.face_finder import FaceFinder
from followyouremoji.framing import ModelFraming
from followyouremoji.media.pictures import write_picture
from followyouremoji.preparation import prepare

pytest.importorskip("skia", reason="drawn portraits need skia")
from followyouremoji.portraits import DrawnPortrait, Performance, draw_portrait, random_identity
from tests.test_preparation import drawn_motion, landmarks_of


@pytest.fixture
def portrait() -> DrawnPortrait:
    return draw_portrait(random_identity(np.random.default_rng(3), "person"), Performance(), 128)


@pytest.fixture
def looked_at(portrait: DrawnPortrait, monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The pictures in which a face was looked for; each shows the drawn one."""
    pictures: list[np.ndarray] = []

    def detect(detector: FaceDetector, picture: np.ndarray, *args: object, **options: object) -> Landmarks:
        pictures.append(picture)
        return landmarks_of(portrait)

    monkeypatch.setattr(FaceDetector, "detect", detect)
    monkeypatch.setattr(FaceDetector, "detect_all", lambda *args, **options: [detect(*args, **options)])
    return pictures


def test_another_strength_looks_for_no_face_and_gives_what_a_first_call_gives(
    portrait: DrawnPortrait, looked_at: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_picture(tmp_path / "driving.png", portrait.picture)
    drawn_motion(6).save(tmp_path / "drawn.fyemotion")
    drawn, model = drawn_motion(6), ModelFraming(64)
    for motion in (drawn, tmp_path / "drawn.fyemotion", tmp_path / "driving.png"):
        with FaceFinder() as faces:
            prepare(portrait.picture, motion, model, faces=faces)
            looked_at.clear()
            with monkeypatch.context() as patched:
                patched.setattr(SolvedMotion.faces, "func", None)  # solved no more
                for strength in (0.5, 2.0):
                    alignment = AlignmentSettings(expression=strength)
                    again = prepare(portrait.picture, motion, model, alignment=alignment, faces=faces)
                    assert not looked_at
        afresh = prepare(portrait.picture, motion, model, alignment=alignment)
        np.testing.assert_array_equal(again.points_in_picture, afresh.points_in_picture)


def test_what_has_changed_is_looked_at_again(
    portrait: DrawnPortrait, looked_at: list[np.ndarray], tmp_path: Path
) -> None:
    picture, path = portrait.picture.copy(), tmp_path / "portrait.png"
    write_picture(path, picture)
    with FaceFinder() as faces:
        for source in (picture, path):
            looked_at.clear()
            first = faces.portrait(source)
            assert faces.portrait(source) is first
            assert len(looked_at) == 1
            picture[100:, 100:] //= 2  # the same array
            path.unlink()
            write_picture(path, picture)
            second = faces.portrait(source)
            assert len(looked_at) == 2
            np.testing.assert_array_equal(second.layers, picture)
            assert not np.array_equal(first.layers, picture)
            faces.portrait(source, (1,))
            assert len(looked_at) == 3


def test_a_failure_is_not_remembered(portrait: DrawnPortrait, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(detector: FaceDetector, *args: object, **options: object) -> list[Landmarks]:
        raise FaceNotFound("No face.")

    with FaceFinder() as faces:
        with monkeypatch.context() as patched:
            patched.setattr(FaceDetector, "detect_all", nothing)
            with pytest.raises(FaceNotFound, match="In the portrait"):
                faces.portrait(portrait.picture)
        known = landmarks_of(portrait)
        assert faces.portrait(portrait.picture, known=known).faces == (known,)


def test_detectors_are_kept_and_never_shared() -> None:
    with FaceFinder() as faces:
        with faces.detector() as one, faces.detector() as other:
            assert one is not other
        with faces.detector() as again:
            assert again in (one, other)
