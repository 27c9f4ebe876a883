"""`fye live` as a user runs it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

pytest.importorskip("mediapipe")

from followyouremoji.apps.cli import app
from followyouremoji.apps.live import ending
from followyouremoji.apps.output import status_line
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.writing import ClipWriter
from tests.apps.conftest import Run
from tests.apps.test_bad_input import assert_refused
from tests.media.synthetic import heard_onsets, write_clip
from tests.programs import environment

PATIENCE = 120.0  # seconds, on a busy machine


def test_a_clip_moves_a_portrait_and_its_sound_stays(fye: Run, clip: Path) -> None:
    """Five frames are soon over: who answers none of them in time has recorded the portrait at rest."""
    ended = fye("live", "bundled:ada", "--camera", clip, "--no-show", "--record", "live.mp4", "--size", 128)
    assert ended.code == 0, ended.err
    where, came = ended.out.splitlines()
    assert where == "Live. Ctrl-C ends it."
    assert came.startswith("0.2 s: ")
    assert came.endswith("live.mp4: recorded with sound.")
    with ClipReader("live.mp4") as made:
        assert (made.info.size, made.info.frames, made.info.frame_rate) == ((128, 128), 5, 25.0)
        assert made.info.has_sound
    assert heard_onsets(Path("live.mp4"))[0] == pytest.approx(0.0, abs=0.05)
    assert [path.name for path in Path().iterdir()] == ["live.mp4"]


def test_ctrl_c_finishes_the_recording(tmp_path: Path) -> None:
    with ClipWriter(tmp_path / "meadow.mp4", 5.0, (96, 64)) as writer:
        for _ in range(5 * 60):
            writer.write(np.full((64, 96, 3), (90, 120, 90), np.uint8))
    command = [sys.executable, "-m", "followyouremoji", "live", "bundled:ada", "--camera", "meadow.mp4"]
    process = subprocess.Popen(
        [*command, "--no-show", "--record", "live.webm", "--size", "64"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "Live. Ctrl-C ends it.\n"
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 0
    assert printed.endswith("live.webm: recorded.\n")
    with ClipReader(tmp_path / "live.webm") as made:
        assert made.info.size == (64, 64)
        assert made.info.duration < 30.0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["live.webm", "meadow.mp4"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_wish_and_the_second_does_what_it_did_before(how: signal.Signals) -> None:
    came: list[int] = []
    before = signal.signal(how, lambda number, frame: came.append(number))
    try:
        with ending() as ended:
            assert not ended.is_set()
            signal.raise_signal(how)
            assert ended.is_set()
            assert came == []
            signal.raise_signal(how)
            assert came == [how]
        signal.raise_signal(how)
        assert came == [how, how]
    finally:
        signal.signal(how, before)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--camera", 97), ("camera 97", "(--camera)")),
        (("--camera", "nowhere.mp4"), ("there is no file nowhere.mp4",)),
        (("--camera", "text.mp4"), ("text.mp4",)),
        (("--record", "there.mp4"), ("there.mp4 exists already", "--overwrite")),
        (("--record", "live.avi"), ("live.avi", ".mp4, .webm")),
        (("--points", "points.json", "--face", 1), ("points on a face", "--points, --face")),
        (("--page",), ("either shown on a page or not", "--page, --no-show")),
        (("--weights", "nowhere"), ("no checkpoint 'nowhere'",)),
        (("--pose", "smile=0.4", "--head", "absolute"), ("--pose, --head",)),
        (("--pose", "smil=1"), ("did you mean smile", "(--pose)")),
    ],
)
def test_bad_input_is_told_in_a_line(
    fye: Run, clip: Path, options: tuple[object, ...], words: tuple[str, ...]
) -> None:
    Path("text.mp4").write_text("not a clip\n" * 20)
    Path("there.mp4").write_text("precious")
    given = [*("--camera", clip, "--record", "live.mp4"), *options]
    assert_refused(fye("live", "bundled:ada", "--no-show", *given), *words)
    assert sorted(path.name for path in Path().iterdir()) == ["text.mp4", "there.mp4"]
    assert Path("there.mp4").read_text() == "precious"


def test_portraits_that_cannot_be_used(fye: Run, clip: Path) -> None:
    write_clip(Path("meadow.mp4"), frames=3)
    given = ("--camera", clip, "--no-show", "--record", "live.mp4")
    assert_refused(fye("live", "nowhere.png", *given), "there is no file nowhere.png")
    assert_refused(fye("live", "bundled:nobody", *given), "'nobody'", "bundled:ada")
    assert_refused(fye("live", "meadow.mp4", *given), "meadow.mp4")


def test_values_out_of_range_are_usage_errors(fye: Run) -> None:
    for option in (("--size", 32), ("--size", 4096), ("--port", -1), ("--mouth", 9)):
        ended = fye("live", "bundled:ada", *option)
        assert ended.code == 2
        assert option[0] in ended.err
    assert_refused(fye("live", "bundled:ada", "--no-show"), "nobody would see the portrait", "--record")


def test_a_terminal_shows_how_it_goes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with status_line() as tell:
        tell("nobody sees this")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(Console, "is_terminal", True)
    with status_line() as tell:
        tell("live [b], 24.6 frames a second")
    assert "live [b], 24.6 frames a second" in capsys.readouterr().err


def test_help_names_the_ways_to_end_it(fye: Run) -> None:
    said = fye("live", "--help").out
    assert "Ctrl-C" in said
    assert "fye live me.jpg --virtual-camera" in " ".join(said.split())
    assert any(command.callback.__name__ == "live" for command in app.registered_commands if command.callback)
