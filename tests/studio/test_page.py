"""The page as a browser shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from tests.studio.conftest import Served

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_the_page_wide_and_narrow(new_page: Callable[..., Page], width: int, theme: str) -> None:
    page = new_page(f"/?__theme={theme}", viewport={"width": width, "height": 800})
    page.get_by_role("tab", name="Animate").wait_for()
    page.get_by_role("slider").first.wait_for()
    assert page.title() == "Follow Your Emoji"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.body.classList.contains('dark')") == (theme == "dark")
    assert "fye_visitor" not in page.evaluate("document.cookie")
    assert [cookie["name"] for cookie in page.context.cookies()] == ["fye_visitor"]


def test_the_first_screen_shows_all_that_matters(page: Page) -> None:
    page.locator(".fye-pane-landmarks canvas[aria-label*='over Ada']").wait_for()
    for what in (
        ".fye-pane-landmarks",
        ".fye-animate",
        ".fye-picker.fye-driving",
        "#fye-animate .fye-controls",
    ):
        box = page.locator(what).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 900, what


def test_the_theme_that_was_chosen_stays(page: Page) -> None:
    page.get_by_role("button", name="Switch to the dark theme").click()
    page.reload()
    page.get_by_role("button", name="Switch to the light theme").wait_for()
    assert page.evaluate("document.body.classList.contains('dark')")


def test_tabs_with_nothing_to_show_say_what_they_are_for(page: Page) -> None:
    page.get_by_role("tab", name="Points").click()
    page.locator("#fye-points .fye-invite svg circle").first.wait_for()
    page.get_by_role("tab", name="History").click()
    page.get_by_role("button", name="Animate a portrait").click()
    page.locator(".fye-animate").wait_for()


def test_whether_the_model_is_loaded(studio: Served, client: TestClient) -> None:
    assert studio.studio.animator is not None  # waits for it
    assert client.get("/studio/model").json() == {"loaded": True}
