"""The tab Live in a browser, before a camera that films a face which opens its mouth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from followyouremoji.face.alignment import AlignmentSettings
from followyouremoji.posing import PoseSession
from followyouremoji.requests.bundled import portrait_path
from tests.browser import chromium
from tests.studio.conftest import Served
from tests.studio.test_poses import ada, mouth_box

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

RATE = 30  # of a film of JPEGs, which Chromium takes for a camera's
FILM = [({}, 2 * RATE), ({"mouth_open": 0.5, "yaw": 5.0}, 2), ({"mouth_open": 1.0, "yaw": 10.0}, 2 * RATE), ({"mouth_open": 0.5, "yaw": 5.0}, 2)]
"""Poses of who is before the camera, and frames of each."""


@pytest.fixture(scope="module")
def film(studio: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the camera sees, again and again."""
    session = PoseSession(studio.studio.animator, portrait_path("bundled:ada"), portrait_landmarks=ada())
    file = tmp_path_factory.mktemp("camera") / "film.mjpeg"
    with file.open("wb") as opened:
        for pose, frames in FILM:
            picture = session.picture(session.own, AlignmentSettings(portrait_expression="keep", pose=pose))
            written = BytesIO()
            Image.fromarray(picture).resize((320, 320)).save(written, "JPEG", quality=90)
            opened.write(frames * written.getvalue())
    return file


@pytest.fixture(scope="module")
def browser(film: Path) -> Iterator[Browser]:
    with chromium(
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    ) as opened:
        yield opened


@pytest.fixture
def tab(page: Page) -> Page:
    page.get_by_role("tab", name="Live").click()
    page.locator(".fye-live-out img").wait_for()
    return page


def test_smoke(tab: Page) -> None:
    tab.get_by_role("button", name="Start the camera").click()
    tab.locator("[data-state=live]").wait_for()
    tab.wait_for_timeout(4000)
    tab.screenshot(path="/tmp/wt/page-tmp/live.png")
