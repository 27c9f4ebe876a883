"""What a user sees while something is done and there is no terminal."""

import time

import pytest

from followyouremoji.apps import output
from followyouremoji.apps.output import note, progress_bar, progress_line, say, say_table


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "FIRST", 0.02)
    monkeypatch.setattr(output, "EVERY", 0.02)


def test_a_log_shows_that_the_work_goes_on(quick: None, capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("Reading") as advance:
        time.sleep(0.2)
        advance(1, 4)
        time.sleep(0.2)
        advance(2, 4, "Training")
        time.sleep(0.2)
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert lines[0] == "Reading: 0:00:00 so far"
    assert "Reading: 25%, 0:00:00 so far" in lines
    assert lines[-1].startswith("Training: 50%, 0:00:0")
    time.sleep(0.1)
    assert capsys.readouterr().err == "", "the lines end with the work"


def test_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("Animating") as advance:
        advance(1, 1)
    assert capsys.readouterr().err == ""


def test_the_time_left_is_that_of_what_this_run_has_to_do() -> None:
    assert progress_line("Clips", 0, None, 0, 30) == "Clips: 0:00:30 so far"
    assert progress_line("Clips", 25, 100, 0, 30) == "Clips: 25%, 0:00:30 so far, about 0:01:30 left"
    assert progress_line("Clips", 75, 100, 50, 30) == "Clips: 75%, 0:00:30 so far, about 0:00:30 left"
    assert progress_line("Clips", 50, 100, 50, 30) == "Clips: 50%, 0:00:30 so far"


def test_no_text_of_a_file_steers_the_terminal_or_is_markup(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\x1b[2J[red]:heart:[/red]\x9b1m"
    say(f"{text}\nsecond line")
    note(text)
    say_table(("name",), [(text,)])
    printed = capsys.readouterr()
    safe = r"\x1b[2J[red]:heart:[/red]\x9b1m"
    assert [line.rstrip() for line in printed.out.splitlines()] == [safe, "second line", "name", safe]
    assert printed.err.rstrip() == safe
