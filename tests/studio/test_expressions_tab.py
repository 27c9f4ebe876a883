"""The tab Expressions in a browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from followyouremoji.face.alignment import align
from followyouremoji.face.motion import Motion
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.media.clips import ClipReader
from tests.studio.test_poses import SMILE, ada

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURED = "document.querySelector('.fye-made img')?.src.startsWith('blob:')"
PICTURE = "() => document.querySelector('.fye-made img').src"
DRAWN = "() => document.querySelector('.fye-pair canvas').toDataURL()"


@pytest.fixture
def editor(page: Page) -> Page:
    return opened(page)


def opened(page: Page) -> Page:
    page.get_by_role("tab", name="Expressions").click()
    page.wait_for_function(PICTURED)
    return page


def turn_to(page: Page, slider: str, amount: float) -> None:
    """In a panel that has just opened Gradio may put a field's value into it once more, a moment later."""
    field = page.locator(f"#fye-pose-{slider} input[type=number]")

    def stays() -> bool:
        field.fill(str(amount))
        field.press("Tab")
        page.wait_for_timeout(100)
        return float(field.input_value()) == amount

    assert any(stays() for _ in range(20))


def press(page: Page, key: str, times: int) -> None:
    for _ in range(times):
        page.keyboard.press(key)


def test_a_slider_moves_the_landmarks_and_then_the_picture(editor: Page) -> None:
    drawn, picture = editor.evaluate(DRAWN), editor.evaluate(PICTURE)
    turn_to(editor, "yaw", 12.0)
    editor.wait_for_function(f"drawn => ({DRAWN})() !== drawn", arg=drawn)
    editor.wait_for_function(f"picture => ({PICTURE})() !== picture", arg=picture)
    editor.locator(".fye-seconds", has_text=re.compile(r"^\d+\.\d\d s$")).wait_for()
    editor.get_by_role("button", name="Undo").click()
    editor.wait_for_function("document.querySelector('#fye-pose-yaw input[type=number]').value === '0'")
    editor.wait_for_function(f"drawn => ({DRAWN})() === drawn", arg=drawn)


def test_each_eye_looks_by_itself(editor: Page) -> None:
    def shown(slider: str) -> str:
        return f"document.querySelector('#fye-pose-{slider} input[type=number]').value"

    editor.get_by_role("button", name="Right eye's gaze").focus()
    press(editor, "ArrowLeft", 4)
    editor.wait_for_function(f"{shown('gaze_x')} === '-0.2'")
    editor.get_by_label("Both eyes together").uncheck()
    editor.get_by_role("button", name="Left eye's gaze").focus()
    press(editor, "ArrowUp", 2)
    editor.wait_for_function(f"{shown('left_eye_y')} === '0.1'")
    assert editor.evaluate(shown("gaze_x")) == "-0.2"
    editor.get_by_role("button", name="Reset gaze").click()
    editor.wait_for_function(f"{shown('gaze_x')} === '0' && {shown('left_eye_y')} === '0'")


def test_two_keyframes_become_a_motion_and_a_clip(editor: Page, tmp_path: Path) -> None:
    editor.get_by_role("button", name="Add keyframe").click()
    editor.get_by_label("Length").fill("0.4")
    editor.get_by_label("Length").press("Tab")
    editor.get_by_label("Time", exact=True).fill("0.36")
    editor.locator(".fye-time", has_text="0.36 s of").wait_for()
    editor.get_by_role("button", name=re.compile(r"^Mouth\W*$")).click()
    for slider, amount in SMILE.items():
        turn_to(editor, slider, amount)
    editor.get_by_role("button", name="Add keyframe").click()
    editor.get_by_role("button", name="Keyframe 2 at 0.36 s").wait_for()

    editor.get_by_label("Time", exact=True).fill("0")
    editor.locator(".fye-time", has_text="0.00 s of").wait_for()
    editor.get_by_role("button", name="Play").click()
    editor.locator(".fye-time", has_text="0.36 s of").wait_for()

    with editor.expect_download() as download:
        editor.get_by_role("button", name="Download .fyemotion").click()
    motion = Motion.load(Path(download.value.path()).rename(tmp_path / "taken.fyemotion"))
    portrait = ada()
    played = align(motion, portrait, AlignmentSettings(portrait_expression="keep")).points
    rest = motion.rest
    assert rest is not None
    still = Motion(
        landmarks=rest[None],
        timestamps=np.zeros(1),
        frame_rate=25.0,
        size=motion.size,
        source="rest",
        found=np.ones(1, bool),
        rest=rest,
    )
    posed = align(still, portrait, AlignmentSettings(portrait_expression="keep", pose=SMILE)).points
    np.testing.assert_allclose(played[0], portrait.points, atol=0.5)
    np.testing.assert_allclose(played[-1], posed[0], atol=1.5)

    editor.get_by_role("button", name="Make the clip").click()
    with editor.expect_download() as download:
        editor.get_by_role("link", name="Download the clip").click()
    with ClipReader(Path(download.value.path()).rename(tmp_path / "clip.mp4")) as clip:
        frames = [picture for _, picture in clip]
    assert len(frames) == 10
    assert np.abs(frames[-1].astype(float) - frames[0]).mean() > 3.0

    editor.reload()
    opened(editor)
    editor.get_by_role("button", name="Keyframe 2 at 0.36 s").wait_for()
    editor.get_by_role("link", name="Download the clip").wait_for()
