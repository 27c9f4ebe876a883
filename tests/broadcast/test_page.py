"""The page that shows a live portrait: its streams, its wishes, and who may ask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from io import BytesIO
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the page needs FastAPI")
pytest.importorskip("uvicorn", reason="the page needs uvicorn")

from followyouremoji.broadcast.page import Page
from followyouremoji.serving import LOCAL, listen
from tests.broadcast.moments import moment
from tests.browser import chromium

PATIENCE = 60.0  # seconds, on a busy machine


@pytest.fixture
def page() -> Iterator[Page]:
    still = np.full((48, 64, 3), 30, np.uint8)
    with listen(LOCAL, 0) as listening, Page("ada <b>", still, listening) as opened:
        yield opened


def asked(page: Page, method: str, path: str, **headers: str) -> HTTPResponse:
    connection = HTTPConnection(urlsplit(page.address).netloc, timeout=PATIENCE)
    connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
    return connection.getresponse()


class Stream:
    """Pictures that replace each other, read as a browser does."""

    def __init__(self, answer: HTTPResponse) -> None:
        kind, _, boundary = (answer.getheader("content-type") or "").partition("; boundary=")
        assert kind == "multipart/x-mixed-replace"
        self._head = f"--{boundary}\r\nContent-Type: image/jpeg\r\n\r\n".encode()
        self._answer = answer
        assert answer.read(len(self._head)) == self._head

    def next(self) -> np.ndarray:
        """The next picture, which is whole when the next one's head is there."""
        content = b""
        while not content.endswith(b"\r\n" + self._head):
            piece = self._answer.read1()
            assert piece, "the stream has ended"
            content += piece
        return np.asarray(Image.open(BytesIO(content.split(b"\r\n" + self._head)[-2])))

    def rest(self) -> bytes:
        return self._answer.read()


def test_frames_are_streamed_as_they_come_and_the_stream_ends_with_the_page() -> None:
    still, frame = np.full((48, 64, 3), 30, np.uint8), np.zeros((48, 64, 3), np.uint8)
    frame[..., 0] = 200
    with listen(LOCAL, 0) as listening, Page("ada", still, listening) as page:
        stream = Stream(asked(page, "GET", "/portrait"))
        assert stream.next() == pytest.approx(still, abs=2)
        page.show(moment(picture=frame))
        shown = stream.next()
        assert shown.shape == frame.shape
        assert shown.mean((0, 1)) == pytest.approx([200, 0, 0], abs=4)
        camera = Stream(asked(page, "GET", "/camera"))
        assert camera.next().mean((0, 1)) == pytest.approx([200, 40, 40], abs=4)
    assert stream.rest() == camera.rest() == b""


def test_who_is_slow_sees_the_newest(page: Page) -> None:
    stream = Stream(asked(page, "GET", "/portrait"))
    stream.next()
    for brightness in range(40, 240):
        page.show(moment(picture=brightness))
    seen = [round(stream.next().mean())]
    while seen[-1] < 237:
        seen.append(round(stream.next().mean()))
    assert seen == sorted(seen)


def test_transparent_frames_lie_on_white(page: Page) -> None:
    page.show(moment(picture=np.zeros((48, 64, 4), np.uint8)))
    assert Stream(asked(page, "GET", "/portrait")).next().min() > 250


def test_what_a_camera_of_high_definition_sees_is_sent_small(page: Page) -> None:
    page.show(moment(seen=np.full((1080, 1920, 3), (20, 160, 60), np.uint8)))
    shown = Stream(asked(page, "GET", "/camera")).next()
    assert shown.shape == (240, 427, 3)
    assert shown.mean((0, 1)) == pytest.approx([20, 160, 60], abs=4)


def test_figures_and_wishes(page: Page) -> None:
    assert json.loads(asked(page, "GET", "/figures").read()) == {"line": ""}
    page.show(moment())
    line = json.loads(asked(page, "GET", "/figures").read())["line"]
    assert line == "live, 24.6 frames a second, 0.18 s behind"
    assert list(page.wishes()) == []
    assert asked(page, "POST", "/wishes/recalibrate", origin=page.address.rstrip("/")).status == 204
    assert asked(page, "POST", "/wishes/end").status == 204
    assert list(page.wishes()) == ["recalibrate", "end"]
    assert list(page.wishes()) == []


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/portrait", {"host": "evil.example"}, 400),  # a name that somebody had lead here
        ("POST", "/wishes/end", {"host": "evil.example"}, 400),
        ("POST", "/wishes/end", {"origin": "http://evil.example"}, 403),
        ("POST", "/wishes/end", {"origin": "null"}, 403),
        ("POST", "/wishes/dance", {}, 422),
        ("GET", "/wishes/end", {}, 405),
        ("GET", "/docs", {}, 404),
        ("GET", "/../portrait", {}, 404),
    ],
)
def test_what_nobody_may_ask(
    page: Page, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    assert asked(page, method, path, **headers).status == status
    assert list(page.wishes()) == []


def test_answers_say_that_no_other_page_may_use_them(page: Page) -> None:
    for path in ("/", "/portrait", "/figures"):
        answer = asked(page, "GET", path)
        assert answer.status == 200
        assert answer.getheader("cross-origin-resource-policy") == "same-origin"
        assert answer.getheader("x-frame-options") == "DENY"
        assert answer.getheader("cache-control") == "no-store"
    assert b"ada &lt;b&gt;" in asked(page, "GET", "/").read()


def test_in_a_browser(page: Page) -> None:
    with chromium() as browser:
        tab = browser.new_page()
        problems: list[str] = []
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
        page.show(moment())
        tab.goto(page.address)
        for picture, width in (("portrait", 64), ("camera", 40)):
            wide = f"document.getElementById('{picture}').naturalWidth"
            while tab.evaluate(wide) != width:
                tab.wait_for_timeout(20)
        tab.get_by_text("live, 24.6 frames a second").wait_for()
        tab.keyboard.press(" ")
        with tab.expect_response("**/wishes/end"):
            tab.get_by_role("button", name="End").click()
        assert list(page.wishes()) == ["recalibrate", "end"]
        page.__exit__(None, None, None)
        tab.get_by_text("Ended").wait_for()
        assert tab.get_by_role("button", name="End").is_disabled()
        assert [line for line in problems if "ERR_CONNECTION_REFUSED" not in line] == []
