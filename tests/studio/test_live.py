"""What the tab Live asks for: a websocket with the camera's pictures one way and the portrait's frames the other."""

from __future__ import annotations

import json
import math
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from starlette.testclient import WebSocketTestSession

from followyouremoji.errors import PictureError, SettingsError
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.posing import PoseSession
from followyouremoji.requests.bundled import portrait_path
from followyouremoji.serving import MOST_MESSAGE
from followyouremoji.studio import live as live_module
from followyouremoji.studio import routes_live
from followyouremoji.studio.live import MOST_WAITING, Live
from followyouremoji.studio.passing import MOST_SIDE, camera_picture, encoded
from followyouremoji.studio.routes_live import ON_THE_WAY
from tests.studio.conftest import PATIENCE, Served, live_socket
from tests.studio.test_poses import ada, mouth_box

ADA, MAX = "bundled:ada", "bundled:max"
SIDE = 128
OPEN = {"mouth_open": 1.0, "yaw": 8.0}


def jpeg(picture: np.ndarray, side: int = 240) -> bytes:
    written = BytesIO()
    Image.fromarray(picture).resize((side, side)).save(written, "JPEG", quality=90)
    return written.getvalue()


def filmed(studio: Served, pose: dict[str, float]) -> bytes:
    """A camera's picture of a face in a pose."""
    session = PoseSession(studio.studio.animator, portrait_path(ADA), portrait_landmarks=ada())
    return jpeg(session.picture(session.own, AlignmentSettings(portrait_expression="keep", pose=pose)))


@pytest.fixture(scope="module")
def faces(studio: Served) -> list[bytes]:
    """A face at rest, and with an open mouth."""
    return [filmed(studio, {}), filmed(studio, OPEN)]


class Camera:
    """The page's side: sends pictures, and takes what comes."""

    def __init__(self, socket: WebSocketTestSession) -> None:
        self.socket = socket
        self.frames: dict[float, np.ndarray] = {}
        self.words: list[dict[str, Any]] = []
        self.time = 0.0

    def receive(self) -> dict[str, Any] | None:
        """What comes next: words, or None where it is a frame."""
        message = self.socket.receive()
        if message["type"] == "websocket.close":
            raise EOFError
        if (content := message.get("bytes")) is not None:
            (at,) = struct.unpack_from("<d", content)
            self.frames[at] = np.asarray(Image.open(BytesIO(content[8:])).convert("RGB"))
            return None
        words: dict[str, Any] = json.loads(message["text"])
        self.words.append(words)
        return words

    def until(self, name: str, value: Any = None) -> dict[str, Any]:
        """Take what comes until some words have an entry, of a value."""
        while True:
            words = self.receive()
            if words is not None and name in words and (value is None or words[name] == value):
                return words

    def push(self, content: bytes, arrived: float | None = None) -> None:
        """Send a picture and wait until it is taken."""
        self.time += 0.04
        latest = max(self.frames, default=math.nan) if arrived is None else arrived
        self.socket.send_bytes(struct.pack("<dd", self.time, latest) + content)
        self.until("taken")

    def film(self, content: bytes, until: Callable[[], bool]) -> None:
        """Push a picture 25 times a second until something is so."""
        end = time.monotonic() + PATIENCE / 1000
        while not until():
            assert time.monotonic() < end
            self.push(content)
            time.sleep(0.04)

    @property
    def state(self) -> str:
        states = [words["state"] for words in self.words if "state" in words]
        return states[-1] if states else ""


@contextmanager
def opened(client: TestClient, **asked: Any) -> Iterator[Camera]:
    with live_socket(client) as socket:
        socket.send_json({"portrait": ADA, "size": SIDE, **asked})
        yield Camera(socket)


def test_the_portrait_opens_its_mouth_as_the_face_before_the_camera_does(
    studio: Served, client: TestClient, faces: list[bytes]
) -> None:
    at_rest, opening = faces
    with opened(client) as camera:
        camera.until("state", "ready")
        camera.film(at_rest, lambda: camera.state == "calibrating" and len(camera.frames) > 0)
        camera.film(at_rest, lambda: camera.state == "live")
        known = len(camera.frames)
        camera.film(at_rest, lambda: len(camera.frames) > known)
        still = camera.frames[max(camera.frames)]
        known = len(camera.frames)
        camera.film(opening, lambda: len(camera.frames) > known + 10)
        moved = camera.frames[max(camera.frames)]
        assert list(camera.frames) == sorted(camera.frames)
        assert still.shape == moved.shape == (SIDE, SIDE, 3)
        assert camera.until("dropped")["dropped"] >= 0
        camera.socket.send_json({"recalibrate": True})
        camera.film(at_rest, lambda: camera.state == "calibrating")
        camera.film(at_rest, lambda: camera.state == "live")
    left, top, right, bottom = (round(side * SIDE / 512) for side in mouth_box())
    changed = np.abs(moved.astype(float) - still).mean(axis=-1)
    assert changed[top:bottom, left:right].mean() > 10.0 > 4.0 * changed[:, :8].mean()
    assert gone(studio.studio.live)


def gone(live: Live) -> bool:
    """Whether nobody is live, soon."""
    end = time.monotonic() + PATIENCE / 1000
    while live.line and time.monotonic() < end:
        time.sleep(0.02)
    return not live.line


def test_no_more_frames_are_sent_than_arrive(client: TestClient, faces: list[bytes]) -> None:
    with opened(client) as camera:
        camera.until("state", "ready")
        for _ in range(4 * ON_THE_WAY):
            camera.push(faces[0], arrived=math.nan)
            time.sleep(0.04)
        camera.until("dropped")
        assert len(camera.frames) <= ON_THE_WAY
        arrived = max(camera.frames)
        camera.film(faces[0], lambda: max(camera.frames) > arrived)


BAD: dict[str, tuple[Callable[[Camera], None], str]] = {
    "no JPEG": (lambda camera: camera.socket.send_bytes(struct.pack("<dd", 1, 0) + b"GIF89a"), "no JPEG"),
    "no picture": (lambda camera: camera.socket.send_bytes(b"x"), "no picture"),
    "no time": (lambda camera: camera.socket.send_bytes(struct.pack("<dd", math.nan, 0) + b"x"), "times"),
    "no words": (lambda camera: camera.socket.send_text("{"), "the request"),
    "no such setting": (lambda camera: camera.socket.send_json({"alignment": {"smile": 1}}), "smile"),
}
"""What a page does not send, and what it is told."""


@pytest.mark.parametrize("kind", BAD)
def test_what_a_page_does_not_send_ends_it(studio: Served, client: TestClient, kind: str) -> None:
    send, words = BAD[kind]
    with opened(client) as camera:
        camera.until("state", "ready")
        send(camera)
        assert words in camera.until("ended")["ended"]
        with pytest.raises(EOFError):
            camera.receive()
    assert gone(studio.studio.live)


def test_pictures_are_judged_before_they_are_decoded() -> None:
    fine = np.random.default_rng(0).integers(0, 255, (64, 48, 3), np.uint8)
    assert camera_picture(encoded(fine)[0]).shape == fine.shape
    bomb = bytearray(jpeg(fine, 16))
    header = bomb.index(b"\xff\xc0") + 5  # start of frame: height and width
    struct.pack_into(">HH", bomb, header, MOST_SIDE + 1, 16)
    with pytest.raises(PictureError, match=f"16x{MOST_SIDE + 1} pixels"):
        camera_picture(bytes(bomb))
    with pytest.raises(PictureError, match="damaged"):
        camera_picture(jpeg(fine)[:200])
    png = BytesIO()
    Image.fromarray(fine).save(png, "PNG")
    with pytest.raises(PictureError, match="no JPEG"):
        camera_picture(png.getvalue())


def test_frames_of_a_transparent_portrait_stay_transparent() -> None:
    layers = np.zeros((32, 24, 4), np.uint8)
    layers[8:16] = 255
    content, media_type = encoded(layers)
    assert media_type == "image/webp"
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(content)))[..., 3], layers[..., 3])


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"portrait": "0" * 32}, "not yours"),
        ({"portrait": "bundled:hello"}, "not yours"),
        ({"size": 100_000}, "`size` must be a whole number from 128 to 1024"),
        ({"face": 2}, "no face 2"),
        ({"alignment": {"head_strength": -1}}, "head_strength"),
        ({"camera": 0}, "camera"),
    ],
)
def test_what_cannot_be_live_is_refused_in_words(
    client: TestClient, asked: dict[str, Any], words: str
) -> None:
    with opened(client, **asked) as camera:
        assert words in camera.until("ended")["ended"]


def test_a_portrait_without_a_face_says_what_helps(client: TestClient) -> None:
    grey = jpeg(np.full((64, 64, 3), 128, np.uint8))
    given = client.post("/studio/materials?kind=portrait&name=grey.jpg", content=grey).json()
    with opened(client, portrait=given["id"]) as camera:
        assert "Place a few points yourself" in camera.until("ended")["ended"]


def test_another_s_portrait_is_unknown(new_client: Callable[..., TestClient]) -> None:
    owner, eve = new_client(), new_client()
    content = portrait_path(ADA).read_bytes()
    portrait = owner.post("/studio/materials?kind=portrait&name=ada.png", content=content).json()["id"]
    with opened(owner, portrait=portrait) as camera:
        camera.until("state")
    with opened(eve, portrait=portrait) as camera:
        assert "not yours" in camera.until("ended")["ended"]


def test_one_visitor_is_live_and_the_next_one_waits(new_client: Callable[..., TestClient]) -> None:
    with opened(new_client()) as first:
        first.until("state", "ready")
        with opened(new_client(), portrait=MAX) as second:
            assert second.until("state") == {"state": "waiting", "before": 1}
            first.socket.close()
            second.until("state", "ready")


def test_a_visitor_who_comes_again_goes_on_there(client: TestClient) -> None:
    with opened(client) as first:
        first.until("state", "ready")
        with opened(client, portrait=MAX) as second:
            assert "another page of yours" in first.until("ended")["ended"]
            second.until("state", "ready")


def test_it_ends_when_no_picture_comes(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_live, "QUIET", 0.3)
    with opened(client) as camera:
        camera.until("state", "ready")
        assert camera.until("ended")["ended"] == "no picture has come for 0.3 s"


def test_a_message_that_is_too_long_is_not_read(studio: Served, client: TestClient) -> None:
    from websockets.exceptions import ConnectionClosedError
    from websockets.sync.client import connect

    client.get("/")
    cookie = f"fye_visitor={client.cookies['fye_visitor']}"
    with connect(
        studio.address.replace("http", "ws") + "/studio/live",
        origin=studio.address,
        additional_headers={"Cookie": cookie},
    ) as socket:
        assert "permessage-deflate" not in socket.response.headers.get("sec-websocket-extensions", "")
        socket.send(b"x" * (MOST_MESSAGE + 1))
        with pytest.raises(ConnectionClosedError) as closed:
            socket.recv(timeout=PATIENCE / 1000)
    assert closed.value.rcvd.code == 1009  # too big


# The line


class Session:
    """Of which only the end matters."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


def test_who_is_alone_may_stay_and_who_is_waited_for_has_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "TURN", -1.0)  # it is over at once
    live = Live()
    ann = live.come("ann")
    session: Any = Session()
    ann.begin(lambda: session)
    assert ann.before() == 0
    bob, cid = live.come("bob"), live.come("cid")
    assert [bob.before(), cid.before()] == [1, 2]
    again = live.come("ann")  # with another portrait, say
    for stay, words in ((ann, "another page"), (again, "others wait")):
        with pytest.raises(SettingsError, match=words):
            stay.before()
    ann.leave()
    again.leave()
    assert session.closed
    assert [bob.before(), cid.before()] == [0, 1]
    assert live.come("ann").before() == 2


def test_the_line_is_bounded() -> None:
    live = Live()
    stays = [live.come(str(number)) for number in range(MOST_WAITING + 1)]
    with pytest.raises(SettingsError, match="too many wait"):
        live.come("one more")
    assert live.come("3").before() == 3  # who waits already keeps the place
    with pytest.raises(SettingsError, match="another page"):
        stays[3].before()
