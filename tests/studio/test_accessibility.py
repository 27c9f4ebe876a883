"""What axe-core finds wrong with the page for people who do not see it, see it badly, or use no mouse, and what is
wider than the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.studio.test_expressions_tab import PICTURED

axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe-core comes with axe-playwright-python"
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}

SETTLED = """() => document.querySelector('[role=tab][aria-selected=true]') && document.getAnimations().every(
    (one) => one.playState === 'finished' || one.effect.getComputedTiming().endTime === Infinity)"""
"""No colour is on its way to another."""


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_every_tab(new_page: Callable[..., Page], width: int, theme: str) -> None:
    page = new_page(f"/?__theme={theme}", viewport={"width": width, "height": 900})
    tabs = page.get_by_role("tab")
    tabs.first.wait_for()
    wrong = []
    for name in tabs.all_inner_texts():
        page.get_by_role("tab", name=name).click()
        if name == "Expressions":
            page.wait_for_function(PICTURED)
        page.wait_for_function(SETTLED)
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wrong.append(f"{name}: wider than {width} pixels")
        for fault in axe.Axe().run(page, options=RULES).response["violations"]:
            for node in fault["nodes"]:
                wrong.append(
                    f"{name}: {fault['id']} ({fault['impact']}): {node['html'][:160]} {node['target']} {node['failureSummary'][:200]}"
                )
    assert wrong == [], "\n".join(wrong)
