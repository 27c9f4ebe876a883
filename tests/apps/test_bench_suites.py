"""`fye bench build`, `check` and `list` as a user runs them."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

pytest.importorskip("skia", reason="portraits are drawn, which needs skia")

from followyouremoji.apps import bench_suites
from followyouremoji.benchmark.building import NothingAccepted
from followyouremoji.benchmark.named import drawn_suite
from followyouremoji.benchmark.suite import Suite
from followyouremoji.errors import DataError, SettingsError
from tests.benchmark.suites import draw_face, draw_smile, write_clip, write_picture

app = typer.Typer()
app.command()(bench_suites.build)
app.command()(bench_suites.check)
app.command("list")(bench_suites.list_)


def bench(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given")
    write_picture(folder / "faces" / "cartoon" / "eve.png", draw_face(3))
    write_picture(folder / "faces" / "people" / "ada.png", draw_face(17))
    (folder / "faces" / "people" / "broken.png").write_bytes(b"nothing")
    write_clip(folder / "moves" / "smile" / "first.mkv", draw_smile(17))
    write_clip(folder / "moves" / "smile" / "second.mkv", draw_smile(3))
    return folder


def test_build_check_and_list(given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FYE_HOME", str(tmp_path / "home"))
    suite = tmp_path / "suite"
    folders = ("--portraits", given / "faces", "--clips", given / "moves")
    ended = bench(
        "build", suite, *folders, "--size", 128, "--cross", "all", "--licence", "CC0", "--frames", 4
    )
    assert ended.exit_code == 0, ended.output
    assert "Refused: 1 file." in ended.output
    assert "faces/people/broken.png  the file is not a picture that can be read" in ended.output
    assert f"{suite}: 2 portraits, 2 clips, 6 pairs." in ended.output

    ended = bench("check", suite)
    assert ended.exit_code == 0, ended.output
    assert "6 pairs. Every file is as the manifest says." in ended.output
    (suite / "notes.txt").touch()
    assert "also holds notes.txt" in bench("check", suite).output
    for path in ("clips/first.mkv", "portraits/ada.png"):
        (suite / path).unlink()
    ended = bench("check", suite)
    assert isinstance(ended.exception, DataError)
    assert "portraits/ada.png is missing" in ended.output
    assert "clips/first.mkv is missing" in ended.output
    assert "2 problems" in str(ended.exception)

    shutil.copytree(suite, drawn_suite("drawn").folder)
    shutil.copytree(suite, drawn_suite("drawn").folder.with_name("drawn-0123456789ab"))
    listed = bench("list", suite).output
    assert "drawn: drawn, " in listed
    assert "drawn-mini: not drawn yet" in listed
    assert "portraits  2 (1 cartoon, 1 people)" in listed
    assert "clips      2 (2 smile); 8 frames of 128x128 pixels" in listed
    assert "pairs      2 self, 4 cross, 0 of these with their true result" in listed
    assert "licences   4 (4 CC0)" in listed
    assert "drawn-0123456789ab was drawn by another version" in listed


def test_what_is_wrong_is_said_and_nothing_is_written(given: Path, tmp_path: Path) -> None:
    suite, faces, moves = tmp_path / "suite", given / "faces", given / "moves"
    without = bench("build", suite)
    assert (without.exit_code, "Missing option '--clips'" in without.output) == (2, True)
    for arguments, error, words in (
        ((suite, "--clips", moves, "--cross", "-1"), SettingsError, "--cross"),
        ((suite, "--clips", moves, "--cross", "many"), SettingsError, "not 'many'"),
        ((suite, "--clips", moves, "--size", 32), SettingsError, "`size`"),
        ((suite, "--clips", tmp_path / "nowhere"), DataError, "There is no folder"),
        ((tmp_path / "no" / "suite", "--clips", moves), DataError, "there is no folder"),
        ((given, "--clips", moves), DataError, "is not replaced"),
        ((suite, "--clips", faces), NothingAccepted, "No clip can be used (3 refused"),
    ):
        ended = bench("build", *arguments)
        assert isinstance(ended.exception, error), ended.output
        assert words in str(ended.exception)
        assert not list(tmp_path.iterdir())
    assert "faces/people/broken.png" in ended.output  # the table, before the error
    assert isinstance(bench("list", tmp_path).exception, DataError)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_build_leaves_nothing_and_the_next_one_clears_up(given: Path, tmp_path: Path) -> None:
    suite = tmp_path / "suite"
    arguments = ["build", str(suite), "--clips", str(given / "moves"), "--size", "128"]
    code = "import sys; from tests.apps.test_bench_suites import app; app(sys.argv[1:])"
    running = subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=Path(__file__).parents[2])
    while not any(path.name.endswith(".part") for path in tmp_path.iterdir()):
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not suite.exists()
    assert bench(*arguments).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["suite"]
    assert len(Suite.read(suite).manifest.clips) == 2
