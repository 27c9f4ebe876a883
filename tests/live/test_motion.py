"""The portrait's landmarks, one filmed face after another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from followyouremoji.errors import SettingsError
from followyouremoji.face.alignment import align
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.geometry import eye_distance
from followyouremoji.face.motion import Motion
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.framing import ModelFraming
from followyouremoji.live.motion import LiveMotion, check_alignment
from followyouremoji.live.pacing import LiveState
from followyouremoji.media.pictures import read_layers
from followyouremoji.requests.bundled import bundled_motion, portrait_landmarks, portrait_path

RATE = 25.0
PLAIN = AlignmentSettings(portrait_expression="keep")
MODEL = ModelFraming(128, face_alone=True)
RESTING = 26  # frames until the rest is known


class Filmed:
    """A session's motion, and the clock of its camera."""

    def __init__(self, reference: Landmarks, alignment: AlignmentSettings = PLAIN) -> None:
        self.motion = LiveMotion(reference, MODEL, None, alignment)
        self.alignment, self.frame = alignment, 0
        self.states: list[LiveState] = []

    def see(self, *faces: Landmarks | None) -> np.ndarray:
        """The points (n, 478, 2) for some faces, 25 a second."""
        points = []
        for face in faces:
            one, state = self.motion.follow(face, self.frame / RATE, self.alignment)
            self.frame += 1
            points.append(one)
            self.states.append(state)
        return np.stack(points)


@pytest.fixture(scope="module")
def ada() -> Landmarks:
    path = portrait_path("bundled:ada")
    known, layers = portrait_landmarks(path), read_layers(path)
    assert known is not None
    return Landmarks(known, (layers.shape[1], layers.shape[0]))


@pytest.fixture(scope="module")
def hello() -> Motion:
    return bundled_motion("hello")


@pytest.fixture(scope="module")
def rest(hello: Motion) -> Landmarks:
    return Landmarks(hello.landmarks[0], hello.size)


def shifted(face: Landmarks, x: float, y: float = 0.0) -> Landmarks:
    """The face elsewhere, by shares of the picture."""
    return replace(face, normalised=face.normalised + np.array([x, y, 0.0], np.float32))


def step_sizes(points: np.ndarray, reference: Landmarks) -> np.ndarray:
    """Of the points (T, 478, 2) from frame to frame, in the mean, in distances between the portrait's eyes."""
    return np.linalg.norm(np.diff(points, axis=0), axis=-1).mean(axis=1) / eye_distance(reference.points)


def test_until_the_rest_is_known_the_portrait_rests_and_then_it_moves(
    ada: Landmarks, rest: Landmarks
) -> None:
    filmed = Filmed(ada)
    resting = filmed.see(*[rest] * RESTING)
    assert filmed.states == ["calibrating"] * (RESTING - 1) + ["live"]
    assert np.abs(resting - ada.points).max() < 0.01 * eye_distance(ada.points)
    moved = filmed.see(*[shifted(rest, 0.02)] * 15)[-1]
    assert (moved - resting[-1])[:, 0].mean() > 0.02 * ada.size[0] * 0.3


def test_motion_is_that_of_an_animation_from_the_same_rest(
    ada: Landmarks, rest: Landmarks, hello: Motion
) -> None:
    """But for what the filter holds back, 1 % of the eyes' distance in the mean."""
    filmed = Filmed(ada)
    filmed.see(*[rest] * RESTING)
    live = filmed.see(*(Landmarks(one, hello.size) for one in hello.landmarks))
    known = replace(hello, rest=rest.normalised)
    offline = align(known, ada, PLAIN).points
    apart = np.linalg.norm(live - offline, axis=-1).mean(axis=1) / eye_distance(ada.points)
    assert apart.mean() < 0.01
    assert step_sizes(offline, ada).sum() > 10 * apart.mean()  # the portrait does move


def test_a_face_that_leaves_is_held_and_comes_back_elsewhere_without_a_jump(
    ada: Landmarks, rest: Landmarks
) -> None:
    filmed = Filmed(ada)
    filmed.see(*[rest] * RESTING)
    before = filmed.see(*[shifted(rest, -0.05)] * 10)[-1]
    held = filmed.see(*[None] * 10)
    assert filmed.states[-10:] == ["held"] * 10
    np.testing.assert_array_equal(held, np.repeat(before[None], 10, axis=0))
    back = filmed.see(*[shifted(rest, 0.05)] * 25)
    assert filmed.states[-25:] == ["live"] * 25
    way = np.linalg.norm(back[-1] - before, axis=-1).mean() / eye_distance(ada.points)
    assert way > 0.1
    steps = step_sizes(np.concatenate([held[-1:], back]), ada)
    assert steps.max() < 0.2 * way
    assert steps[11:].sum() < 0.06 * way  # 0.4 s


def test_a_face_that_leaves_over_the_border_is_held_as_it_was_when_it_was_whole(
    ada: Landmarks, rest: Landmarks
) -> None:
    """While it crosses the border, a tracker imagines what is outside."""
    filmed = Filmed(ada)
    filmed.see(*[rest] * RESTING)
    whole = filmed.see(*[rest] * 5)[-1]
    leaving = [shifted(rest, x) for x in np.linspace(0.42, 0.6, 8)]
    crossing = filmed.see(*leaving)
    assert step_sizes(np.stack([whole, crossing[-1]]), ada)[0] > 0.05
    held = filmed.see(*[None] * 25)
    assert step_sizes(np.stack([whole, held[-1]]), ada)[0] < 0.02
    assert step_sizes(held, ada).max() < 0.2 * step_sizes(np.stack([crossing[-1], held[-1]]), ada)[0]


@pytest.mark.parametrize(
    "change",
    [
        {"pose": {"mouth_open": 1.0}},
        {"expression": 2.0, "portrait_expression": "auto"},
        {"head": "none"},
        {"head": "image"},
        {"head": "absolute"},
    ],
)
def test_other_settings_act_without_a_jump(
    ada: Landmarks, rest: Landmarks, hello: Motion, change: dict[str, object]
) -> None:
    face = Landmarks(hello.landmarks[int(hello.landmarks[:, 14, 1].argmax())], hello.size)
    filmed, other = Filmed(ada), Filmed(ada, replace(PLAIN, **change))  # type: ignore[arg-type]
    for one in (filmed, other):
        one.see(*[rest] * RESTING, *[shifted(face, 0.03)] * 40)
    before = filmed.see(shifted(face, 0.03))[-1]
    filmed.alignment = replace(PLAIN, **change)  # type: ignore[arg-type]
    after = filmed.see(*[shifted(face, 0.03)] * 40)
    wanted = other.see(shifted(face, 0.03))[-1]
    way = np.linalg.norm(wanted - before, axis=-1).mean()
    assert way > 0.5
    assert np.linalg.norm(after[-1] - wanted, axis=-1).mean() < 0.01 * way
    steps = np.linalg.norm(np.diff(np.concatenate([before[None], after]), axis=0), axis=-1).mean(axis=1)
    assert steps.max() < 0.2 * way


def test_a_new_rest_counts_when_it_is_known(ada: Landmarks, rest: Landmarks, hello: Motion) -> None:
    filmed = Filmed(ada)
    turned = shifted(rest, 0.04)
    filmed.see(*[rest] * RESTING)
    before = filmed.see(*[turned] * 15)[-1]
    filmed.motion.recalibrate()
    during = filmed.see(*[turned] * (RESTING - 1))
    assert set(filmed.states[-RESTING + 1 :]) == {"calibrating"}
    assert np.abs(during - before).max() < 0.5
    after = filmed.see(*[turned] * 25)
    assert filmed.states[-1] == "live"
    assert np.linalg.norm(after[-1] - ada.points, axis=-1).mean() < 0.02 * eye_distance(ada.points)
    assert step_sizes(np.concatenate([during, after]), ada).max() < 0.2 * step_sizes(after[[0, -1]], ada)[0]


def test_a_smile_while_resting_does_not_take_the_smile_away(ada: Landmarks) -> None:
    """Whoever smiles in the calm second smiles on the portrait when it is over, and at rest the portrait's mouth is
    closed."""
    laugh = bundled_motion("laugh")
    wide = int((laugh.landmarks[:, 14, 1] - laugh.landmarks[:, 13, 1]).argmax())
    smiling, relaxed = Landmarks(laugh.landmarks[wide], laugh.size), Landmarks(laugh.landmarks[0], laugh.size)
    filmed = Filmed(ada, AlignmentSettings())
    points = filmed.see(*[smiling] * 100, *[relaxed] * 40)

    def gap(one: np.ndarray) -> float:
        return float(np.linalg.norm(one[14] - one[13]) / eye_distance(ada.points))

    assert gap(points[0]) < 0.02
    assert gap(points[99]) > 0.05
    assert gap(points[-1]) < 0.5 * gap(points[99])


def test_the_face_stays_in_its_room(ada: Landmarks, rest: Landmarks) -> None:
    filmed = Filmed(ada)
    filmed.see(*[rest] * RESTING)
    points = filmed.see(*[shifted(rest, x) for x in np.linspace(0.0, 0.6, 40)])
    assert filmed.states[-1] == "live"
    assert points[..., 0].max() < ada.size[0]
    assert np.ptp(points[:, 1, 0]) > 0.1 * ada.size[0]


def test_a_model_that_takes_motions_as_they_are_gets_them_from_the_rest_on(
    ada: Landmarks, rest: Landmarks
) -> None:
    motion = LiveMotion(ada, replace(MODEL, in_picture=True), None, PLAIN)
    for frame in range(2 * RESTING):
        points, state = motion.follow(shifted(rest, 0.01 * (frame // RESTING)), frame / RATE, PLAIN)
    assert state == "live"
    scale = np.ptp(ada.points, axis=0).max() / np.ptp(rest.points, axis=0).max()
    middles = [one[:468].min(axis=0) + one[:468].max(axis=0) for one in (points, ada.points)]
    assert (middles[0] - middles[1])[0] / 2 == pytest.approx(0.01 * rest.size[0] * scale, rel=0.2)


def test_what_live_motion_cannot_have_is_refused() -> None:
    with pytest.raises(SettingsError, match="numbered frames"):
        check_alignment(AlignmentSettings(neutral=3), MODEL)
    with pytest.raises(SettingsError, match="as they are"):
        check_alignment(AlignmentSettings(pose={"smile": 1.0}), replace(MODEL, in_picture=True))
    check_alignment(AlignmentSettings(head="absolute"), MODEL)
