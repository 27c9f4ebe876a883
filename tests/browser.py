"""A real browser for the pages, where there is one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "google-chrome")


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """An installed Chromium, led by Playwright; skips the test where either is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="browsers are led by Playwright")
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no chromium and no google-chrome is installed, so nobody can open the page")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=["--no-sandbox", *flags])
        yield opened
        opened.close()
