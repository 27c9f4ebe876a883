"""`fye sticker` as a user runs it, with a small model of random weights."""

from pathlib import Path

import pytest

from followyouremoji.stickers.checking import read_facts, violations
from followyouremoji.stickers.services import SERVICES
from tests.apps.conftest import Run
from tests.apps.test_bad_input import assert_refused

pytest.importorskip("skia", reason="drawn portraits need skia")


def test_a_sticker_without_naming_the_command(fye: Run, model: Path) -> None:
    options = ("--weights", model, "--steps", 1, "--fps", 3, "--for", "slack")
    done = fye("sticker", "bundled:ada", "smile", *options)
    assert done.code == 0, done.err
    path = Path("ada_smile_slack.gif")
    size = path.stat().st_size
    assert done.out.startswith(
        f"{path}: slack, 128x128, 2.0 s at 3 frames a second, {size / 1000:.0f} of 128 kB, GIF of "
    )
    assert violations(read_facts(path), SERVICES["slack"]) == []

    again = fye("sticker", "make", "bundled:ada", "smile", *options)
    assert_refused(again, "ada_smile_slack.gif exists already", "--overwrite")


def test_a_pack(fye: Run, model: Path) -> None:
    options = ("--weights", model, "--steps", 1, "--fps", 3, "--for", "discord-emoji")
    done = fye("sticker", "pack", "bundled:ada", *options, "--only", "kiss", "--only", "sad")
    assert done.code == 0, done.err
    folder = Path("ada_stickers/discord-emoji")
    assert done.out.startswith(f"{folder}: 2 stickers, 128x128, the largest ")
    assert {path.name for path in folder.iterdir()} == {
        "README.txt",
        "ada_kiss.gif",
        "ada_sad.gif",
        "contact_sheet.png",
        "names.txt",
    }


@pytest.mark.slow
def test_one_service_of_two_that_fails(fye: Run, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    monkeypatch.setitem(SERVICES, "gif", replace(SERVICES["gif"], least_frames=100))
    options = ("--weights", model, "--steps", 1, "--fps", 3, "--for", "slack", "--for", "gif")
    done = fye("sticker", "bundled:ada", "smile", *options)
    assert done.code == 2
    assert done.out.startswith("ada_smile_slack.gif: slack")
    assert "Error: gif: " in done.err
    assert [path.name for path in Path().iterdir()] == ["ada_smile_slack.gif"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("bundled:ada", "smile"), ("say what the result is for", "telegram", "--for")),
        (("bundled:ada", "smile", "--for", "icq"), ("'icq' is not known", "--for")),
        (("bundled:ada", "nowhere.mp4", "--for", "slack"), ("nowhere.mp4",)),
        (("nowhere.png", "smile", "--for", "slack"), ("nowhere.png",)),
        (("bundled:ada", "smile", "--for", "slack", "-o", "a.png"), ("a.png", ".gif")),
        (
            ("bundled:ada", "smile", "--for", "slack", "--for", "gif", "-o", "a.gif"),
            ("folder", "--output", "--for"),
        ),
        (("bundled:ada", "smile", "--for", "slack", "--caption", "A", "--font", "no.ttf"), ("no.ttf",)),
        (("pack", "bundled:ada", "--for", "slack", "--only", "dance"), ("dance", "wink_left", "--only")),
        (("pack", "bundled:ada", "--for", "line", "--only", "smile"), ("at least 8", "--only")),
    ],
)
def test_what_cannot_be_used(fye: Run, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert_refused(fye("sticker", *arguments), *words)
    assert list(Path().iterdir()) == []


def test_help_names_both_commands(fye: Run) -> None:
    assert all(word in fye("sticker", "--help").out for word in ("make", "pack", "--for SERVICE"))
    assert all(
        word in fye("sticker", "make", "-h").out
        for word in ("--for", "--background", "--caption", "--outline")
    )
