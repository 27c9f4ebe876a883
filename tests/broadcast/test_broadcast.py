"""Live portraits with the bundled model: what a drawn person does before the camera, the portrait does in the
recording."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pytest

pytest.importorskip("skia", reason="drawn portraits need skia")
pytest.importorskip("mediapipe")

from followyouremoji.animator import PortraitAnimator
from followyouremoji.broadcast import broadcast
from followyouremoji.broadcast.broadcast import Broadcast, place_to_show
from followyouremoji.broadcast.output import Moment, Wish
from followyouremoji.broadcast.relay import Relayed, relay
from followyouremoji.broadcast.request import LiveRequest
from followyouremoji.errors import CameraError, ClipError, FaceNotFound, SettingsError
from followyouremoji.face.detection import FaceDetector
from followyouremoji.live import LiveSession
from followyouremoji.media.cameras import Shot
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.pictures import write_picture
from followyouremoji.portraits import Performance, draw_portrait, random_identity
from followyouremoji.requests.bundled import portrait_path
from followyouremoji.requests.request import ModelChoice

RATE = 10.0
CALM, ACTED = 12, 8
UPPER_LIP, LOWER_LIP, CHIN, NOSE = 13, 14, 152, 1


@pytest.fixture(scope="module")
def animator() -> PortraitAnimator:
    return PortraitAnimator.from_pretrained("bundled", "cpu")


@pytest.fixture(scope="module")
def acted() -> list[np.ndarray]:
    """A person who looks ahead for more than a second, ten pictures a second, and then opens the mouth."""
    who = random_identity(np.random.default_rng(17), "person")
    calm = [draw_portrait(who, Performance(), 192).picture] * CALM
    opening = np.linspace(0.3, 1.0, ACTED)
    return calm + [draw_portrait(who, Performance.of("surprised", some), 192).picture for some in opening]


class Patient:
    """A camera that waits for the portrait's answer before it gives the next picture, however slow the machine is; and
    the output that tells it. Then it `ends`, or is pulled out."""

    name, frame_rate = "a patient camera", RATE

    def __init__(self, pictures: Sequence[np.ndarray], ends: bool = True) -> None:
        self._shots = [Shot(number / RATE, picture) for number, picture in enumerate(pictures)]
        self._given, self._ends = 0, ends
        self.moments: list[Moment] = []

    def newest(self) -> Shot | None:
        if self._given > len(self.moments):
            return None
        if self._given == len(self._shots):
            if self._ends:
                return None
            raise CameraError(f"{self.name} is gone")
        self._given += 1
        return self._shots[self._given - 1]

    @property
    def ended(self) -> bool:
        return self._ends and len(self.moments) == len(self._shots)

    def show(self, moment: Moment) -> None:
        self.moments.append(moment)

    def wishes(self) -> Collection[Wish]:
        return ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        pass


Play = Callable[..., tuple[Relayed, Patient]]


@pytest.fixture
def play(animator: PortraitAnimator, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Has a live portrait moved by pictures; `wishes` are those of somebody who watches, by the number of frames."""

    def played(pictures: Sequence[np.ndarray], ends: bool = True, **asked: object) -> tuple[Relayed, Patient]:
        camera = Patient(pictures, ends)
        monkeypatch.setattr(broadcast, "open_source", lambda request: camera)
        given = {"portrait": "bundled:ada", "size": 256, "show": False, **asked}
        request = LiveRequest(**given)  # type: ignore[arg-type]
        opened = Broadcast(request, load=lambda choice: animator)
        opened._outputs.append(camera)
        with opened:
            return opened.run().relayed, camera

    return played


def mouth_opening(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """How far the lips are apart, over the distance from nose to chin, in each picture."""
    with FaceDetector() as detector:
        points = np.stack([detector.detect(picture).points for picture in pictures])
    gap = np.linalg.norm(points[:, UPPER_LIP] - points[:, LOWER_LIP], axis=1)
    return gap / np.linalg.norm(points[:, NOSE] - points[:, CHIN], axis=1)


def test_the_recorded_portrait_does_what_the_person_does(
    play: Play, acted: list[np.ndarray], tmp_path: Path
) -> None:
    relayed, camera = play(acted, record=tmp_path / "live.mp4")
    assert (relayed.pushed, relayed.delivered, relayed.dropped) == (len(acted), len(acted), 0)
    assert relayed.seconds == pytest.approx(len(acted) / RATE)
    assert 0.0 < relayed.latency <= relayed.slow_latency
    assert relayed.lost is None

    states = [moment.frame.state for moment in camera.moments]
    assert states[0] == "calibrating"
    assert states[-ACTED:] == ["live"] * ACTED
    for moment, picture in zip(camera.moments, acted, strict=True):
        assert moment.seen is picture

    with ClipReader(tmp_path / "live.mp4") as clip:
        frames = [picture for _, picture in clip]
        assert clip.info.frame_rate == RATE
        assert clip.info.size == (256, 256)
    assert len(frames) == len(acted)
    opening = mouth_opening([frames[0], frames[CALM - 1], frames[-1]])
    assert opening[:2].max() < 0.06
    assert opening[2] > 0.15
    for frame, moment in zip(frames, camera.moments, strict=True):
        assert np.abs(frame.astype(int) - moment.frame.picture).mean() < 4.0


def test_a_transparent_portrait_stays_so_where_the_recording_can_hold_it(
    play: Play, acted: list[np.ndarray], tmp_path: Path
) -> None:
    layers = np.dstack([acted[0], np.full((192, 192), 255, np.uint8)])
    layers[:, :40, 3] = 0
    write_picture(tmp_path / "cut_out.png", layers)
    for name, channels in (("live.webm", 4), ("live.mp4", 3)):
        _, camera = play(acted[:1], portrait=str(tmp_path / "cut_out.png"), record=tmp_path / name)
        assert camera.moments[0].frame.picture.shape == (192, 192, channels)
    assert bytes.fromhex("53c08101") in (tmp_path / "live.webm").read_bytes()[:2000]  # Matroska's AlphaMode
    with ClipReader(tmp_path / "live.mp4") as clip:
        (_, frame), *_ = clip
    assert frame[:, :32].min() > 245
    assert frame[:, 48:].mean() < 200


def test_a_camera_that_is_pulled_out_leaves_what_was_recorded(
    play: Play, acted: list[np.ndarray], tmp_path: Path
) -> None:
    with pytest.raises(CameraError, match=r"a patient camera is gone; .*live\.mp4 has what came before"):
        play(acted[:4], ends=False, record=tmp_path / "live.mp4")
    with ClipReader(tmp_path / "live.mp4") as clip:
        assert clip.info.frames == 4
    assert [path.name for path in tmp_path.iterdir()] == ["live.mp4"]


class Watching:
    """An output of somebody who wishes something after so many frames, who never sees a `broken` one."""

    def __init__(self, wishes: dict[int, Wish], broken: bool = False) -> None:
        self._wishes, self._broken, self.frames = wishes, broken, 0

    def show(self, moment: Moment) -> None:
        self.frames += 1
        if self._broken:
            raise ClipError("the disk is full")

    def wishes(self) -> Collection[Wish]:
        wish = self._wishes.pop(self.frames, None)
        return () if wish is None else (wish,)


def with_session(
    animator: PortraitAnimator, camera: Patient, watching: Watching, stopped: Callable[[], bool] = bool
) -> tuple[Relayed, LiveSession]:
    with animator.live(portrait_path("bundled:ada"), size=128) as session:
        return relay(camera, session, [camera, watching], stopped, lambda figures: None), session


def test_wishes_of_who_watches(
    animator: PortraitAnimator, acted: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    camera = Patient(acted)
    monkeypatch.setattr(LiveSession, "recalibrate", lambda session: asked.append(len(camera.moments)))
    relayed, _ = with_session(animator, camera, Watching({2: "recalibrate", 3: "end"}))
    assert asked == [2]
    assert relayed.delivered == 3


def test_it_ends_where_that_is_asked_for_from_outside(
    animator: PortraitAnimator, acted: list[np.ndarray]
) -> None:
    camera = Patient(acted)
    relayed, _ = with_session(animator, camera, Watching({}), lambda: len(camera.moments) == 2)
    assert relayed.delivered == 2
    assert relayed.seconds == pytest.approx(0.2)


def test_nothing_of_a_recording_stays_where_an_output_fails(
    animator: PortraitAnimator, acted: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = Patient(acted)
    monkeypatch.setattr(broadcast, "open_source", lambda request: camera)
    request = LiveRequest(portrait="bundled:ada", size=128, show=False, record=tmp_path / "live.mp4")
    opened = Broadcast(request, load=lambda choice: animator)
    opened._outputs += [camera, Watching({}, broken=True)]
    with pytest.raises(ClipError, match="the disk is full"), opened:
        opened.run()
    assert list(tmp_path.iterdir()) == []


def never(choice: ModelChoice) -> PortraitAnimator:
    pytest.fail("the model was loaded though something cannot be used")


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"portrait": "nowhere.png"}, Exception, "there is no file nowhere"),
        ({"camera": "nowhere.mp4"}, ClipError, "there is no file nowhere"),
        ({"camera": "97"}, CameraError, "camera 97"),
        ({"record": Path("no/such/live.mp4")}, ClipError, "there is no folder no/such"),
        ({"record": Path("live.avi")}, ClipError, "must end in"),
        ({"face": 2}, FaceNotFound, "only 1 face"),
    ],
)
def test_what_cannot_be_used_is_told_before_the_model_is_loaded(
    asked: dict[str, object],
    error: type[Exception],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"portrait": "bundled:ada", "record": Path("live.mp4"), "show": False, **asked}
    with pytest.raises(error, match=words), Broadcast(LiveRequest(**given), load=never):  # type: ignore[arg-type]
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_portrait_is_shown_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fastapi", reason="the page needs FastAPI")
    request = LiveRequest(portrait="bundled:ada")
    for opens, expected in ((True, "window"), (False, "page")):
        monkeypatch.setattr(broadcast, "can_open", lambda opens=opens: opens)
        assert place_to_show(request) == expected
        assert place_to_show(LiveRequest(portrait="bundled:ada", page=True)) == "page"
    assert place_to_show(LiveRequest(portrait="a.png", show=False, virtual_camera=True)) is None


def test_neither_window_nor_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "can_open", lambda: False)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    monkeypatch.delitem(sys.modules, "followyouremoji.broadcast.page", raising=False)
    monkeypatch.delattr("followyouremoji.broadcast.page", raising=False)
    with pytest.raises(
        SettingsError, match=r"no window can be opened here.*'followyouremoji\[web\]'"
    ) as refused:
        place_to_show(LiveRequest(portrait="bundled:ada"))
    assert refused.value.settings == ("show",)
