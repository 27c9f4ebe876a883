"""Every block of commands or Python in the pages that tell how to do something runs as it is written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.docs.snippets import DOCS, NEEDS, SLOW, run, snippets

FOLDERS = ("guides", "how", "formats")
PAGES = [DOCS / "index.md", *sorted(page for folder in FOLDERS for page in DOCS.glob(f"{folder}/*.md"))]


def pages(*, slow: bool) -> list[object]:
    """Pages of which some block is run: for the slow tests those with a slow one, else the others."""
    found = []
    for page in PAGES:
        blocks = [block for block in snippets(page) if block.runs]
        if blocks and any(block.slow for block in blocks) == slow:
            found.append(pytest.param(page, id=page.relative_to(DOCS).as_posix()))
    return found


def test_titles_say_what_a_block_needs() -> None:
    for page in PAGES:
        for block in snippets(page):
            titled = block.language == "json" or block.title.startswith((NEEDS, SLOW))
            assert block.title == "" or titled, f"{block.place}: {block.title}"


@pytest.mark.parametrize("page", pages(slow=False))
def test_blocks_run(page: Path, material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_page(page, material, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("page", pages(slow=True))
def test_blocks_that_take_minutes_run(
    page: Path, material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_page(page, material, tmp_path, monkeypatch)


def run_page(page: Path, material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(material, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FYE_HOME", str(tmp_path / "home"))
    names: dict[str, object] = {}
    for block in snippets(page):
        if block.runs:
            run(block, folder, names)
