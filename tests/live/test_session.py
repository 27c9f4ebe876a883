"""A live session: pictures pushed, frames taken, threads of its own. Faces are those of the bundled portrait, detected
for real; time on the source's clock runs as fast as the frames come."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from followyouremoji.animator import AlignmentSettings, AnimationSettings, PortraitAnimator
from followyouremoji.errors import FaceNotFound, PictureError, SettingsError, WeightsError
from followyouremoji.face.detection import Landmarks
from followyouremoji.live import LiveFrame, LiveSession
from followyouremoji.media.pictures import read_layers, resize_picture
from followyouremoji.requests.bundled import portrait_landmarks, portrait_path
from tests.small_model import small_model

STEP = 0.2  # seconds between pictures, on the source's clock
WAIT = 60.0  # seconds at most for a frame, on a machine that does other work
KEEP = AlignmentSettings(portrait_expression="keep")


@pytest.fixture(scope="module")
def ada() -> tuple[np.ndarray, Landmarks]:
    path = portrait_path("bundled:ada")
    layers, known = read_layers(path), portrait_landmarks(path)
    assert known is not None
    return layers, Landmarks(known, (512, 512))


@pytest.fixture(scope="module")
def animator() -> PortraitAnimator:
    return PortraitAnimator(small_model(warped_reference=True))


@pytest.fixture(scope="module")
def filmed(ada: tuple[np.ndarray, Landmarks]) -> np.ndarray:
    return resize_picture(ada[0], (256, 256))


class Camera:
    """Pushes pictures and waits for the frame of each."""

    def __init__(self, live: LiveSession) -> None:
        self.live, self.time = live, 0.0

    def show(self, *pictures: np.ndarray) -> list[LiveFrame]:
        frames: list[LiveFrame] = []
        for picture in pictures:
            self.time += STEP
            frames += self.live.push(picture, self.time)
            while not frames or frames[-1].time < self.time:
                waited = self.live.take(WAIT)
                assert waited, self.live.figures
                frames += waited
        return frames


@pytest.fixture
def camera(animator: PortraitAnimator, ada: tuple[np.ndarray, Landmarks]) -> Iterator[Camera]:
    with animator.live(ada[0], portrait_landmarks=ada[1], alignment=KEEP, size=96) as live:
        yield Camera(live)


def difference(one: LiveFrame, other: LiveFrame | np.ndarray) -> float:
    picture = other.picture if isinstance(other, LiveFrame) else other
    return float(np.abs(one.picture.astype(int) - picture).mean())


def test_a_portrait_rests_follows_holds_and_rests_anew(camera: Camera, filmed: np.ndarray) -> None:
    live = camera.live
    assert live.output_size == (96, 96)
    assert live.still.shape == (96, 96, 3)
    moved, nobody = np.roll(filmed, 20, axis=1), np.zeros_like(filmed)
    frames = camera.show(*[filmed] * 8)
    assert [frame.time for frame in frames] == sorted(frame.time for frame in frames)
    assert [frame.state for frame in frames[:5]] == ["calibrating"] * 5
    assert frames[-1].state == "live"
    assert all(frame.picture.shape == (96, 96, 3) for frame in frames)

    aside = camera.show(*[moved] * 5)[-1]
    assert difference(aside, frames[-1]) > 1.0
    held = camera.show(*[nobody] * 2)
    assert {frame.state for frame in held} == {"held"}
    assert difference(held[-1], aside) < 0.2

    live.recalibrate()
    anew = camera.show(*[moved] * 10)
    assert anew[0].state == "calibrating"
    assert anew[-1].state == "live"
    assert difference(anew[-1], frames[-1]) < 0.5 * difference(aside, frames[-1])
    figures = live.figures
    assert figures.pushed == figures.delivered == 25
    assert (figures.dropped, figures.state) == (0, "live")
    assert figures.slow_latency >= figures.latency > 0


def test_sliders_act_while_it_runs(camera: Camera, filmed: np.ndarray) -> None:
    before = camera.show(*[filmed] * 8)[-1]
    camera.live.alignment = AlignmentSettings(portrait_expression="keep", pose={"mouth_open": 1.0})
    after = camera.show(*[filmed] * 5)
    assert difference(after[-1], before) > 0.5
    with pytest.raises(SettingsError, match="numbered frames"):
        camera.live.alignment = AlignmentSettings(neutral=0)
    assert camera.live.alignment.pose == {"mouth_open": 1.0}


def test_what_comes_too_fast_is_dropped_and_counted(camera: Camera, filmed: np.ndarray) -> None:
    """A hundred pictures at once: the last of them has a frame, and every other one a frame or none."""
    for time in range(1, 101):
        camera.live.push(filmed, time * 0.001)
    frames = []
    while not frames or frames[-1].time < 0.1:
        frames += camera.live.take(WAIT)
    figures = camera.live.figures
    assert figures.pushed == 100
    assert figures.dropped > 50
    assert figures.delivered + figures.dropped == 100


def test_pictures_that_cannot_be_used_are_refused_and_the_session_goes_on(
    camera: Camera, filmed: np.ndarray
) -> None:
    camera.show(filmed)
    live = camera.live
    for wrong in (filmed.astype(float), filmed[..., :1], filmed[..., 0]):
        with pytest.raises(PictureError, match="must be uint8"):
            live.push(wrong, 10.0)
    with pytest.raises(PictureError, match="one size"):
        live.push(filmed[:200], 10.0)
    for time in (STEP, 0.0, float("nan"), float("inf")):
        with pytest.raises(PictureError, match="must rise"):
            live.push(filmed, time)
    assert camera.show(filmed)[-1].state == "calibrating"


def test_frames_can_be_taken_by_another_thread(camera: Camera, filmed: np.ndarray) -> None:
    taken: list[LiveFrame] = []

    def consume() -> None:
        while not taken:
            taken.extend(camera.live.take(WAIT))

    consumer = threading.Thread(target=consume)
    consumer.start()
    given = camera.live.push(filmed)
    consumer.join(WAIT)
    assert given == []
    assert len(taken) == 1


def test_closing_ends_the_threads(animator: PortraitAnimator, ada: tuple[np.ndarray, Landmarks]) -> None:
    live = animator.live(ada[0], portrait_landmarks=ada[1], size=96)
    threads = live._threads
    assert all(thread.is_alive() for thread in threads)
    live.close()
    assert not any(thread.is_alive() for thread in threads)
    with pytest.raises(ValueError, match="closed"):
        live.push(ada[0])
    live.close()


def test_an_error_of_a_thread_is_raised_where_frames_are_asked_for(
    animator: PortraitAnimator,
    ada: tuple[np.ndarray, Landmarks],
    filmed: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = AnimationSettings(driving_face=2)
    with animator.live(ada[0], portrait_landmarks=ada[1], settings=settings, size=96) as live:
        with pytest.raises(FaceNotFound, match="Face 2"):
            Camera(live).show(filmed)
        with pytest.raises(FaceNotFound):
            live.push(filmed, 9.0)
    with animator.live(ada[0], portrait_landmarks=ada[1], size=96) as live:
        monkeypatch.setattr(animator.model.codec, "decode", lambda latents: latents * np.nan)
        with pytest.raises(WeightsError, match="autoencoder"):
            Camera(live).show(filmed)


def test_a_transparent_portrait_stays_transparent(
    animator: PortraitAnimator, ada: tuple[np.ndarray, Landmarks], filmed: np.ndarray
) -> None:
    opacity = np.full((512, 512, 1), 255, np.uint8)
    opacity[:, :60] = 0
    layers = np.concatenate([ada[0], opacity], axis=2)
    with animator.live(layers, portrait_landmarks=ada[1], size=96) as live:
        (frame,) = Camera(live).show(filmed)
        assert live.still.shape == frame.picture.shape == (96, 96, 4)
        assert (frame.picture[:, :8, 3] == 0).all()
        assert (frame.picture[:, 20:, 3] == 255).all()


def test_what_does_not_fit_is_refused_before_anything_starts(
    animator: PortraitAnimator, ada: tuple[np.ndarray, Landmarks]
) -> None:
    before = threading.active_count()
    for wrong, message in (
        ({"size": 8}, "at least"),
        ({"settings": AnimationSettings(size=60)}, "multiple of"),
        ({"alignment": AlignmentSettings(neutral=1)}, "numbered frames"),
    ):
        with pytest.raises(SettingsError, match=message):
            animator.live(ada[0], portrait_landmarks=ada[1], **wrong)
    with pytest.raises(FaceNotFound, match="Face 3"):
        animator.live(ada[0], portrait_landmarks=ada[1], face=3)
    assert threading.active_count() == before
