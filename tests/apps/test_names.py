"""Files and folders are called as their owners like."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from followyouremoji.requests.bundled import EXAMPLES, portrait_path
from tests.apps.conftest import Run

NAMES = {
    "punctuation": "a 'b' \"c\" %04d*{}$HOME",
    "another script": "名前 😀 é",
    "a line's end": "new\nline",
    "an option": "--overwrite",
    "255 bytes": "é" * 125,
    "a protocol": "http:x",
    "no text": "caf\udce9",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_any_name_is_taken(fye: Run, name: str) -> None:
    """As a portrait's, a motion's, a folder's and an output's."""
    folder = Path(name)
    try:
        folder.mkdir()
    except (OSError, UnicodeError):
        pytest.skip("no such names here")
    portrait, motion, made = (folder / f"{name}{ending}" for ending in (".png", "", ".jpg"))
    shutil.copyfile(portrait_path("bundled:ada"), portrait)
    motion = motion.with_name(f"{name[:110]}.fyemotion")
    shutil.copyfile(EXAMPLES / "hello.fyemotion", motion)
    ended = fye("motion", "preview", "--stop", 1, "--", portrait, motion, made)
    assert ended.code == 0, ended.err
    assert sorted(folder.iterdir()) == sorted((portrait, motion, made))
    assert fye("motion", "info", "--", motion).code == 0


def test_names_that_differ_in_case_alone_are_two(fye: Run) -> None:
    Path("Ada.png").touch()
    if Path("ada.png").exists():
        pytest.skip("a file system where they are one")
    assert fye("motion", "preview", "--stop", 1, "bundled:ada", "bundled:hello", "ada.png").code == 0
    assert Path("Ada.png").stat().st_size == 0


@pytest.mark.slow
def test_an_animation_is_called_as_its_owner_likes(fye: Run) -> None:
    portrait, made = Path("-a\nb.png"), Path(f"-{'é' * 120}.webp")
    shutil.copyfile(portrait_path("bundled:ada"), portrait)
    ended = fye("animate", "--stop", 2, "--output", f"./{made}", "--", portrait, "bundled:hello")
    assert ended.code == 0, ended.err
    assert made.stat().st_size > 0
