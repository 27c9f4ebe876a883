"""`fye data` as a user runs it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from followyouremoji.apps.data import data_app
from followyouremoji.errors import DataError, PictureError, SettingsError
from tests.data.samples import write_shard, write_talk


def data(*arguments: object) -> Result:
    return CliRunner().invoke(data_app, [str(argument) for argument in arguments])


def test_prepare_and_inspect_a_folder(tmp_path: Path) -> None:
    pytest.importorskip("skia", reason="the clip is drawn, which needs skia")
    clips, out, sheet = tmp_path / "clips", tmp_path / "out", tmp_path / "sheet.png"
    clips.mkdir()
    write_talk(clips / "talk.mp4", 8)
    (clips / "broken.mp4").write_bytes(b"nothing" * 100)
    ended = data("prepare", clips, out, "--size", 64, "--face-size", 60, "--min-frames", 6)
    assert ended.exit_code == 0, ended.output
    assert "1 clips, 8 frames in 1 shards, from 2 files" in ended.output
    assert "broken.mp4" in ended.output
    report = (out / "report" / "report.md").read_text()
    assert "`broken.mp4`" in report
    ended = data("inspect", out, "--check", "--sheet", sheet)
    assert ended.exit_code == 0, ended.output
    assert "1 clips of 64x64 pixels in 1 shards, 8 frames" in ended.output
    assert "Every clip can be read" in ended.output
    assert sheet.is_file()
    assert isinstance(data("inspect", out, "--sheet", sheet).exception, PictureError)


def test_what_is_wrong_is_said_before_anything_is_written(tmp_path: Path) -> None:
    empty, out = tmp_path / "empty", tmp_path / "out"
    empty.mkdir()
    for arguments, error, words in (
        ((empty, out), DataError, "No clip was found"),
        ((tmp_path / "nowhere", out), DataError, "There is no folder"),
        ((empty, out, "--size", 100), SettingsError, "multiple of 8"),
        ((empty, out, "--yaw", 200), SettingsError, "`yaw`"),
    ):
        ended = data("prepare", *arguments)
        assert isinstance(ended.exception, error)
        assert words in str(ended.exception)
        assert not out.exists()


def test_inspect_names_a_damaged_clip(tmp_path: Path) -> None:
    write_shard(tmp_path / "shard-000000.tar", [5, 4])
    assert data("inspect", tmp_path, "--check").exit_code == 0
    shard = tmp_path / "shard-000000.tar"
    content = bytearray(shard.read_bytes())
    content[512:700] = bytes(188)  # the beginning of the first frame
    shard.write_bytes(content)
    ended = data("inspect", tmp_path, "--check")
    assert isinstance(ended.exception, DataError)
    assert "frame 0 of clip-0" in str(ended.exception)
