"""Reports of errors that nobody foresaw hold what is needed, are few, and are never an error themselves."""

import re
from pathlib import Path

import pytest

from followyouremoji import crashes
from followyouremoji.crashes import KEPT, sentence, write_report
from followyouremoji.version import __version__


class Silent(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def failed(error: Exception) -> Exception:
    """An error with a traceback."""
    try:
        raise error
    except Exception as caught:
        return caught


def test_a_report_holds_traceback_command_and_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FYE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["fye", "animate", "me.png", "caf\udce9.mp4"])
    report = write_report(failed(KeyError("nobody")))
    assert report is not None
    assert report.parent == tmp_path / "crashes"
    text = report.read_text()
    for part in ("in failed", "KeyError: 'nobody'", "fye animate me.png", __version__, "torch ", "numpy "):
        assert part in text
    assert str(report.parent) in sentence(failed(ValueError("no")))


def test_neither_a_report_nor_its_sentence_tells_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FYE_HOME", str(tmp_path))
    monkeypatch.setenv("HF_TOKEN", "of-the-hub")
    monkeypatch.setenv("FYE_API_KEYS", "of-the-server")
    monkeypatch.setattr("sys.argv", ["fye", "studio", "--password", "of-the-page", "--token=of-a-friend"])
    address = "https://me:of-a-mirror@hub.example/a?X-Signature=of-a-store&x=1"
    error = failed(OSError(f"{address} of-the-hub of-the-server of-the-page of-a-friend hf_abcdefghijkl"))
    told = sentence(error)
    (report,) = (tmp_path / "crashes").iterdir()
    for text in (told, report.read_text()):
        assert "hub.example/a" in text
        assert not re.search("of-(a|the)-|hf_", text)


def test_few_reports_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FYE_HOME", str(tmp_path))
    monkeypatch.setattr(crashes, "report", lambda *_: "")
    written = [write_report(ValueError()) for _ in range(KEPT + 3)]
    assert sorted((tmp_path / "crashes").iterdir()) == written[3:]


def test_a_report_stays_that_is_older_than_all_others_by_a_clock_that_went_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FYE_HOME", str(tmp_path))
    (tmp_path / "crashes").mkdir()
    for number in range(KEPT):
        (tmp_path / "crashes" / f"fye-crash-29990101-000000-{number:06d}.txt").touch()
    report = write_report(ValueError())
    assert report is not None
    assert report.exists()


def test_where_no_report_can_be_written_the_error_is_told_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FYE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(crashes, "gettempdir", lambda: str(tmp_path))
    report = write_report(failed(ValueError("no")))
    assert report is not None
    assert report.parent == tmp_path
    monkeypatch.setattr(crashes, "gettempdir", lambda: str(tmp_path / "file"))
    told = sentence(failed(ValueError("no")))
    assert "ValueError: no" in told
    assert "no report could be written" in told
    assert "Silent" in sentence(failed(Silent()))
