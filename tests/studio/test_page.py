"""The page as a browser shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

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
