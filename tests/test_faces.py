"""Several faces of one picture: each moves as it does alone, and what does not move keeps its pixels."""

from dataclasses import replace

import numpy as np
import pytest

from followyouremoji.animator import PortraitAnimator
from followyouremoji.errors import FaceNotFound, SettingsError
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.motion import Motion
from followyouremoji.prepared import PreparedGroup
from followyouremoji.settings import AnimationSettings
from followyouremoji.sources import Portrait, find_portrait

pytest.importorskip("skia", reason="drawn portraits need skia")
from followyouremoji.portraits import DrawnPortrait, Performance, draw_portrait, random_identity
from tests.small_model import small_model
from tests.test_preparation import drawn_motion, truth

SIDE = 96
FAR = 3 * SIDE  # between two drawn pictures, so that not even the squares around their faces touch


def drawn(seed: int) -> DrawnPortrait:
    return draw_portrait(random_identity(np.random.default_rng(seed), "person"), Performance(), SIDE)


def beside(*steps: int, opacity: bool = False) -> Portrait:
    """Drawn people in one grey picture, so many pixels from one to the next; their landmarks are known."""
    people = [drawn(seed) for seed in range(3, 4 + len(steps))]
    lefts = np.cumsum([0, *steps])
    size = (int(lefts[-1]) + SIDE, SIDE)
    picture = np.full((SIDE, size[0], 3), 128, np.uint8)
    faces = []
    for left, person in zip(lefts, people, strict=True):
        picture[:, left : left + SIDE] = person.picture
        normalised = (truth(person) * SIDE + (left, 0, 0)) / (size[0], SIDE, size[0])
        faces.append(Landmarks(normalised.astype(np.float32), size))
    if opacity:
        rows = np.linspace(0, 400, SIDE).clip(0, 255).astype(np.uint8)
        picture = np.dstack([picture, np.repeat(rows[:, None], size[0], axis=1)])
    return Portrait(picture, tuple(faces), "family.jpg")


def at_rate_of(motion: Motion, rate: float) -> Motion:
    """The same frames, faster or slower."""
    return replace(motion, frame_rate=rate, timestamps=np.arange(len(motion)) / rate)


def frames(animator: PortraitAnimator, group: PreparedGroup, **settings: object) -> np.ndarray:
    return np.stack(list(animator.frames(group, AnimationSettings(steps=1, **settings))))


def alone(animator: PortraitAnimator, portrait: Portrait, face: int, motion: Motion) -> np.ndarray:
    return frames(animator, PreparedGroup((animator.prepare(portrait, motion, face=face),)))


@pytest.fixture(scope="module")
def warping() -> PortraitAnimator:
    """As the bundled model, it is given the warped portrait."""
    return PortraitAnimator(small_model(warped_reference=True))


@pytest.mark.parametrize("opacity", [False, True])
def test_faces_that_are_far_apart_move_as_each_does_alone(warping: PortraitAnimator, opacity: bool) -> None:
    portrait, motions = beside(FAR, opacity=opacity), {1: drawn_motion(6), 2: drawn_motion(6, seed=1)}
    both = frames(warping, warping.prepare_faces(portrait, motions))
    assert both.shape == (6, *portrait.layers.shape)
    middle = (FAR + SIDE) // 2
    for face, part in ((1, np.s_[:, :, :middle]), (2, np.s_[:, :, middle:])):
        single = alone(warping, portrait, face, motions[face])
        np.testing.assert_array_equal(both[part], single[part])
        assert not np.array_equal(both[part][1], both[part][3])


@pytest.mark.parametrize("step", [60, 72, FAR])
def test_a_face_that_is_not_driven_keeps_its_pixels(warping: PortraitAnimator, step: int) -> None:
    """Though the square around its neighbour holds half of it."""
    portrait = beside(step, step)
    result = alone(warping, portrait, 2, drawn_motion(4))
    for face in (0, 2):
        columns, rows = np.rint(portrait.faces[face].points[:468] - 0.5).astype(int).T
        still = portrait.layers[rows, columns]
        assert all(np.array_equal(frame[rows, columns], still) for frame in result)
    assert not np.array_equal(result[0], result[3])


def test_neighbours_move_both(warping: PortraitAnimator) -> None:
    """Each in its own place as it does where the other one is still, though the squares overlap."""
    portrait, motions = beside(58), {1: drawn_motion(6), 2: drawn_motion(6, seed=1)}
    group = warping.prepare_faces(portrait, motions)
    both = frames(warping, group).astype(int)
    overwritten = [replace(face, weights=None) for face in group.faces]
    later_over_earlier = frames(warping, PreparedGroup(tuple(overwritten))).astype(int)
    for face in (1, 2):
        single = alone(warping, portrait, face, motions[face])
        points = portrait.faces[face - 1].points[:468]
        points = points.mean(axis=0) + 0.9 * (points - points.mean(axis=0))
        columns, rows = np.rint(points - 0.5).astype(int).T
        assert np.abs(both - single)[:, rows, columns].max() <= 1
        assert np.abs(both - portrait.layers)[:, rows, columns].max() > 20
        covered = np.abs(later_over_earlier - single)[:, rows, columns].max()
        assert covered > 20 if face == 1 else covered <= 1


def test_all_of_one_face_is_that_face(warping: PortraitAnimator) -> None:
    portrait, motion = beside(), drawn_motion(5)
    expected = frames(warping, PreparedGroup((warping.prepare(portrait, motion),)))
    for face in ("all", 1):
        group = warping.prepare_faces(portrait, {face: motion})
        assert group.notes == warping.prepare(portrait, motion).notes
        np.testing.assert_array_equal(frames(warping, group), expected)


def test_the_fastest_motion_decides_the_rate_and_the_longest_the_length(warping: PortraitAnimator) -> None:
    slow, fast = drawn_motion(6), at_rate_of(drawn_motion(4, seed=1), 50.0)
    portrait = beside(FAR)
    group = warping.prepare_faces(portrait, {1: slow, 2: fast})
    assert group.frame_rate == 50.0
    assert [len(face) for face in group.faces] == [len(slow.at_rate(50.0)), 4]
    assert len(group) == len(slow.at_rate(50.0)) == 12
    result = frames(warping, group)
    assert len(result) == 12
    middle = (FAR + SIDE) // 2
    for frame in range(4, 12):
        np.testing.assert_array_equal(result[frame][:, middle:], result[3][:, middle:])  # holds its last pose
    assert not np.array_equal(result[2][:, middle:], result[3][:, middle:])
    assert not np.array_equal(result[8][:, :middle], result[11][:, :middle])
    picture = replace(slow[:1], frame_rate=100.0)
    assert warping.prepare_faces(portrait, {1: picture, 2: fast}).frame_rate == 50.0  # a picture has no rate


def test_loops_are_each_closed(warping: PortraitAnimator) -> None:
    settings = AnimationSettings(steps=1, loop="pingpong")
    motions = {1: drawn_motion(4), 2: drawn_motion(6, seed=1)}
    group = warping.prepare_faces(beside(FAR), motions, settings=settings)
    result = list(warping.frames(group, settings))
    assert len(result) == 10
    middle = (FAR + SIDE) // 2
    for there, back in ((1, 9), (2, 8), (3, 7), (4, 6)):
        np.testing.assert_array_equal(result[there][:, middle:], result[back][:, middle:])
    np.testing.assert_array_equal(result[1][:, :middle], result[5][:, :middle])


def test_progress_is_of_all_faces(warping: PortraitAnimator) -> None:
    group = warping.prepare_faces(beside(FAR), {1: drawn_motion(9), 2: drawn_motion(3, seed=1)})
    told: list[tuple[int, int]] = []
    settings = AnimationSettings(steps=2)
    list(warping.frames(group, settings, progress=lambda *counts: told.append(counts)))
    done, totals = zip(*told, strict=True)
    assert len(set(totals)) == 1
    assert sorted(done) == list(done)
    assert done[-1] == totals[0]


def test_landmarks_of_all_faces_are_drawn_in_the_whole_picture(warping: PortraitAnimator) -> None:
    portrait = beside(FAR)
    group = warping.prepare_faces(portrait, {"all": drawn_motion(3)})
    assert group.picture(200).shape == group.landmark_picture(0, 200).shape == (50, 200, 3)
    lines = group.landmark_picture(1)
    assert lines.shape == portrait.picture.shape
    for face in portrait.faces:
        x, y = face.points.mean(axis=0).astype(int)
        assert lines[y - 20 : y + 20, x - 20 : x + 20].any()
    assert not lines[:, SIDE:FAR].any()


def test_a_call_says_which_faces_move(warping: PortraitAnimator, monkeypatch: pytest.MonkeyPatch) -> None:
    portrait, motion = beside(FAR), drawn_motion(2)
    monkeypatch.setattr(warping.faces, "portrait", lambda *_, **__: portrait)
    settings = AnimationSettings(steps=1)
    both = np.stack(list(warping(portrait.layers, motion, faces="all", settings=settings)))
    for faces in ({1: motion, 2: motion}, {"all": motion}):
        np.testing.assert_array_equal(
            np.stack(list(warping(portrait.layers, faces, settings=settings))), both
        )
    several = np.stack(list(warping(portrait.layers, motion, faces=(2, 1), settings=settings)))
    np.testing.assert_array_equal(several, both)
    second = np.stack(list(warping(portrait.layers, motion, faces=2, settings=settings)))
    np.testing.assert_array_equal(second[:, :, FAR:], both[:, :, FAR:])
    np.testing.assert_array_equal(second[0, :, :SIDE], portrait.layers[:, :SIDE])
    with pytest.raises(SettingsError, match="named by face already"):
        warping(portrait.layers, {1: motion}, faces="all")


@pytest.mark.parametrize(
    ("faces", "settings", "words"),
    [
        ((1, "all"), {}, r"Face 1 of family\.jpg is named twice"),
        ((), {}, "No face is named"),
        ((1, 2), {"crop": False}, "in a square of its own, which is cropped"),
        ((1, 2), {"paste_back": False}, "in a square of its own, which is put back"),
    ],
)
def test_what_cannot_be_animated_together(
    warping: PortraitAnimator, faces: tuple, settings: dict, words: str
) -> None:
    motions = dict.fromkeys(faces, drawn_motion(2))
    with pytest.raises(SettingsError, match=words):
        warping.prepare_faces(beside(FAR), motions, settings=AnimationSettings(**settings))


def test_a_face_that_is_not_there(warping: PortraitAnimator) -> None:
    with pytest.raises(
        FaceNotFound, match=r"In family\.jpg: Face 3 was asked for, but only 2 faces were found"
    ):
        warping.prepare_faces(beside(FAR), {3: drawn_motion(2)})


def test_the_largest_face_is_taken_where_none_is_named() -> None:
    pytest.importorskip("mediapipe")
    from followyouremoji.face.detection import FaceDetector

    people = [
        draw_portrait(random_identity(np.random.default_rng(seed), "person"), Performance(), side)
        for seed, side in ((8, 160), (9, 256), (10, 160))
    ]
    picture = np.full((256, 576, 3), 128, np.uint8)
    for left, person in zip((0, 160, 416), people, strict=True):
        side = person.picture.shape[0]
        picture[256 - side :, left : left + side] = person.picture
    with FaceDetector() as detector:
        named = find_portrait(detector, picture, "a.png", ("all",))
        turned = find_portrait(detector, np.ascontiguousarray(np.rot90(picture)), "a.png", (1, 3))
    assert len(named.faces) == len(turned.faces) == 3
    assert named.largest == 2
    assert turned.layers.shape == picture.shape
    assert "the picture was turned upright" in turned.notes([1, 3])[0]
    assert named.notes([1, 2, 3]) == ()
