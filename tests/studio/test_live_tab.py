"""The tab Live in a browser, before a camera that films a face which opens and closes its mouth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from followyouremoji.media.pictures import read_picture
from followyouremoji.media.writing import ClipWriter
from followyouremoji.requests.bundled import portrait_path
from tests.browser import chromium
from tests.studio.conftest import Served
from tests.studio.test_live import OPEN, filmed, opened
from tests.studio.test_poses import mouth_box

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CALM, TALK = 75, 6
"""Frames of a face at rest, and how often it opens its mouth then, of a film of JPEGs, 30 frames a second."""

SIDE = 256

LISTEN = """() => {
  const line = document.querySelector(".fye-live-state");
  window.said = [];
  new MutationObserver(() => window.said.push(line.textContent)).observe(line, { childList: true });
}"""
"""Have a page remember what it says of its state, however soon it says something else."""

WATCH = f"""() => {{
  const canvas = document.querySelector("#fye-live canvas");
  const part = (left, top, right, bottom) => {{
    const {{ data }} = canvas.getContext("2d").getImageData(left, top, right - left, bottom - top);
    return data;
  }};
  const seen = () => [part({", ".join(str(side * SIDE // 512) for side in mouth_box())}), part(0, 0, 12, 12)];
  const apart = (some, others) => some.reduce((sum, one, place) => sum + Math.abs(one - others[place]), 0) / some.length;
  const first = seen();
  window.moved = [0, 0]; // how far the mouth, and a corner, have been from what they were at first
  setInterval(() => {{
    window.moved = seen().map((one, place) => Math.max(window.moved[place], apart(one, first[place])));
  }}, 50);
}}"""


@pytest.fixture(scope="module")
def film(studio: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the camera sees, again and again."""
    at_rest, opening = filmed(studio, {}), filmed(studio, OPEN)
    file = tmp_path_factory.mktemp("camera") / "film.mjpeg"
    file.write_bytes(CALM * at_rest + TALK * (4 * opening + 4 * at_rest))
    return file


@pytest.fixture(scope="module")
def browser(film: Path) -> Iterator[Browser]:
    with chromium(
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    ) as begun:
        yield begun


@pytest.fixture
def tab(page: Page) -> Page:
    page.get_by_role("tab", name="Live").click()
    page.locator(".fye-live-out img").wait_for()
    page.get_by_label("Size").select_option(str(SIDE))
    return page


def start(page: Page) -> None:
    page.get_by_role("button", name="Start the camera").click()


def test_the_portrait_follows_the_camera(tab: Page) -> None:
    tab.evaluate(LISTEN)
    start(tab)
    tab.locator("[data-state=live]").wait_for()
    said = " ".join(tab.evaluate("window.said"))
    assert re.search(
        "Allow the camera.*Looking at the portrait.*Look straight ahead.*it moves as you do", said
    )
    tab.evaluate(WATCH)
    tab.wait_for_function("window.moved[0] > 8")
    assert tab.evaluate("window.moved[1]") < 2.0
    for figure, words in (("rate", r"^\d+\.\d a second$"), ("latency", r"^\d+ ms"), ("dropped", r"^\d+ ")):
        tab.locator(f"[data-figure={figure}]", has_text=re.compile(words)).wait_for()
    tab.get_by_role("button", name="Recalibrate").click()
    tab.get_by_role("group", name="The portrait that moves").get_by_role("button", name="Max").click()
    tab.locator("[data-state=live]").wait_for()
    tab.get_by_role("tab", name="Animate").click()
    tab.get_by_role("tab", name="Live").click()
    tab.get_by_role("button", name="Start the camera").wait_for()  # out of sight, it has stopped
    assert tab.get_by_role("button", name="Max", exact=True).last.get_attribute("aria-pressed") == "true"


def test_who_comes_second_waits(tab: Page, client: TestClient) -> None:
    with opened(client) as other:
        other.until("state", "ready")
        start(tab)
        tab.get_by_text("Another visitor is live, and you are next.").wait_for()
    tab.get_by_role("button", name="Recalibrate").wait_for()  # it is this one's turn


def test_a_clip_takes_the_place_of_a_camera(tab: Page, tmp_path: Path) -> None:
    picked = tab.get_by_label("A clip of a face")
    (words := tmp_path / "words.mp4").write_bytes(b"no clip at all")
    picked.set_input_files(words)
    tab.get_by_text("words.mp4 cannot be played by this browser.").wait_for()
    picture = read_picture(portrait_path("bundled:max"))
    with ClipWriter(tmp_path / "max.mp4", 25.0, (512, 512)) as writer:
        for _ in range(50):
            writer.write(picture)
    picked.set_input_files(tmp_path / "max.mp4")
    tab.locator("[data-state=live]").wait_for()
    assert not tab.get_by_label("Mirrored").is_checked()


def test_a_broken_connection_can_be_tried_again(page: Page) -> None:
    page.route_web_socket("**/studio/live", lambda socket: socket.close())
    page.reload()  # from when on it counts
    page.get_by_role("tab", name="Live").click()
    start(page)
    page.get_by_role("alert").get_by_text("The connection to the studio broke.").wait_for()
    page.get_by_role("button", name="Try again").wait_for()
    assert not page.locator(".fye-live-own video").is_visible()  # the camera is off


REFUSED = {
    "NotAllowedError": "The browser does not let this page use the camera",
    "NotFoundError": "No camera was found.",
    "": "Browsers give a camera to pages of this machine and to those with https only",
}
"""What is said, by what a browser says; one that is asked from elsewhere without https has nothing to be asked."""


def test_without_a_camera_it_says_why(tab: Page) -> None:
    devices = "Object.defineProperty(navigator, 'mediaDevices', { configurable: true, value: %s })"
    for reason, words in REFUSED.items():
        refuse = f"{{ getUserMedia: () => Promise.reject(new DOMException('', '{reason}')) }}"
        tab.evaluate(devices % (refuse if reason else "undefined"))
        start(tab)
        tab.get_by_role("alert").get_by_text(words).wait_for()
        tab.get_by_role("button", name="Try again").wait_for()
