"""The real command in a process of its own, killed in the middle of its work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

INJECTION = Path(__file__).parent / "injection"
PATIENCE = 300.0  # seconds, on a busy machine


@dataclass(frozen=True)
class Kill:
    """SIGKILL to a command's whole process group: before its step `at` (from 1) in the files of its folder, or so many
    seconds `after` it."""

    at: int
    after: float = 0.0


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes
    ----------
    code : its exit code; that of a killed one is -9
    printed : on both outputs
    steps : that it took in the files of its folder; 0 where it was killed
    """

    code: int
    printed: str
    steps: int = 0

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


def environment(folder: Path, kill: Kill | None) -> dict[str, str]:
    """Of a command that works in `folder` and is killed."""
    before = {name: value for name, value in os.environ.items() if not name.startswith("KILL_")}
    chosen = {
        "PYTHONPATH": os.pathsep.join([str(INJECTION), *filter(None, sys.path)]),
        "FYE_HOME": str(folder.parent / "home"),
        "SOURCE_DATE_EPOCH": "1",  # records are equal, too
        "KILL_IN": str(folder),
        "KILL_COUNT": str(folder.parent / "steps"),
    }
    if kill is not None:
        chosen |= {"KILL_AT": str(kill.at), "KILL_AFTER": str(kill.after)}
    return before | chosen


def run(arguments: Sequence[object], folder: Path, kill: Kill | None = None) -> Ended:
    """Run `fye` in `folder`, until it ends or is killed."""
    counted = folder.parent / "steps"
    counted.unlink(missing_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "followyouremoji", *map(str, arguments)],
        cwd=folder,
        env=environment(folder, kill),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = process.communicate(timeout=PATIENCE)
    finally:
        end(process)
    ended = Ended(process.returncode, printed)
    if ended.killed or not counted.exists():
        return ended
    return replace(ended, steps=int(counted.read_text()))


def end(process: subprocess.Popen[str]) -> None:
    """End a process that was started in a session of its own, and all that it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
