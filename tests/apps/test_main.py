"""How the process ends: one line for each error, and no file name that cannot be printed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from followyouremoji.apps import doctor
from followyouremoji.cache import cache_folder
from tests.apps.conftest import Run


def test_an_error_that_nobody_foresaw_ends_in_a_line_and_a_report(
    fye: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> bool:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(doctor, "examine", broken)
    ended = fye("doctor")
    (report,) = (cache_folder() / "crashes").iterdir()
    assert ended.code == 1
    assert ended.out == ""
    assert ended.err.count("\n") == 1
    assert ended.err.startswith("Error: ")
    assert "(ZeroDivisionError: division)" in ended.err
    assert str(report) in ended.err
    assert "in broken" in report.read_text()


def test_what_ctrl_c_breaks_is_no_error(fye: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> bool:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise RuntimeError("a worker was killed") from None
        return True

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(doctor, "examine", broken)
    ended = fye("doctor")
    signal.signal(signal.SIGINT, before)
    assert ended.code == 130
    assert ended.err.startswith("Stopped.")
    assert not (cache_folder() / "crashes").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no names that are no text")
def test_names_that_cannot_be_printed_end_nothing(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.fyemotion")
    command = [sys.executable, "-m", "followyouremoji", "motion", "extract", "bundled:hello", name]
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii:strict"}
    for environment in ({}, plain):
        ended = subprocess.run(
            [*command, "--overwrite"],
            cwd=tmp_path,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert "caf\\udce9.fyemotion" in ended.stdout
    assert [path.name for path in tmp_path.iterdir()] == [name]
